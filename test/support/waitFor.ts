/** Waits for a condition instead of a time. */
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Polls until `look` gives something other than undefined, null or false.
 *
 * @param what names the condition in the failure message; a function can say how far it got.
 * @throws Error after `timeoutMs` (10 s by default).
 */
export async function waitFor<T>(
  what: string | (() => string),
  look: () => T | Promise<T>,
  timeoutMs = 10_000
): Promise<NonNullable<Exclude<T, false>>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== null && found !== false) {
      return found as NonNullable<Exclude<T, false>>;
    }
    if (Date.now() > deadline) {
      const name = typeof what === 'string' ? what : what();
      throw new Error(`after ${timeoutMs / 1000} s still not so: ${name}`);
    }
    await sleep(20);
  }
}
