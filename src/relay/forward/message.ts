/** One message of a shared log: a record of a door's log, its header in the first line and its body behind it. */
import { v5 } from 'uuid';
import { ID_NAMESPACE } from '../../events/index.js';
import type { EventNote, LogRecord, RecordHeader } from '../log/types.js';
import { isObject, normalizeEvent, openEnvelope } from '../wire/shapes.js';

/** A message to publish. */
export interface Message {
  /** The same whenever this record is published again: door, sequence number and, of a divided one, part. */
  id: string;
  course: string;
  payload: Buffer;
}

/** A message as a consumer reads it. */
export interface Received {
  id: string;
  header: RecordHeader;
  body: Buffer;
}

/** An event that alone is longer than a message may be. */
export interface TooLong {
  uuid: string | null;
  event: unknown;
  /** Bytes of its message. */
  bytes: number;
}

const NEWLINE = 0x0a;
const VERSION = 1;

/**
 * The messages that carry a record: one, or several where it is longer than `limit` bytes. Each
 * is a record of its own, with whole events. What fits into none is told apart.
 *
 * @throws SyntaxError if a record that must be divided is no JSON.
 */
export function messagesOf(
  record: LogRecord,
  door: string,
  limit: number
): { messages: Message[]; tooLong: TooLong[] } {
  const id = `${door}-${record.seq}`;
  const { header, body } = record;
  const whole = message(id, header, body);
  return whole.payload.length <= limit
    ? { messages: [whole], tooLong: [] }
    : divide(id, header, open(body), limit);
}

/**
 * Takes a message apart.
 *
 * @throws Error if it is not one of ours.
 */
export function readMessage(payload: Uint8Array): Received {
  const bytes = Buffer.from(
    payload.buffer,
    payload.byteOffset,
    payload.byteLength
  );
  const end = bytes.indexOf(NEWLINE);
  const first = end < 0 ? undefined : parse(bytes.subarray(0, end));
  const header = isObject(first) ? first['header'] : undefined;
  if (
    !isObject(first) ||
    first['v'] !== VERSION ||
    typeof first['id'] !== 'string' ||
    !isHeader(header)
  ) {
    throw new Error(
      'expected a record of a relay, its header in the first line, got something else'
    );
  }
  return { id: first['id'], header, body: bytes.subarray(end + 1) };
}

/** A body, parsed once. */
export interface Opened {
  events: readonly unknown[];
  /** What stands beside the list of events. */
  beside: Readonly<Record<string, unknown>>;
}

/** @throws SyntaxError if the body is no JSON. */
export function open(body: Uint8Array): Opened {
  const parsed = parse(body);
  return {
    events: openEnvelope(parsed)?.events ?? [],
    beside: isObject(parsed) && Array.isArray(parsed['batch']) ? parsed : {}
  };
}

/** The event ids of a message, by position; an event that has none gets one, the same each time. */
export function eventIds(
  id: string,
  header: RecordHeader,
  { events }: Opened
): string[] {
  return events.map(
    (raw, position) =>
      header.notes?.[position]?.uuid ??
      ownId(raw) ??
      v5(`${id}/${position}`, ID_NAMESPACE)
  );
}

/**
 * The record with only the events at `positions`, in that order; the notes move along.
 *
 * @param ids ids by position; noted where the event itself has none.
 */
export function select(
  header: RecordHeader,
  { events, beside }: Opened,
  positions: readonly number[],
  ids?: readonly string[]
): { header: RecordHeader; body: Buffer } {
  const notes: Record<number, EventNote> = {};
  positions.forEach((position, index) => {
    const note = header.notes?.[position];
    const uuid =
      note?.uuid ??
      (ownId(events[position]) === undefined ? ids?.[position] : undefined);
    if (note !== undefined || uuid !== undefined) {
      notes[index] = { ...note, ...(uuid === undefined ? {} : { uuid }) };
    }
  });
  const { notes: _notes, ...rest } = header;
  const batch = positions.map(position => events[position]);
  return {
    header: {
      ...rest,
      n: positions.length,
      ...(Object.keys(notes).length === 0 ? {} : { notes })
    },
    body: Buffer.from(JSON.stringify({ ...beside, batch }))
  };
}

/** Fills part after part: the parts of a record are then the same for the same limit. */
function divide(
  id: string,
  header: RecordHeader,
  opened: Opened,
  limit: number
): { messages: Message[]; tooLong: TooLong[] } {
  const { notes = {}, ...rest } = header;
  const frame =
    sizeOf({ v: VERSION, id, header: { ...rest, notes: {} } }) +
    sizeOf({ ...opened.beside, batch: [] }) +
    32; // The part's number, and digits of counts.
  const messages: Message[] = [];
  const tooLong: TooLong[] = [];
  let group: number[] = [];
  let bytes = frame;
  const close = (): void => {
    if (group.length > 0) {
      const part = select(header, opened, group);
      messages.push(message(`${id}-${group[0]!}`, part.header, part.body));
      [group, bytes] = [[], frame];
    }
  };
  opened.events.forEach((event, position) => {
    const note = notes[position];
    const size = sizeOf(event) + 1 + (note ? sizeOf(note) + 12 : 0);
    if (frame + size > limit) {
      const uuid = note?.uuid ?? ownId(event) ?? null;
      tooLong.push({ uuid, event, bytes: frame + size });
      return;
    }
    if (bytes + size > limit) {
      close();
    }
    group.push(position);
    bytes += size;
  });
  close();
  return { messages, tooLong };
}

function message(id: string, header: RecordHeader, body: Uint8Array): Message {
  const line = `${JSON.stringify({ v: VERSION, id, header })}\n`;
  const length = Buffer.byteLength(line);
  const payload = Buffer.allocUnsafe(length + body.length);
  payload.write(line);
  payload.set(body, length);
  return { id, course: header.course, payload };
}

function ownId(raw: unknown): string | undefined {
  const event = normalizeEvent(raw);
  const uuid = isObject(event) ? event['uuid'] : undefined;
  return typeof uuid === 'string' ? uuid : undefined;
}

function sizeOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function parse(bytes: Uint8Array): unknown {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return JSON.parse(buffer.toString('utf8'));
}

function isHeader(value: unknown): value is RecordHeader {
  return (
    isObject(value) &&
    value['v'] === 1 &&
    typeof value['course'] === 'string' &&
    typeof value['at'] === 'string' &&
    typeof value['skew'] === 'number'
  );
}
