/** Lets a sink read a stretch of the log again, beside its feeder: its place in the log stays where it is. */
import type { SinkStatus } from '../../api/index.js';
import type { EventLog, LogRecord } from '../log/types.js';
import { memoryCursor } from './cursor.js';
import type { DeadLetters } from './deadLetters.js';
import { startFeeder, type FeederOptions } from './feeder.js';
import type { ReplaySinks } from './replaySinks.js';

/** A place in the log: a record's number, or a time of receipt in ISO 8601 UTC. */
export type LogPlace = number | string;

/** What to replay. */
export interface LogReplay {
  sink: string;
  from: LogPlace;
  /** The last record, or the time before which records were received; the log's present end by default. */
  to?: LogPlace;
  /** This course alone. */
  course?: string;
}

/** What it works with. */
export interface LogReplayParts extends Pick<
  FeederOptions,
  'simulated' | 'sleep' | 'random'
> {
  log: Pick<EventLog, 'read' | 'status'>;
  deadLetters: Pick<DeadLetters, 'put'>;
  sinks: ReplaySinks;
}

/** How far it is, or how it ended. */
export interface LogReplayProgress extends Pick<
  SinkStatus,
  'delivered' | 'setAside' | 'retries' | 'lastError'
> {
  /** Number of the record that comes next. */
  seq: number;
  /** Number of the last record to replay. */
  last: number;
}

/** Shortest time between two reports, in ms. */
const REPORT_MS = 500;

/**
 * Replays.
 *
 * @throws Error that says how to go on, if the stretch is not in the log, the sink takes nothing,
 * or `signal` aborted.
 */
export async function replayLog(
  { sink: name, from, to, course }: LogReplay,
  parts: LogReplayParts,
  progress: (line: LogReplayProgress) => void,
  signal: AbortSignal
): Promise<LogReplayProgress> {
  const { log, sinks } = parts;
  const present = log.status();
  const first = typeof from === 'number' ? from : Math.max(1, present.first);
  const last = Math.min(typeof to === 'number' ? to : Infinity, present.last);
  if (first > last) {
    throw new Error(
      `expected a stretch within the log's records ${present.first} to ${present.last}, got ${first} to ${last}.`
    );
  }
  const sink = sinks.open(name);
  let reported = 0;
  let stopped: string | null = null;
  const view = stretchOf(log, last, record => isWithin(record, from, to));
  const told = (status: SinkStatus): LogReplayProgress => ({
    seq: Math.min(status.seq, last + 1),
    last,
    delivered: status.delivered,
    setAside: status.setAside,
    retries: status.retries,
    lastError: status.lastError
  });
  const feeder = startFeeder({
    ...parts,
    log: view,
    sink,
    cursor: memoryCursor({ seq: first, skip: 0 }),
    accepts: id =>
      (course === undefined || id === course) && sinks.accepts(id, name),
    once: true,
    onStatus: status => {
      if (status.state === 'stopped' && stopped === null && !signal.aborted) {
        stopped = status.lastError;
        void feeder.stop();
      }
      if (performance.now() - reported > REPORT_MS) {
        reported = performance.now();
        progress(told(status));
      }
    }
  });
  const stop = (): void => void feeder.stop();
  signal.addEventListener('abort', stop);
  if (signal.aborted) {
    stop();
  }
  try {
    await feeder.done;
    await feeder.stop();
  } finally {
    signal.removeEventListener('abort', stop);
    await sink.close();
  }
  const end = told(feeder.status());
  if (end.seq <= last) {
    throw new Error(
      `the replay ended before record ${end.seq} of ${last}: ${stopped ?? 'it was stopped'}. Go on with --from ${end.seq}; what arrives twice counts once.`
    );
  }
  return end;
}

/** The log up to `last`, without the records that are not wanted. */
function stretchOf(
  log: LogReplayParts['log'],
  last: number,
  isWanted: (record: LogRecord) => boolean
): FeederOptions['log'] {
  return {
    status: () => ({ ...log.status(), last, next: last + 1 }),
    onDurable: () => () => undefined,
    async *read(seq) {
      for await (const record of log.read(seq)) {
        if (record.seq > last) {
          return;
        }
        if (isWanted(record)) {
          yield record;
        }
      }
    }
  };
}

function isWithin(
  { header }: LogRecord,
  from: LogPlace,
  to: LogPlace | undefined
): boolean {
  return (
    !(typeof from === 'string' && header.at < from) &&
    !(typeof to === 'string' && header.at >= to)
  );
}
