/** Tells JSON that takes far more memory than its length says, or is nested deeper than can be written again. */

/** Deepest nesting of an event that is taken. */
export const MAX_DEPTH = 64;

/** Whether `value` holds objects or lists nested more than `levels` deep. */
export function isDeeperThan(value: object, levels: number): boolean {
  if (levels === 0) {
    return true;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    if (
      typeof inner === 'object' &&
      inner !== null &&
      isDeeperThan(inner, levels - 1)
    ) {
      return true;
    }
  }
  return false;
}

/** Most objects and lists in a request; each takes some fifty bytes at least, though it is written in two. */
export const MAX_PARTS = 2_000_000;

/** Whether there are more brackets in the text than objects and lists may be. Texts count as well: it is a bound. */
export function hasTooManyParts(bytes: Uint8Array): boolean {
  if (bytes.length < MAX_PARTS) {
    return false;
  }
  let parts = 0;
  for (let i = 0; i < bytes.length; i += 1) {
    if (bytes[i] === 0x7b || bytes[i] === 0x5b) {
      parts += 1;
    }
  }
  return parts > MAX_PARTS;
}
