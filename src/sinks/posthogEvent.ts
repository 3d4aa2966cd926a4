/** What PostHog is told of a record: the same at every attempt, so that its table merges resends. */
import type { Properties, TelemetryRecord } from '../events/index.js';

/** One event as PostHog takes it. */
export interface PostHogEvent {
  event: string;
  distinctId: string;
  uuid: string;
  /** ISO 8601 UTC with microseconds. */
  timestamp: string;
  properties: Properties;
  /** Size of its JSON. */
  bytes: number;
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

/** Turns a record into PostHog's event. With `geoip`, PostHog may look up where the student is. */
export function toPostHogEvent(
  record: TelemetryRecord,
  geoip: boolean
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
  const event = {
    event: record.event,
    distinctId: legalDistinctId(id),
    uuid: record.uuid,
    timestamp: microseconds(time, record),
    properties: propertiesOf(record, geoip)
  };
  const bytes = sizeOf(event);
  return bytes > MAX_EVENT_BYTES
    ? refuse(
        bytes === Infinity
          ? 'it is nested too deep for JSON'
          : `it is ${bytes} bytes of JSON, and PostHog takes ${MAX_EVENT_BYTES}`
      )
    : { ok: true, event: { ...event, bytes } };
}

/** `id`, or `student:id` where PostHog would not take `id` for a person. */
export function legalDistinctId(id: string): string {
  const bare = id.trim().replace(/^(['"])(.*)\1$/, '$2');
  return ILLEGAL_IDS.has(bare.trim().toLowerCase()) ? `student:${id}` : id;
}

function propertiesOf(record: TelemetryRecord, geoip: boolean): Properties {
  const { $ip, ...payload } = record.payload as Properties;
  const version = payload['v'];
  const lib =
    payload['$lib'] === undefined
      ? {
          $lib: 'ipynb-telemetry',
          ...(typeof version === 'string' ? { $lib_version: version } : {})
        }
      : {};
  return {
    ...payload,
    ...lib,
    ...(record.course === undefined ? {} : { course: record.course }),
    // The relay has corrected the clock; PostHog would shift each attempt differently.
    $ignore_sent_at: true,
    ...(geoip ? ($ip === undefined ? {} : { $ip }) : { $geoip_disable: true })
  };
}

/**
 * Fills the microseconds from the event's counter. Two events of one name and student in
 * the same millisecond could otherwise pass for one: a deduplicator of PostHog's compares
 * the time and not the uuid.
 */
function microseconds(time: number, { seq, uuid }: TelemetryRecord): string {
  const counter = seq ?? Number.parseInt((uuid ?? '').slice(-6), 16);
  const micros = String(Math.abs(counter) % 1000).padStart(3, '0');
  return new Date(time).toISOString().replace('Z', `${micros}Z`);
}

/** Bytes of JSON; infinite where it cannot be written. */
function sizeOf(event: object): number {
  try {
    return Buffer.byteLength(JSON.stringify(event));
  } catch {
    return Infinity;
  }
}

function refuse(reason: string): Prepared {
  return { ok: false, reason };
}
