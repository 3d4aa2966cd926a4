/** Puts groups of records into segments: one write and one flush a group, a new segment where one is full or has failed. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Disk, LogFile } from './disk.js';
import type { PendingRecord } from './encode.js';
import { encodeSegmentHeader, sealFrame, segmentName } from './format.js';
import { SPARE_NAME } from './recovery.js';
import { Segment } from './segment.js';

/** A group that is on disk. */
export interface Committed {
  firstSeq: number;
  lastSeq: number;
}

interface Writable {
  segment: Segment;
  file: LogFile;
  id: bigint;
}

/** The writing end of a log. Not for concurrent use: one call of `commit` at a time. */
export class Appender {
  #current: Writable | undefined;
  #spare: Promise<LogFile | undefined> | undefined;

  constructor(
    private readonly disk: Disk,
    private readonly folder: string,
    private readonly segmentBytes: number,
    /** Segments of the log; new ones are added once something in them is durable. */
    private readonly segments: Segment[],
    /** Number of the next record. */
    public nextSeq: number
  ) {}

  /** Whether there is a segment to write to. */
  get open(): boolean {
    return this.#current !== undefined;
  }

  /**
   * Opens the segment that the first records will go to. Its name is durable before anything
   * is read or appended, and keeps the numbers below it from ever being given out again.
   */
  async start(): Promise<void> {
    const last = this.segments.at(-1);
    if (
      last?.empty &&
      last.id !== undefined &&
      last.firstSeq === this.nextSeq
    ) {
      const file = await this.disk.open(last.path, 'write');
      last.sealed = false;
      this.#current = { segment: last, file, id: last.id };
      this.#prepareSpare();
    } else {
      await this.#openSegment([]);
    }
  }

  /**
   * Makes `group` durable.
   *
   * After a failure nothing is known of the group's bytes; the segment that they went to is
   * never written or flushed again, since a second flush may succeed without them.
   */
  async commit(group: readonly PendingRecord[]): Promise<Committed> {
    const current = this.#current;
    if (!current || current.segment.end >= this.segmentBytes) {
      return this.#openSegment(group);
    }
    const { segment, file, id } = current;
    const firstSeq = this.nextSeq;
    const buffers: Uint8Array[] = [];
    const offsets = this.#seal(group, id, segment.end, buffers);
    try {
      await file.write(buffers, segment.end);
      await file.flush();
    } catch (error) {
      this.#current = undefined;
      await this.#abandon(current);
      throw error;
    }
    return publish(segment, firstSeq, offsets);
  }

  /** Begins a new segment unless the last one is empty, so that all records lie in sealed ones. */
  async rotate(): Promise<void> {
    if (!this.#current?.segment.empty) {
      await this.#openSegment([]);
    }
  }

  /** Lets go of the files. */
  async stop(): Promise<void> {
    const current = this.#current;
    this.#current = undefined;
    await current?.file.close();
    const spare = await this.#spare;
    this.#spare = undefined;
    if (spare) {
      await spare.close();
      await this.disk.remove(join(this.folder, SPARE_NAME));
    }
  }

  /** Starts a new segment with `group` in it; the segment before it is sealed by then. */
  async #openSegment(group: readonly PendingRecord[]): Promise<Committed> {
    const previous = this.#current;
    this.#current = undefined;
    if (previous) {
      previous.segment.sealed = true;
      // All of it is durable: nothing can fail here that would matter.
      previous.file.close().catch(() => undefined);
    }
    const sparePath = join(this.folder, SPARE_NAME);
    const file = await this.#takeSpare(sparePath);
    const id = randomBytes(8).readBigUInt64LE(0);
    const firstSeq = this.nextSeq;
    const path = join(this.folder, segmentName(firstSeq));
    const segment = new Segment(path, firstSeq, id);
    const buffers: Uint8Array[] = [encodeSegmentHeader(firstSeq, id)];
    const offsets = this.#seal(group, id, segment.end, buffers);
    try {
      await file.write(buffers, 0);
      await allDone([
        file.flush(),
        this.disk
          .rename(sparePath, path)
          .then(() => this.disk.flushFolder(this.folder))
      ]);
    } catch (error) {
      await Promise.allSettled([
        file.close(),
        this.disk.remove(sparePath),
        this.disk.remove(path)
      ]);
      throw error;
    }
    this.#current = { segment, file, id };
    if (this.segments.at(-1)?.firstSeq === firstSeq) {
      // It was empty, and its file has just been replaced.
      this.segments.pop();
    }
    this.segments.push(segment);
    this.#prepareSpare();
    return publish(segment, firstSeq, offsets);
  }

  /** Numbers the records of a group and adds their bytes to `buffers`. Returns the offsets, and where the group ends. */
  #seal(
    group: readonly PendingRecord[],
    id: bigint,
    start: number,
    buffers: Uint8Array[]
  ): number[] {
    const offsets: number[] = [];
    let end = start;
    for (const { head, body, crc } of group) {
      sealFrame(head, body.length, this.nextSeq, id, crc);
      this.nextSeq += 1;
      offsets.push(end);
      end += head.length + body.length;
      buffers.push(head);
      if (body.length > 0) {
        buffers.push(body);
      }
    }
    offsets.push(end);
    return offsets;
  }

  async #abandon({ segment, file }: Writable): Promise<void> {
    segment.sealed = true;
    // Only tidies up, and on a full disk gives the space back: readers stop at `end` anyway.
    await file.truncate(segment.end).catch(() => undefined);
    await file.close().catch(() => undefined);
  }

  /** Makes the next segment's file while there is time, so that a rotation does not wait for it. */
  #prepareSpare(): void {
    this.#spare ??= this.disk
      .create(join(this.folder, SPARE_NAME))
      .catch(() => undefined);
  }

  async #takeSpare(path: string): Promise<LogFile> {
    const spare = await this.#spare;
    this.#spare = undefined;
    return spare ?? this.disk.create(path);
  }
}

/** Moves the segment's durable end behind the group. */
function publish(
  segment: Segment,
  firstSeq: number,
  offsets: readonly number[]
): Committed {
  const count = offsets.length - 1;
  for (let index = 0; index < count; index += 1) {
    segment.mark(firstSeq + index, offsets[index]!);
  }
  segment.end = offsets[count]!;
  return { firstSeq, lastSeq: firstSeq + count - 1 };
}

/** Waits for all, whatever becomes of them, then rejects with the first failure. */
async function allDone(tasks: readonly Promise<unknown>[]): Promise<void> {
  for (const result of await Promise.allSettled(tasks)) {
    if (result.status === 'rejected') {
      throw result.reason;
    }
  }
}
