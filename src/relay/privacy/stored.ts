/** Stored events one by one: which of a log record's are to be looked at, and the record without some of them. */
import type { TelemetryRecord } from '../../events/index.js';
import { latestTime } from '../door/clock.js';
import { recordsOf } from '../log/contents.js';
import type {
  Change,
  EventNote,
  LogRecord,
  RecordHeader
} from '../log/types.js';
import { normalizeEvent, openEnvelope, isObject } from '../wire/shapes.js';

/** Judges one event of the log. */
export type Judge = (event: TelemetryRecord) => boolean;

/** The events of a record that `isWanted` picks; none of one that this relay cannot read. */
export function pickEvents(
  record: LogRecord,
  isWanted: Judge
): TelemetryRecord[] {
  return readable(record).filter(isWanted);
}

/**
 * Ms since 1970 by which an event is as old as it is: when it happened, and no later than it came.
 * Where the client's clock was perhaps days behind, as late as it may have happened.
 */
export function ageOf(
  { timestamp }: TelemetryRecord,
  { at, behind = 0 }: Pick<RecordHeader, 'at' | 'behind'>
): number {
  const receivedMs = Date.parse(at);
  const ms = Math.min(Date.parse(timestamp), receivedMs);
  return latestTime(ms, { receivedMs, behind });
}

/** The record without the events that `goes` picks. `onGone` is told of each. */
export function withoutEvents(
  record: LogRecord,
  goes: Judge,
  onGone: (event: TelemetryRecord) => void
): Change {
  const events = readable(record);
  const gone = events.map(goes);
  if (!gone.includes(true)) {
    return 'keep';
  }
  events.filter((_, index) => gone[index]).forEach(onGone);
  if (!gone.includes(false)) {
    return 'drop';
  }
  const { header, body } = record;
  const raw = rawEvents(body);
  const notes: Record<number, EventNote> = {};
  const kept: unknown[] = [];
  let position = 0;
  raw.forEach(({ event, at }) => {
    if (!gone[position]) {
      // An id that is made of the event's place must not change with the place: what arrives
      // once more is known by it.
      const { uuid } = events[position]!;
      const own = isObject(event) && event['uuid'] ? {} : { uuid };
      const note = { ...own, ...header.notes?.[at] };
      if (Object.keys(note).length > 0) {
        notes[kept.length] = note;
      }
      kept.push(event);
    }
    position += 1;
  });
  const { notes: _old, ...rest } = header;
  return {
    header: {
      ...rest,
      n: kept.length,
      ...(Object.keys(notes).length > 0 ? { notes } : {})
    },
    body: Buffer.from(JSON.stringify({ batch: kept }))
  };
}

function readable(record: LogRecord): TelemetryRecord[] {
  try {
    return recordsOf(record);
  } catch {
    return [];
  }
}

/** The events as they stand in the body, with their places in it; what is none is left out, as readers leave it out. */
function rawEvents(body: Uint8Array): { event: unknown; at: number }[] {
  const { events } = openEnvelope(
    JSON.parse(Buffer.from(body).toString('utf8'))
  )!;
  return events
    .map((event, at) => ({ event, at }))
    .filter(({ event }) => isObject(normalizeEvent(event)));
}
