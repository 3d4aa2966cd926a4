/** What Prometheus can ask the relay about itself: counted as it happens, or read when it is asked for. */
import { Counter, Histogram, Registry } from 'prom-client';
import type { DoorReport } from '../door/door.js';
import type { Receipt } from '../door/intake.js';
import { addGauges, PREFIX, type Readings } from './gauges.js';
import { processMetrics } from './process.js';
import { routeOf } from './routes.js';

/** How the metrics are made. */
export interface MetricsOptions {
  /** Whether events are counted by course; the ids of courses are then labels. */
  byCourse: boolean;
  /** Reads the relay's present state. */
  read: () => Readings;
}

/** The metrics of one relay. */
export interface Metrics {
  /** Counts what the door did with a request. */
  door(report: DoorReport): void;
  /** Counts the events of a body that was acknowledged before it was judged. */
  judged(receipt: Receipt): void;
  /** Counts an answer of any other route. */
  answered(path: string, status: number): void;
  readonly contentType: string;
  /** Everything in Prometheus' text format. */
  text(): Promise<string>;
}

/** Upper bounds in seconds. A flush takes from 0.1 ms to 10 ms; 20 ms is what a class never notices. */
export const DURATION_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10
];

/**
 * Makes the metrics. No label holds a student, a key or an address; names keep to
 * https://prometheus.io/docs/practices/naming/.
 */
export function createMetrics({ byCourse, read }: MetricsOptions): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const courseLabel = byCourse ? (['course'] as const) : [];
  const ofCourse = (course: string): { course?: string } =>
    byCourse ? { course } : {};
  const counter = <L extends string>(
    name: string,
    help: string,
    labelNames: readonly L[] = []
  ): Counter<L> =>
    new Counter({ name: PREFIX + name, help, labelNames, registers });

  const accepted = counter(
    'events_accepted_total',
    'Events that were made durable.',
    courseLabel
  );
  const duplicates = counter(
    'events_duplicate_total',
    'Events that were kept before and came again.',
    courseLabel
  );
  const notCollected = counter(
    'events_not_collected_total',
    'Events that their course does not collect; kept nowhere.',
    courseLabel
  );
  const rejected = counter(
    'events_rejected_total',
    'Events that were set aside at the door, by the code of the reason.',
    ['code', ...courseLabel]
  );
  const refused = counter(
    'requests_refused_total',
    'Requests that the door answered with an error, by its code.',
    ['code']
  );
  const requests = counter(
    'http_requests_total',
    'Answered requests by class of route and status.',
    ['route', 'status']
  );
  const bytes = counter(
    'received_body_bytes_total',
    'Bytes of request bodies as they came over the network.'
  );
  const acknowledgement = new Histogram({
    name: `${PREFIX}acknowledgement_duration_seconds`,
    help: 'Time from the arrival of a request to the answer that its events are durable.',
    buckets: DURATION_BUCKETS,
    registers
  });
  addGauges(registry, read, byCourse);
  const all = Registry.merge([registry, processMetrics()]);

  function judged(receipt: Receipt): void {
    const labels = ofCourse(receipt.course);
    accepted.inc(labels, receipt.kept);
    duplicates.inc(labels, receipt.duplicates);
    for (const count of receipt.notCollected.values()) {
      notCollected.inc(labels, count);
    }
    for (const { code: reason } of receipt.rejected) {
      rejected.inc({ code: reason, ...labels });
    }
  }

  return {
    door({ status, ms, receipt, raw, error, bytes: received }) {
      // 0: the client went away before it had sent everything.
      requests.inc({
        route: 'ingest',
        status: status === 0 ? 'aborted' : String(status)
      });
      bytes.inc(received ?? 0);
      const code = (error as { code?: unknown } | undefined)?.code;
      if (typeof code === 'string') {
        refused.inc({ code });
      }
      if (receipt) {
        judged(receipt);
      }
      if (raw || (receipt && receipt.kept + receipt.duplicates > 0)) {
        acknowledgement.observe(ms / 1000);
      }
    },
    judged,
    answered(path, status) {
      requests.inc({ route: routeOf(path), status: String(status) });
    },
    contentType: Registry.PROMETHEUS_CONTENT_TYPE,
    text: () => all.metrics()
  };
}
