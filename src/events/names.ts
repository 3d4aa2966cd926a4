/** The one rule that turns a typed name into `STUDENT_NAME`; its test vectors are shared with Python. */

/** Raised for a name of which nothing is left. */
export class EmptyNameError extends Error {
  constructor() {
    super('Both first and last name are REQUIRED! Run this cell again.');
    this.name = 'EmptyNameError';
  }
}

/**
 * Normalizes one part of a name.
 *
 * Latin letters lose their marks (José becomes JOSE) and everything but letters,
 * `-`, `'` and single inner blanks is dropped. A part with no Latin letter is kept
 * as typed, NFC and upper-cased.
 */
export function normalizePart(typed: string): string {
  const trimmed = typed.trim().replace(/\s+/gu, ' ');
  const plain = trimmed
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .replace(/[’ʼ]/gu, "'");
  if (/[A-Za-z]/u.test(plain)) {
    return plain
      .replace(/[^\p{L}\-' ]/gu, '')
      .replace(/ +/gu, ' ')
      .trim()
      .toUpperCase();
  }
  return trimmed.normalize('NFC').toUpperCase();
}

/**
 * `FIRST-LAST` in upper case.
 *
 * @throws EmptyNameError if either part is empty.
 */
export function normalizeName(first: string, last: string): string {
  const parts = [normalizePart(first), normalizePart(last)];
  if (parts.some(part => part === '')) {
    throw new EmptyNameError();
  }
  return parts.join('-');
}
