/** The metrics that are read from the relay's state at the moment somebody asks. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { SinkStatus } from '../../api/index.js';
import type { EventLog, LogStatus } from '../log/types.js';
import { VERSION } from '../version.js';

/** The prefix of all names but those of the process. */
export const PREFIX = 'ipynb_telemetry_';

/** What is read. */
export interface Readings {
  /** Null before the log is open. */
  log: (LogStatus & { writable: boolean }) | null;
  sinks: readonly SinkStatus[];
  /** Events that were set aside, by who did it. */
  deadLetters: Readonly<Record<string, number>>;
  liveStreams: number;
  /** When the first record from `seq` on was received, in ms since 1970; null where there is none. */
  receivedAt: (seq: number) => Promise<number | null>;
  now: () => number;
}

const STATES: readonly SinkStatus['state'][] = [
  'running',
  'retrying',
  'stopped'
];

type Sample = [labels: Record<string, string>, value: number];

/** Registers them. @param byCourse whether labels may name courses. */
export function addGauges(
  registry: Registry,
  read: () => Readings,
  byCourse: boolean
): void {
  // A course's own project is named after the course. Several of one label are added up.
  const labelOf = (sink: string): string =>
    byCourse || !sink.startsWith('posthog-') ? sink : 'posthog-courses';
  const add = (
    Kind: typeof Gauge<string> | typeof Counter<string>,
    name: string,
    help: string,
    labelNames: string[],
    samples: (readings: Readings) => Sample[] | Promise<Sample[]>
  ): void => {
    new Kind({
      name: PREFIX + name,
      help,
      labelNames,
      registers: [registry],
      async collect() {
        const found = await samples(read());
        // What is no longer there, such as a sink, is told no more.
        this.reset();
        found.forEach(([labels, value]) => this.inc(labels, value));
      }
    });
  };
  const ofLog = (
    name: string,
    help: string,
    value: (log: NonNullable<Readings['log']>) => number
  ): void =>
    add(Gauge, name, help, [], ({ log }) => (log ? [[{}, value(log)]] : []));
  const ofSinks = (
    Kind: typeof Gauge<string> | typeof Counter<string>,
    name: string,
    help: string,
    value: (sink: SinkStatus) => number
  ): void =>
    add(Kind, name, help, ['sink'], ({ sinks }) =>
      sinks.map(sink => [{ sink: labelOf(sink.name) }, value(sink)])
    );

  add(
    Gauge,
    'build_info',
    'Versions of the relay and of Node; always 1.',
    ['version', 'node'],
    () => [[{ version: VERSION, node: process.versions.node }, 1]]
  );

  ofLog('log_bytes', 'Size of the event log.', log => log.bytes);
  ofLog('log_segments', 'Files of the event log.', log => log.segments);
  ofLog(
    'log_last_sequence_number',
    'Number of the latest durable record of the event log.',
    log => log.last
  );
  ofLog(
    'log_damaged_stretches',
    'Damaged stretches of the event log that were found and skipped.',
    log => log.damaged
  );
  ofLog(
    'log_torn_bytes',
    'Bytes of an unacknowledged end that were cut off at the start.',
    log => log.tornBytes
  );
  ofLog('log_writable', 'Whether events can be made durable: 1 or 0.', log =>
    log.writable ? 1 : 0
  );

  ofSinks(
    Gauge,
    'sink_lag_records',
    'Records of the event log (accepted requests) that the sink has not confirmed.',
    ({ lag }) => lag
  );
  add(
    Gauge,
    'sink_lag_seconds',
    'Age of the oldest record that the sink has not confirmed; 0 where it has all.',
    ['sink'],
    async ({ sinks, receivedAt, now }) => {
      const oldest = new Map<string, number>();
      for (const { name, lag, seq } of sinks) {
        const at = lag === 0 ? null : await receivedAt(seq);
        const age = at === null ? 0 : Math.max(0, now() - at) / 1000;
        const label = labelOf(name);
        oldest.set(label, Math.max(age, oldest.get(label) ?? 0));
      }
      return [...oldest].map(([sink, age]): Sample => [{ sink }, age]);
    }
  );
  ofSinks(
    Counter,
    'sink_delivered_events_total',
    'Events that the sink confirmed since the relay started.',
    ({ delivered }) => delivered
  );
  ofSinks(
    Counter,
    'sink_retries_total',
    'Deliveries that were repeated since the relay started.',
    ({ retries }) => retries
  );
  ofSinks(
    Counter,
    'sink_set_aside_events_total',
    'Events that the sink refused for good since the relay started.',
    ({ setAside }) => setAside
  );
  add(
    Gauge,
    'sink_state',
    'How many sinks of the name are in the state.',
    ['sink', 'state'],
    ({ sinks }) =>
      sinks.flatMap(({ name, state: present }) =>
        STATES.map((state): Sample => [
          { sink: labelOf(name), state },
          state === present ? 1 : 0
        ])
      )
  );

  add(
    Gauge,
    'dead_letters',
    'Events that are set aside with a reason, by who did it.',
    ['stage'],
    ({ deadLetters }) =>
      Object.entries(deadLetters).map(([stage, count]) => [
        { stage: labelOf(stage) },
        count
      ])
  );
  add(
    Gauge,
    'live_streams',
    'Browsers that follow a course live.',
    [],
    ({ liveStreams }) => [[{}, liveStreams]]
  );
}

/**
 * When the first record from `seq` on was received, in ms since 1970; null where there is none, or
 * where the disk cannot read it: the other metrics are wanted then more than ever.
 */
export async function receivedAt(
  log: Pick<EventLog, 'read'> | undefined,
  seq: number
): Promise<number | null> {
  try {
    for await (const { header } of log?.read(seq) ?? []) {
      return Date.parse(header.at);
    }
  } catch {
    // Readers of the log say what is wrong with it.
  }
  return null;
}
