/** Finds course keys in the bytes of a body, and overwrites them before the body is kept. */
import { isKey, KEY_LENGTH, KEY_PREFIX } from '../courses/keys.js';

const PREFIX = Buffer.from(KEY_PREFIX);
const ESCAPE = Buffer.from('\\u00');
const STAR = 0x2a;

/** The keys that stand literally in `bytes`, each once. */
export function keysIn(bytes: Buffer): Set<string> {
  const keys = new Set<string>();
  for (const at of placesOf(bytes)) {
    keys.add(bytes.toString('latin1', at, at + KEY_LENGTH));
  }
  return keys;
}

/** Overwrites in place everything that has the form of a course key. Returns how often. */
export function blankKeys(bytes: Buffer): number {
  let count = 0;
  for (const at of placesOf(bytes)) {
    bytes.fill(STAR, at, at + KEY_LENGTH);
    count += 1;
  }
  return count;
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
  let at = bytes.indexOf(PREFIX);
  while (at >= 0) {
    const found = isKey(bytes.toString('latin1', at, at + KEY_LENGTH));
    if (found) {
      yield at;
    }
    at = bytes.indexOf(PREFIX, at + (found ? KEY_LENGTH : 1));
  }
}
