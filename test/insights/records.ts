/** Hand-made records for tests: short to write, complete as the log gives them. */
import type { TelemetryRecord } from '../../src/events/types.js';

/** Number `n` as a UUID; larger numbers sort later. */
export function uuid(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** Second `s` after nine o'clock, ISO 8601. */
export function at(s: number): string {
  return new Date(Date.UTC(2026, 2, 2, 9, 0, 0) + s * 1000).toISOString();
}

export interface Given {
  /** Seconds after nine. */
  s: number;
  /** Number of the event's id. */
  n: number;
  event?: string;
  student?: string;
  sess?: string | null;
  nb?: string;
  /** Receipt in seconds after nine; with the event by default. */
  received?: number;
  payload?: Record<string, unknown>;
}

export function record(given: Given): TelemetryRecord {
  const { s, n, event = 'cell', student = 'ADA-LOVELACE' } = given;
  const { sess = 'sess-ada', nb = 'week1' } = given;
  return {
    schema_version: 'telemetry_event_v1',
    channel: 'user',
    event,
    timestamp: at(s),
    uuid: uuid(n),
    distinct_id: student,
    received_at: at(given.received ?? s),
    course: 'demo',
    student,
    session: sess,
    notebook: sess === null ? null : nb,
    seq: n,
    payload: { ...given.payload }
  };
}

/** A test's result: `err` makes it fail, and any `status` but `passed` does too. */
export function result(
  given: Omit<Given, 'event' | 'payload'> & {
    ex: string;
    err?: string | null;
    status?: string;
  }
): TelemetryRecord {
  const { ex, err, status } = given;
  const ok = err === undefined && (status ?? 'passed') === 'passed';
  return record({
    ...given,
    event: 'test',
    payload: { ex, ok, err: err ?? null, ...(status ? { status } : {}) }
  });
}

/** The end of a session, as `src` tells it. */
export function end(
  given: Omit<Given, 'event' | 'payload'> & { src?: string; reason?: string }
): TelemetryRecord {
  const { src = 'lab', reason = 'shutdown' } = given;
  return record({ ...given, event: 'end', payload: { src, reason, made: 9 } });
}

/** A run of a cell: `ok`, or ended in `err`. */
export function run(
  given: Omit<Given, 'event' | 'payload'> & { status?: string; err?: string }
): TelemetryRecord {
  const { err = null, status = err === null ? 'ok' : 'error' } = given;
  return record({ ...given, event: 'cell', payload: { status, err } });
}
