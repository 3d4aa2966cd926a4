/** Makes a log smaller on demand: gives back what nobody needs, and drops records that hold no events any more. */
import type { Retention, Holder } from './retention.js';
import type { EventLog, RewriteProgress } from './types.js';

/** What `compact` did. */
export interface Compacted {
  /** Files removed, and their bytes. */
  segments: number;
  bytes: number;
  /** Empty records dropped. */
  dropped: number;
  /** Bytes of the log before and after. */
  before: number;
  after: number;
  /** What kept records that were to go; null if nothing did. */
  heldBy: Holder | null;
}

/**
 * Removes what was received before `args.before` (ISO 8601; only what the bounds ask for, where it is
 * missing) and is needed by no reader, then drops records without events.
 *
 * @throws Error if `args` is not as expected, or `signal` aborts.
 */
export async function compact(
  log: EventLog,
  retention: Pick<Retention, 'run'>,
  args: unknown,
  progress: (progress: RewriteProgress) => void,
  signal: AbortSignal
): Promise<Compacted> {
  const given = (args as { before?: unknown } | null)?.before;
  const ms = typeof given === 'string' ? Date.parse(given) : undefined;
  if (given !== undefined && (ms === undefined || Number.isNaN(ms))) {
    throw new Error(
      `expected a date such as 2026-09-01, got ${JSON.stringify(given)}.`
    );
  }
  const before = log.status().bytes;
  const { segments, bytes, heldBy } = await retention.run(ms);
  const { dropped } = await log.rewrite(
    ({ header }) => {
      signal.throwIfAborted();
      return header.n === 0 ? 'drop' : 'keep';
    },
    undefined,
    progress
  );
  return {
    segments,
    bytes,
    dropped,
    before,
    after: log.status().bytes,
    heldBy
  };
}
