/** Finds course keys in the bytes of a body, and overwrites them before the body is kept. */
import { KEY_LENGTH, kindOf } from '../courses/keys.js';

const ESCAPE = Buffer.from('\\u00');
const STAR = 0x2a;
const N = 0x6e;
const B = 0x62;
/** Fourth in every key; looked for, as it is rarer than the letters before it. */
const UNDERSCORE = 0x5f;
const MAYBE_KEY = new RegExp(`nb[a-z]_[0-9A-Za-z]{${KEY_LENGTH - 4}}`, 'g');

/** The keys, of every kind, that stand literally in `bytes`, each once. */
export function keysIn(bytes: Buffer): Set<string> {
  const keys = new Set<string>();
  for (const at of placesOf(bytes)) {
    keys.add(bytes.toString('latin1', at, at + KEY_LENGTH));
  }
  return keys;
}

/** Overwrites in place everything that has the form of a key. Returns how often. */
export function blankKeys(bytes: Buffer): number {
  let count = 0;
  for (const at of placesOf(bytes)) {
    bytes.fill(STAR, at, at + KEY_LENGTH);
    count += 1;
  }
  return count;
}

/** The text with everything that has the form of a key overwritten. */
export function blankKeysIn(text: string): string {
  return text.replace(MAYBE_KEY, key =>
    kindOf(key) === undefined ? key : '*'.repeat(key.length)
  );
}

/**
 * Whether the JSON writes letters or digits as `\u00XX`. No serializer does, and a key (or a
 * member's name) written so would not be seen in the bytes.
 */
export function hidesText(bytes: Buffer): boolean {
  for (
    let at = bytes.indexOf(ESCAPE);
    at >= 0;
    at = bytes.indexOf(ESCAPE, at + 4)
  ) {
    const code = Number.parseInt(bytes.toString('latin1', at + 4, at + 6), 16);
    if (/[0-9A-Za-z_]/.test(String.fromCharCode(code))) {
      return true;
    }
  }
  return false;
}

function* placesOf(bytes: Buffer): Generator<number> {
  let at = bytes.indexOf(UNDERSCORE, 3);
  while (at >= 0) {
    const start = at - 3;
    const found =
      bytes[start] === N &&
      bytes[start + 1] === B &&
      kindOf(bytes.toString('latin1', start, start + KEY_LENGTH)) !== undefined;
    if (found) {
      yield start;
    }
    at = bytes.indexOf(UNDERSCORE, found ? start + KEY_LENGTH + 3 : at + 1);
  }
}
