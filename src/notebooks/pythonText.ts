/** Python's own ideas of blanks and of string literals, so that both languages write the same cell. */

/** What Python's `str.strip()` takes for a blank; JavaScript's `\s` differs. */
const BLANKS =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const EDGES = new RegExp(`^${BLANKS}|${BLANKS}$`, 'gu');

/**
 * What is written as an escape: it ends a line, has no form of its own, or changes how the text
 * around it is shown. A list, and not the Unicode category, because Python and JavaScript know
 * different versions of Unicode, and the same id must give the same cell everywhere.
 */
const UNSEEN =
  /[\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff\u{e0000}-\u{10ffff}]/gu;

/** `text` without blanks at its ends, as Python sees it. */
export function strip(text: string): string {
  return text.replace(EDGES, '');
}

/** A Python literal in double quotes on one line, whatever `text` contains. */
export function pythonLiteral(text: string): string {
  return JSON.stringify(text).replace(UNSEEN, char => {
    const code = char.codePointAt(0)!;
    const hex = code.toString(16);
    return code < 0x100
      ? `\\x${hex.padStart(2, '0')}`
      : code < 0x10000
        ? `\\u${hex.padStart(4, '0')}`
        : `\\U${hex.padStart(8, '0')}`;
  });
}

const SIMPLE: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  f: '\f',
  v: '\v',
  a: '\x07',
  '\\': '\\',
  "'": "'",
  '"': '"'
};

/** The text that a Python literal in single or double quotes stands for; undefined if it is not plain. */
export function readPythonLiteral(literal: string): string | undefined {
  if (!/^("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')$/u.test(literal)) {
    return undefined;
  }
  let plain = true;
  const text = literal
    .slice(1, -1)
    .replace(
      /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))/gsu,
      (whole, x?: string, u?: string, long?: string, char?: string) => {
        const hex = x ?? u ?? long;
        if (hex !== undefined) {
          const code = parseInt(hex, 16);
          plain &&= code <= 0x10ffff;
          return plain ? String.fromCodePoint(code) : whole;
        }
        plain &&= Object.hasOwn(SIMPLE, char!);
        return SIMPLE[char!] ?? whole;
      }
    );
  return plain ? text : undefined;
}
