/** The one rule that turns a typed name into `STUDENT_NAME`; its test vectors are shared with Python. */

/** Raised for a name of which nothing is left. */
export class EmptyNameError extends Error {
  constructor() {
    super('Both first and last name are REQUIRED! Run this cell again.');
    this.name = 'EmptyNameError';
  }
}

/**
 * Normalizes one part of a name; '' where nothing is left of it.
 *
 * Latin letters lose their marks (José becomes JOSE), and everything but letters, `-`,
 * `'` and single inner blanks is dropped. A part with no Latin letter is kept as typed,
 * NFC and upper-cased. Invisible characters (direction marks, controls) go in any case:
 * two students must not differ by what nobody can see.
 */
export function normalizePart(typed: string): string {
  const trimmed = squeeze(
    typed.replace(/\s+/gu, ' ').replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, '')
  );
  const plain = trimmed
    .replace(/[‘’ʼ`´]/gu, "'")
    .replace(/[‐-―−]/gu, '-')
    .normalize('NFKD')
    .replace(/ʼ/gu, "'") // out of ŉ
    .replace(/\p{M}/gu, '');
  // In upper case, for the sharp s becomes two plain letters.
  if (!/[A-Za-z]/u.test(plain.toUpperCase())) {
    return trimmed.normalize('NFC').toUpperCase().normalize('NFC');
  }
  return squeeze(plain.replace(/[^\p{L}\-' ]/gu, ''))
    .toUpperCase()
    .normalize('NFC');
}

function squeeze(text: string): string {
  return text.replace(/ +/gu, ' ').replace(/^ | $/gu, '');
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
