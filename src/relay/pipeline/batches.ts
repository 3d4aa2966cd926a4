/** Cuts the log into a sink's batches and knows, for every event of them, where the cursor then stands. */
import type { TelemetryRecord } from '../../events/index.js';
import { lastAtMost } from '../log/segment.js';
import type { EventLog, LogRecord } from '../log/types.js';
import type { Position } from './cursor.js';

/** How large a batch may be. */
export interface BatchLimits {
  /** In records. */
  records: number;
  /** In bytes of JSON; a single record may be longer. */
  bytes: number;
}

/** What is to be done with one record of the log. */
export interface Contents {
  events: TelemetryRecord[];
  /** Set where the record could not be read as events; it is then passed over. */
  unreadable?: Unreadable;
}

/** A log record that holds no events after all. */
export interface Unreadable {
  seq: number;
  at: string;
  course: string;
  key: string;
  reason: string;
}

/** Some events in log order. */
export interface Batch {
  events: TelemetryRecord[];
  /** Log records in it that could not be read. */
  unreadable: Unreadable[];
  /** Where the cursor stands once the first `count` events are confirmed. */
  after(count: number): Position;
  /** Where it stands once all is done, records without events included. */
  end: Position;
}

/** The part of one log record that lies in a batch. */
interface Piece {
  seq: number;
  /** Index in the batch of its first event. */
  start: number;
  /** Its events before that one. */
  skip: number;
  /** All of its events. */
  total: number;
}

/**
 * The batches from `from` up to the log's end, as it is when it is reached.
 *
 * Ends with a batch without events where only records without events are left, so that
 * the cursor passes them.
 */
export async function* batches(
  log: Pick<EventLog, 'read'>,
  from: Position,
  limits: BatchLimits,
  contentsOf: (record: LogRecord) => Contents,
  signal: AbortSignal
): AsyncGenerator<Batch, void, undefined> {
  let pieces: Piece[] = [];
  let events: TelemetryRecord[] = [];
  let unreadable: Unreadable[] = [];
  let bytes = 0;
  let end = from;
  let reported = from;
  const take = (): Batch => {
    reported = end;
    const batch = makeBatch(events, unreadable, pieces, end);
    [events, unreadable, pieces, bytes] = [[], [], [], 0];
    return batch;
  };

  for await (const record of log.read(from.seq)) {
    if (signal.aborted) {
      return;
    }
    const contents = contentsOf(record);
    if (contents.unreadable) {
      unreadable.push(contents.unreadable);
    }
    const all = contents.events;
    const sizeOf = sizesOf(record, all, limits.bytes);
    // Without some of the events that were counted, the count says nothing of the others:
    // those that were confirmed already arrive once more, which every sink bears.
    const isCounted = record.seq === from.seq && from.of === all.length;
    let index = isCounted ? Math.min(from.skip, all.length) : 0;
    let piece: Piece | undefined;
    for (; index < all.length; index += 1) {
      const size = sizeOf(index);
      const full =
        events.length >= limits.records || bytes + size > limits.bytes;
      if (full && events.length > 0) {
        yield take();
        piece = undefined;
      }
      if (!piece) {
        piece = {
          seq: record.seq,
          start: events.length,
          skip: index,
          total: all.length
        };
        pieces.push(piece);
      }
      events.push(all[index]!);
      bytes += size;
      end =
        index + 1 === all.length
          ? { seq: record.seq + 1, skip: 0 }
          : { seq: record.seq, skip: index + 1, of: all.length };
    }
    end = { seq: record.seq + 1, skip: 0 };
    if (unreadable.length >= limits.records) {
      yield take();
    }
  }
  if (end !== reported) {
    yield take();
  }
}

function makeBatch(
  events: TelemetryRecord[],
  unreadable: Unreadable[],
  pieces: readonly Piece[],
  end: Position
): Batch {
  return {
    events,
    unreadable,
    end,
    after(count) {
      if (count >= events.length) {
        return end;
      }
      const starts = pieces.map(({ start }) => start);
      const piece = pieces[lastAtMost(starts, count - 1)]!;
      const done = piece.skip + count - piece.start;
      return done === piece.total
        ? { seq: piece.seq + 1, skip: 0 }
        : { seq: piece.seq, skip: done, of: piece.total };
    }
  };
}

/**
 * Tells the size of an event by its index. In a small body an even share is near enough and
 * costs nothing; in a large one a single event may fill a batch.
 */
function sizesOf(
  record: LogRecord,
  events: readonly TelemetryRecord[],
  limit: number
): (index: number) => number {
  if (record.body.length <= limit / 16) {
    const share = record.body.length / Math.max(1, events.length);
    return () => share;
  }
  return index => Buffer.byteLength(JSON.stringify(events[index]));
}
