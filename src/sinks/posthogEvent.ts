/** What PostHog is told of a record: the same at every attempt, so that its table merges resends. */
import { randomUUID } from 'node:crypto';
import type { Properties, TelemetryRecord } from '../events/index.js';

/** One event as PostHog takes it. */
export interface PostHogEvent {
  /** JSON of `event`, `distinct_id`, `uuid`, `timestamp` (UTC with microseconds) and `properties`. */
  json: string;
  /** Size of it. */
  bytes: number;
  /** When it happened, in ms since 1970. */
  time: number;
}

/** The event to send, or why PostHog will never take it. */
export type Prepared =
  { ok: true; event: PostHogEvent } | { ok: false; reason: string };

/** PostHog's own limit is 1 MB of JSON inside JSON, about this much of plain JSON. */
export const MAX_EVENT_BYTES = 800_000;

/** Ids that PostHog drops or never makes a person of, whatever their case. */
const ILLEGAL_IDS = new Set([
  '0',
  '00000000-0000-0000-0000-000000000000',
  '[object object]',
  'anonymous',
  'anonymous-user',
  'backend',
  'distinct_id',
  'distinctid',
  'email',
  'false',
  'guest',
  'id',
  'nan',
  'none',
  'not_authenticated',
  'null',
  'system',
  'true',
  'undefined',
  'user'
]);

/** Turns a record into PostHog's event. With `places`, PostHog may look up where the student is. */
export function toPostHogEvent(
  record: TelemetryRecord,
  places: boolean
): Prepared {
  const id = record.distinct_id ?? record.student ?? '';
  const time = Date.parse(record.timestamp);
  if (record.uuid === undefined) {
    return refuse('it has no uuid, so a resend would count twice');
  }
  if (id.trim() === '') {
    return refuse('its distinct_id is blank');
  }
  if (Number.isNaN(time)) {
    return refuse(`its timestamp cannot be read: ${record.timestamp}`);
  }
  const json = jsonOf({
    event: record.event,
    distinct_id: legalDistinctId(id),
    uuid: record.uuid,
    timestamp: microseconds(time, record),
    properties: propertiesOf(record, places)
  });
  if (json === null) {
    return refuse('it is nested too deep for JSON');
  }
  const bytes = Buffer.byteLength(json);
  return bytes > MAX_EVENT_BYTES
    ? refuse(
        `it is ${bytes} bytes of JSON, and PostHog takes ${MAX_EVENT_BYTES}`
      )
    : { ok: true, event: { json, bytes, time } };
}

/**
 * The events of one request, of which no two are sent with the same name, student and time: a
 * deduplicator of PostHog's compares just these, and not the uuid. Where the microseconds do not
 * tell two apart, the later one is moved by a millisecond, always to the same place.
 */
export function separateEqualTimes(
  records: readonly TelemetryRecord[]
): TelemetryRecord[] {
  const taken = new Set<string>();
  return records.map(record => {
    const start = Date.parse(record.timestamp);
    const keyAt = (time: number): string =>
      `${time} ${microsOf(record)} ${record.event} ${record.distinct_id ?? record.student ?? ''}`;
    let time = start;
    while (!Number.isNaN(time) && taken.has(keyAt(time))) {
      time += 1;
    }
    taken.add(keyAt(time));
    return time === start || Number.isNaN(time)
      ? record
      : { ...record, timestamp: new Date(time).toISOString() };
  });
}

/** An event that PostHog takes and keeps nothing of: to find out whether it takes anything. */
export function probeEvent(now: number): PostHogEvent {
  const json = JSON.stringify({
    event: '$performance_event',
    distinct_id: 'ipynb-telemetry',
    uuid: randomUUID(),
    timestamp: new Date(now).toISOString(),
    properties: { $lib: 'ipynb-telemetry', $process_person_profile: false }
  });
  return { json, bytes: Buffer.byteLength(json), time: now };
}

/** `id`, or `student:id` where PostHog would not take `id` for a person. */
export function legalDistinctId(id: string): string {
  const bare = id.trim().replace(/^(['"])(.*)\1$/, '$2');
  return ILLEGAL_IDS.has(bare.trim().toLowerCase()) ? `student:${id}` : id;
}

function propertiesOf(record: TelemetryRecord, places: boolean): Properties {
  const payload = record.payload as Properties;
  const { $ip, v } = payload;
  // Spreading costs twenty times as much, but takes a member `__proto__` for what it is.
  const properties: Properties = Object.hasOwn(payload, '__proto__')
    ? { ...payload }
    : Object.assign({}, payload);
  if ($ip !== undefined) {
    delete properties['$ip'];
  }
  if (payload['$lib'] === undefined) {
    properties['$lib'] = 'ipynb-telemetry';
    if (typeof v === 'string') {
      properties['$lib_version'] = v;
    }
  }
  if (record.course !== undefined) {
    properties['course'] = record.course;
  }
  // The relay has corrected the clock; PostHog would shift each attempt differently.
  properties['$ignore_sent_at'] = true;
  if (places && $ip !== undefined) {
    properties['$ip'] = $ip;
  } else {
    // Without a student's own address, PostHog would look up the relay's.
    properties['$geoip_disable'] = true;
  }
  return properties;
}

/**
 * Fills the microseconds from the event's counter: events of one name, student and millisecond
 * differ here.
 */
function microseconds(time: number, record: TelemetryRecord): string {
  const micros = String(microsOf(record)).padStart(3, '0');
  return new Date(time).toISOString().replace('Z', `${micros}Z`);
}

function microsOf({ seq, uuid }: TelemetryRecord): number {
  const counter = seq ?? Number.parseInt((uuid ?? '').slice(-6), 16);
  return Math.abs(counter) % 1000 || 0;
}

/** Its JSON; null where it cannot be written. */
function jsonOf(event: object): string | null {
  try {
    return JSON.stringify(event);
  } catch {
    return null;
  }
}

function refuse(reason: string): Prepared {
  return { ok: false, reason };
}
