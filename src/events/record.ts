/** Turns a wire event and what the relay knows of it into a `telemetry_event_v1` record. */
import type { Channel, TelemetryRecord, WireEvent } from './types.js';

/** What only the relay knows of an event. */
export interface Receipt {
  course: string;
  /** ISO 8601, UTC. */
  receivedAt: string;
  /** The event's id, minted at the door where the client gave none. */
  uuid: string;
  /** When it happened, ISO 8601 UTC, corrected for the client's clock. */
  timestamp: string;
  /** Verified student; where set, the claimed one is a display name only. */
  student?: string;
  simulated?: boolean;
}

/** The channel a record belongs to. */
export function channelOf(event: string, simulated = false): Channel {
  if (simulated) {
    return 'simulation';
  }
  if (event.startsWith('ai_')) {
    return 'assistant';
  }
  return event === 'command' ? 'trace' : 'user';
}

/** The record of `event`. The payload keeps the wire properties, with the relay's course. */
export function toRecord(event: WireEvent, receipt: Receipt): TelemetryRecord {
  const { nb, sess, student, seq } = event.properties;
  return {
    schema_version: 'telemetry_event_v1',
    channel: channelOf(event.event, receipt.simulated),
    event: event.event,
    timestamp: receipt.timestamp,
    uuid: receipt.uuid,
    distinct_id: receipt.student ?? event.distinct_id,
    received_at: receipt.receivedAt,
    course: receipt.course,
    student:
      receipt.student ??
      (typeof student === 'string' ? student : event.distinct_id),
    session: typeof sess === 'string' ? sess : null,
    notebook: typeof nb === 'string' ? nb : null,
    seq: typeof seq === 'number' ? seq : null,
    payload: { ...event.properties, course: receipt.course }
  };
}
