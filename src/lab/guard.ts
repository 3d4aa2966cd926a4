/** Keeps every fault of ours out of the lesson: counted, said once, never thrown. */

/** Faults since the page was loaded, by the place they happened. */
const faults = new Map<string, number>();

/** How often something went wrong at each place. */
export function faultCounts(): Record<string, number> {
  return Object.fromEntries(faults);
}

/** Notes a fault at `place`; only the first one of a place is written to the console. */
export function noteFault(place: string, error: unknown): void {
  const count = (faults.get(place) ?? 0) + 1;
  faults.set(place, count);
  if (count === 1) {
    console.warn(`ipynb-telemetry: ${place} failed (said once)`, error);
  }
}

/** Runs `action`; a throw or a rejection becomes a note and nothing else. */
export function guarded(
  place: string,
  action: () => void | Promise<void>
): void {
  try {
    const result = action();
    if (result instanceof Promise) {
      result.catch((error: unknown) => noteFault(place, error));
    }
  } catch (error) {
    noteFault(place, error);
  }
}
