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
  let count = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (byte === QUOTE) {
      count += 1;
    } else if (byte === BACKSLASH) {
      i += 1;
    }
  }
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
