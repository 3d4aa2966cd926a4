/** Walks the records of a segment, and finds its way again behind damage. */
import {
  FRAME_BYTES,
  isSound,
  MARKER,
  readFrame,
  type Frame
} from './format.js';
import type { LogFile } from './disk.js';
import type { RecordHeader } from './types.js';

/** Bytes read at once; a longer record is read whole. */
const WINDOW_BYTES = 256 * 1024;
/** Granularity at which an unreadable place on the disk is passed over. */
const BLOCK_BYTES = 4096;

/** A stretch of a segment: a sound record, or bytes that are none. */
export type Found =
  | {
      kind: 'record';
      offset: number;
      end: number;
      seq: number;
      header: RecordHeader;
      body: Buffer;
      /** All bytes of the record. */
      bytes: Buffer;
    }
  | { kind: 'damage'; offset: number; end: number };

/** What to walk. */
export interface Range {
  from: number;
  to: number;
  /** Lowest number that a record at `from` may have. */
  seq: number;
  /** Number of the segment; where it is unknown, the first sound record tells. */
  id: bigint | undefined;
  /** Rejects with the system's error where the disk cannot read, in place of passing over it as damage. */
  strict?: boolean;
}

/**
 * Everything between `range.from`, where a record must start, and `range.to`, in order.
 *
 * A record counts only if marker, lengths, segment, number and checksum are all right.
 * Where one is not, the next marker at which a record is right ends the damaged stretch.
 * Memory is bounded by the longest record; a yielded body stays valid.
 */
export async function* scan(
  file: LogFile,
  range: Range
): AsyncGenerator<Found, void, undefined> {
  const view = new View(file, range.to, range.strict ?? false);
  let { id, seq: lowest, from: at } = range;
  let damagedFrom = -1;

  while (at < range.to) {
    const found = await recordAt(view, at, id, lowest);
    if (found) {
      if (damagedFrom >= 0) {
        yield { kind: 'damage', offset: damagedFrom, end: at };
        damagedFrom = -1;
      }
      id ??= found.frame.segmentId;
      lowest = found.frame.seq + 1;
      const { header, body, bytes } = found;
      const end = at + found.frame.length;
      yield {
        kind: 'record',
        offset: at,
        end,
        seq: found.frame.seq,
        header,
        body,
        bytes
      };
      at = end;
    } else {
      if (damagedFrom < 0) {
        damagedFrom = at;
      }
      at = await nextMarker(view, at + 1);
    }
  }
  if (damagedFrom >= 0) {
    yield { kind: 'damage', offset: damagedFrom, end: range.to };
  }
}

interface Sound {
  frame: Frame;
  header: RecordHeader;
  body: Buffer;
  bytes: Buffer;
}

async function recordAt(
  view: View,
  at: number,
  id: bigint | undefined,
  lowest: number
): Promise<Sound | undefined> {
  if (at + FRAME_BYTES > view.to) {
    return undefined;
  }
  await view.load(at, FRAME_BYTES);
  const frame = readFrame(view.bytes, at - view.start);
  // The segment's number is judged before the record is read: a forged length costs nothing.
  if (
    !frame ||
    (id !== undefined && frame.segmentId !== id) ||
    frame.seq < lowest ||
    at + frame.length > view.to
  ) {
    return undefined;
  }
  await view.load(at, frame.length);
  const start = at - view.start;
  const record = view.bytes.subarray(start, start + frame.length);
  if (!isSound(record, frame)) {
    return undefined;
  }
  const bodyAt = FRAME_BYTES + frame.headerLength;
  try {
    const header = JSON.parse(
      record.toString('utf8', FRAME_BYTES, bodyAt)
    ) as RecordHeader;
    return { frame, header, body: record.subarray(bodyAt), bytes: record };
  } catch {
    return undefined;
  }
}

/** Offset of the next marker from `at` on; the end of the range if there is none. */
async function nextMarker(view: View, at: number): Promise<number> {
  let from = at;
  while (from + MARKER.length <= view.to) {
    await view.load(from, MARKER.length);
    const index = view.bytes.indexOf(MARKER, from - view.start);
    if (index >= 0) {
      return view.start + index;
    }
    // A marker may lie across the edge of the window.
    from = view.start + view.bytes.length - MARKER.length + 1;
  }
  return view.to;
}

/** A window on the file that moves forward. */
class View {
  start = 0;
  bytes: Buffer = Buffer.alloc(0);

  constructor(
    private readonly file: LogFile,
    readonly to: number,
    private readonly strict: boolean
  ) {}

  /** Makes `length` bytes from `at` on available in `bytes`. They must lie within the range. */
  async load(at: number, length: number): Promise<void> {
    if (at >= this.start && at + length <= this.start + this.bytes.length) {
      return;
    }
    const wanted = Math.min(Math.max(length, WINDOW_BYTES), this.to - at);
    // A new buffer each time: bodies that were handed out lie in the old one.
    const bytes = Buffer.allocUnsafeSlow(wanted);
    const held = this.bytes.subarray(
      Math.max(0, at - this.start),
      Math.max(0, at - this.start) + wanted
    );
    const kept = at >= this.start ? held.copy(bytes) : 0;
    await this.fill(bytes.subarray(kept), at + kept);
    this.bytes = bytes;
    this.start = at;
  }

  private async fill(target: Buffer, position: number): Promise<void> {
    try {
      const count = await this.file.read(target, position);
      target.fill(0, count);
    } catch (error) {
      if (
        this.strict ||
        (error as NodeJS.ErrnoException).code !== 'EIO' ||
        target.length === 0
      ) {
        throw error;
      }
      if (target.length <= BLOCK_BYTES) {
        // Zeros fail the checksum, so only the records that lie here are lost.
        target.fill(0);
        return;
      }
      for (let done = 0; done < target.length;) {
        const block = BLOCK_BYTES - ((position + done) % BLOCK_BYTES);
        await this.fill(target.subarray(done, done + block), position + done);
        done += block;
      }
    }
  }
}
