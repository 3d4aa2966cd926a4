/** How long to wait before the next attempt: exponential with full jitter, so that relays do not come back all at once. */

/** Upper bound of the first pause, in milliseconds. */
export const FIRST_PAUSE_MS = 500;
/** Upper bound of every pause that the destination did not ask for, in milliseconds. */
export const LONGEST_PAUSE_MS = 60_000;
/** A destination may ask for no longer pause than this, in milliseconds. */
export const LONGEST_ASKED_MS = 3_600_000;

/**
 * Pause before attempt `failures + 1`, in milliseconds.
 *
 * @param random between 0 and 1.
 * @param askedMs what the destination asked for; never waited less.
 */
export function pauseMs(failures: number, random: number, askedMs = 0): number {
  const bound = Math.min(
    LONGEST_PAUSE_MS,
    FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 30)
  );
  return Math.max(random * bound, Math.min(askedMs, LONGEST_ASKED_MS));
}
