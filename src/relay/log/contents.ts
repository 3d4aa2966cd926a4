/** Turns a stored body into the contract's records, the same way each time it is read. */
import { v5 } from 'uuid';
import {
  ID_NAMESPACE,
  toRecord,
  type TelemetryRecord,
  type WireEvent
} from '../../events/index.js';
import { isObject, normalizeEvent, openEnvelope } from '../wire/shapes.js';
import type { LogRecord } from './types.js';

/** What the relay's configuration says of a course, as far as records depend on it. */
export interface CourseTraits {
  simulated?: boolean;
}

/**
 * The events of one log record, in the order of the body, with the header's notes applied.
 *
 * @throws SyntaxError if the body is no JSON, TypeError if it holds no events; both mean that
 * it was not this relay that wrote it.
 */
export function recordsOf(
  record: LogRecord,
  course: CourseTraits = {}
): TelemetryRecord[] {
  const { header, seq } = record;
  const envelope = openEnvelope(parse(record.body));
  if (!envelope) {
    throw new TypeError(`Record ${seq} of the log holds no events.`);
  }
  return envelope.events.flatMap((raw, position) => {
    const event = normalizeEvent(raw);
    if (!isObject(event)) {
      return [];
    }
    const wire = event as unknown as WireEvent;
    const note = header.notes?.[position];
    return [
      toRecord(
        {
          ...wire,
          properties: isObject(wire.properties) ? wire.properties : {}
        },
        {
          course: header.course,
          receivedAt: header.at,
          uuid:
            note?.uuid ?? wire.uuid ?? derivedId(header.course, seq, position),
          timestamp:
            note?.timestamp ??
            corrected(wire.timestamp, header.skew) ??
            header.at,
          ...(header.student === undefined ? {} : { student: header.student }),
          ...(course.simulated === undefined
            ? {}
            : { simulated: course.simulated })
        }
      )
    ];
  });
}

function parse(body: Uint8Array): unknown {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return JSON.parse(bytes.toString('utf8'));
}

/** A time by the relay's clock; undefined where there is none to correct. */
function corrected(
  timestamp: string | undefined,
  skewMs: number
): string | undefined {
  if (timestamp === undefined) {
    return undefined;
  }
  const date = new Date(Date.parse(timestamp) - skewMs);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** An id for an event that has none: the same at each reading, or a redelivery would count twice. */
function derivedId(course: string, seq: number, position: number): string {
  return v5(`${course}/log/${seq}/${position}`, ID_NAMESPACE);
}
