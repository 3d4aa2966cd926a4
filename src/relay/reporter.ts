/** What the relay writes about itself: one JSON object a line, and nothing of what came with a request. */
import { pino, type Logger } from 'pino';
import type { SinkStatus } from '../api/index.js';
import type { RelayConfig } from './config/options.js';
import type { DoorReport } from './door/door.js';
import { causeOf, traceOf } from './failure.js';
import type { Holder } from './log/retention.js';
import { Tally } from './tally.js';

/** A logger that writes one JSON object a line to standard error, at once. */
export function createLogger(level: RelayConfig['log-level']): Logger {
  const output = pino.destination({ dest: 2, sync: true });
  // Whoever read it may be gone; that is no reason to stop taking events in.
  output.on('error', () => undefined);
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    output
  );
}

/** Takes reports, and writes the lines that are worth it. */
export interface Reporter {
  door: (report: DoorReport) => void;
  sink: (status: SinkStatus) => void;
  /** Tells what keeps the log from its bounds, or that nothing does any more. */
  held: (heldBy: Holder | null) => void;
  /** Writes what is only counted so far. */
  flush: () => void;
}

/** What is worth a line of what door and sinks report. */
export function createReporter(logger: Logger): Reporter {
  const refused = new Tally((what, count) =>
    logger.warn({ count }, `requests answered ${what}`)
  );
  const setAside = new Tally((what, count) =>
    logger.warn({ count }, `events set aside: ${what}`)
  );
  const leftOut = new Tally((what, count) =>
    logger.info({ count }, `events not collected: ${what}`)
  );
  const dropped = new Tally((what, count) =>
    logger.info({ count }, `properties not kept: ${what}`)
  );
  const states = new Map<string, string>();
  return {
    door({ id, path, status, ms, receipt, error }) {
      const known = error as { code?: string; cause?: unknown } | undefined;
      if (known?.code === 'internal_error') {
        const problem = traceOf(known.cause);
        logger.error({ id, path, problem }, 'request failed');
      } else if (known) {
        const cause =
          known.cause === undefined ? '' : `: ${causeOf(known.cause)}`;
        refused.add(`${status} ${known.code}${cause}`);
      }
      for (const { code, field } of receipt?.rejected ?? []) {
        setAside.add(`${receipt!.course}, ${field} (${code})`);
      }
      for (const [event, count] of receipt?.notCollected ?? []) {
        leftOut.add(`${receipt!.course}, ${event}`, count);
      }
      for (const [name, count] of receipt?.dropped ?? []) {
        dropped.add(`${receipt!.course}, ${name}`, count);
      }
      if (logger.isLevelEnabled('debug')) {
        logger.debug(
          {
            id,
            path,
            status,
            ms: Math.round(ms * 10) / 10,
            course: receipt?.course,
            kept: receipt?.kept,
            duplicates: receipt?.duplicates,
            rejected: receipt?.rejected.length
          },
          'request'
        );
      }
    },
    sink({ name, state, lag, setAside: aside, lastError }) {
      if (states.get(name) !== state) {
        const was = states.get(name);
        states.set(name, state);
        if (state !== 'running' || (was !== undefined && was !== state)) {
          logger[state === 'running' ? 'info' : 'warn'](
            { sink: name, lag, setAside: aside, problem: lastError },
            `sink is ${state}`
          );
        }
      }
    },
    held(heldBy) {
      if (heldBy === null) {
        logger.info('the log is within its bounds again');
      } else {
        logger.warn(
          `the log cannot be kept within its bounds: ${heldBy} needs what is older`
        );
      }
    },
    flush() {
      refused.flush();
      setAside.flush();
      leftOut.flush();
      dropped.flush();
    }
  };
}
