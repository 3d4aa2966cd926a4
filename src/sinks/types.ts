/** The seam between the log's pipeline and a destination. */
import type { TelemetryRecord } from '../events/index.js';

/**
 * What became of a batch, and with it the caller's duty.
 *
 * - `ok`: the destination confirmed every record; the cursor may move.
 * - `retry`: nothing is known to have arrived; deliver the same records again,
 *   not before `afterMs` where the destination said so.
 * - `refused`: the destination will never take this batch as it is. Halve it to find
 *   the culprit; a single refused record goes to the dead letters with the reason.
 * - `stop`: the destination takes nothing at all (wrong key). Keep the cursor, say so,
 *   and try again only after a long pause or a changed configuration.
 */
export type Outcome =
  | { kind: 'ok' }
  | { kind: 'retry'; reason: string; afterMs?: number }
  | { kind: 'refused'; reason: string }
  | { kind: 'stop'; reason: string };

/**
 * A reader of the event log.
 *
 * A sink does not queue, batch, retry, change the records or throw: the feeder does
 * all that. It may get the same record again (same `uuid`, same `timestamp`) and must
 * then not count it twice.
 */
export interface Sink {
  /** Stable name; the cursor is kept under it. */
  readonly name: string;
  /** Largest batch it wants, in records. */
  readonly maxBatch: number;
  /** Delivers one batch in log order. Resolves when the outcome is known. */
  deliver(records: readonly TelemetryRecord[]): Promise<Outcome>;
  /**
   * Makes the events of one request fit for the destination. The feeder calls it with all of
   * them, in order, at every attempt, so what it derives from them is always the same.
   */
  prepare?(records: readonly TelemetryRecord[]): TelemetryRecord[];
  /**
   * Sends something that the destination takes and keeps nothing of: tells one that refuses
   * certain events from one that refuses everything. A sink without it is believed at once.
   */
  probe?(): Promise<Outcome>;
  /** Lets go of what it holds; idempotent. */
  close(): Promise<void>;
}
