/** Whether the log takes events, as its last appends tell. */
import type { EventLog } from './log/types.js';

/** How long a failed append makes the relay unready. Without traffic nothing else would tell that it is over. */
const UNREADY_MS = 10_000;

/** The log as the door uses it, and what became of that. */
export interface WatchedLog extends Pick<EventLog, 'append' | 'flushed'> {
  /** Reason of the last failure, while nothing has been appended since and it is fresh. */
  problem(): string | null;
}

/** Watches the appends. */
export function watchLog(
  log: EventLog,
  now: () => number = Date.now
): WatchedLog {
  let failure: { message: string; at: number } | null = null;
  return {
    async append(header, body) {
      try {
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
      failure && now() - failure.at < UNREADY_MS ? failure.message : null
  };
}
