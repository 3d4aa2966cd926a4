/** Tells whether JSON text says more than what parsing shows: of a member that is there twice, only the last one is seen. */

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/**
 * Whether members stand in `bytes` that `parsed`, the value parsed from them, does not have.
 *
 * Each member's name and each text has two quotes, so their number gives away every member that
 * was hidden by a later one of its name.
 */
export function hidesMembers(bytes: Uint8Array, parsed: unknown): boolean {
  return quotesIn(bytes) !== quotesOf(parsed);
}

/** Quotes that begin or end a text; those within one are escaped. */
function quotesIn(bytes: Uint8Array): number {
  const backslash = bytes.indexOf(BACKSLASH);
  if (backslash < 0) {
    return countQuotes(bytes);
  }
  // Up to the first escaped character, as nearly all text goes, four bytes are looked at in one.
  let count = countQuotes(bytes.subarray(0, backslash));
  for (let i = backslash; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      count += 1;
    } else if (byte === BACKSLASH) {
      i += 1;
    }
  }
  return count;
}

const QUOTES = 0x22222222;
const LOW_BITS = 0x7f7f7f7f;

/** Quotes in `bytes`, four bytes at a time: a byte that equals a quote is zero once both are combined. */
function countQuotes(bytes: Uint8Array): number {
  let count = 0;
  let i = 0;
  const one = (end: number): void => {
    for (; i < end; i += 1) {
      count += bytes[i] === QUOTE ? 1 : 0;
    }
  };
  one(Math.min(bytes.length, (4 - (bytes.byteOffset & 3)) & 3));
  const words = new Int32Array(
    bytes.buffer,
    bytes.byteOffset + i,
    (bytes.length - i) >> 2
  );
  for (let n = 0; n < words.length; n += 1) {
    const x = words[n]! ^ QUOTES;
    // The top bit of each byte that is zero, and of no other (Warren, Hacker's Delight, 6-1).
    let zeros = ~(((x & LOW_BITS) + LOW_BITS) | x | LOW_BITS);
    if (zeros !== 0) {
      zeros >>>= 7;
      count += (Math.imul(zeros, 0x01010101) >>> 24) & 7;
    }
  }
  i += words.length * 4;
  one(bytes.length);
  return count;
}

function quotesOf(value: unknown): number {
  if (typeof value === 'string') {
    return 2;
  }
  if (typeof value !== 'object' || value === null) {
    return 0;
  }
  let count = 0;
  if (Array.isArray(value)) {
    for (const part of value as unknown[]) {
      count += quotesOf(part);
    }
    return count;
  }
  for (const name in value) {
    const part = (value as Record<string, unknown>)[name];
    count += 2 + (typeof part === 'string' ? 2 : quotesOf(part));
  }
  return count;
}
