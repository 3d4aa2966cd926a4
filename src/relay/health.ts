/** Whether the log takes events: as its last appends tell, and as the room on its disk allows. */
import type { DiskReserve } from './log/diskReserve.js';
import type { EventLog } from './log/types.js';

/** How long a failed append makes the relay unready. Without traffic nothing else would tell that it is over. */
const UNREADY_MS = 10_000;

/** Bytes that a record takes beside its body, roughly. */
const RECORD_BYTES = 300;

/** The log as the door uses it, and what became of that. */
export interface WatchedLog extends Pick<EventLog, 'append' | 'flushed'> {
  /** Why nothing is taken now, or the last failure, while nothing has been appended since and it is fresh. */
  problem(): string | null;
}

/**
 * Watches the appends.
 *
 * @param reserve refuses appends before the disk is full.
 */
export function watchLog(
  log: EventLog,
  now: () => number = Date.now,
  reserve?: Pick<DiskReserve, 'refusal' | 'take'>
): WatchedLog {
  let failure: { message: string; at: number } | null = null;
  return {
    async append(header, body) {
      const refusal = reserve?.refusal();
      if (refusal) {
        throw refusal;
      }
      try {
        reserve?.take(body.length + RECORD_BYTES);
        const seq = await log.append(header, body);
        failure = null;
        return seq;
      } catch (error) {
        if (!(error instanceof RangeError)) {
          failure = { message: (error as Error).message, at: now() };
        }
        throw error;
      }
    },
    flushed: () => log.flushed(),
    problem: () =>
      reserve?.refusal()?.message ??
      (failure && now() - failure.at < UNREADY_MS ? failure.message : null)
  };
}
