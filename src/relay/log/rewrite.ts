/** Writes one segment again with some of its records changed or dropped, in one step that a crash cannot halve. */
import { join } from 'node:path';
import type { Disk, LogFile } from './disk.js';
import { encode } from './encode.js';
import {
  encodeSegmentHeader,
  readFrame,
  sealFrame,
  SEGMENT_HEADER_BYTES
} from './format.js';
import { REWRITE_NAME } from './recovery.js';
import { scan, type Found } from './scan.js';
import { Segment } from './segment.js';
import type { Change, LogRecord, Rewritten } from './types.js';

/** Bytes that are gathered before they are written. */
const CHUNK_BYTES = 1024 * 1024;

/** What decides about records. */
export interface Decider {
  /** Called for each record in turn; others are kept. */
  change: (record: LogRecord) => Change | Promise<Change>;
  from: number;
  to: number;
}

/** What became of a segment. */
export interface Outcome {
  counts: Rewritten;
  /** The segment that is in its place: itself if nothing had to be changed, none if nothing was left. */
  segment: Segment | undefined;
}

type FoundRecord = Extract<Found, { kind: 'record' }>;

/**
 * Lets `decider` decide about the records of a sealed segment, and puts a new file in its place if
 * anything changes. Damaged stretches are left out of the new file.
 *
 * The new file is complete and flushed before it gets the segment's name. `segment.replacement`
 * tells readers, also those that have the old file open.
 *
 * @throws the disk's error; the segment is then as it was, or as it should be.
 */
export async function rewriteSegment(
  disk: Disk,
  folder: string,
  segment: Segment,
  decider: Decider
): Promise<Outcome> {
  const counts: Rewritten = { records: 0, changed: 0, dropped: 0, damaged: 0 };
  const source = await disk.open(segment.path, 'read');
  const target = new Target(disk, folder, segment, source);
  try {
    for await (const found of scan(source, {
      from: SEGMENT_HEADER_BYTES,
      to: segment.end,
      seq: segment.firstSeq,
      id: segment.id,
      // What cannot be read now may be readable later: only what is known to be wrong is left out.
      strict: true
    })) {
      if (found.kind === 'damage') {
        counts.damaged += 1;
        await target.leaveOut(found.offset);
      } else {
        await decide(found, decider, target, counts);
      }
    }
    return { counts, segment: await target.finish() };
  } finally {
    await target.discard();
    await source.close();
  }
}

async function decide(
  found: FoundRecord,
  { change, from, to }: Decider,
  target: Target,
  counts: Rewritten
): Promise<void> {
  const { seq, header, body } = found;
  target.meet(found);
  if (seq < from || seq >= to) {
    return target.keep(found);
  }
  counts.records += 1;
  const decision = await change({ seq, header, body });
  if (decision === 'keep') {
    return target.keep(found);
  }
  await target.leaveOut(found.offset);
  if (decision === 'drop') {
    counts.dropped += 1;
  } else {
    counts.changed += 1;
    await target.add(seq, decision);
  }
}

/** The file that will take the segment's place. It is made only once something differs. */
class Target {
  #file: LogFile | undefined;
  #segment: Segment;
  #id: bigint | undefined;
  #records = 0;
  #kept = 0;
  #buffers: Uint8Array[] = [];
  #buffered = 0;
  #written = 0;

  constructor(
    private readonly disk: Disk,
    private readonly folder: string,
    private readonly old: Segment,
    private readonly source: LogFile
  ) {
    this.#segment = old;
    this.#id = old.id;
  }

  get #path(): string {
    return join(this.folder, REWRITE_NAME);
  }

  /** Learns the segment's number from a record, where the header has lost it. */
  meet({ bytes }: FoundRecord): void {
    this.#id ??= readFrame(bytes, 0)!.segmentId;
  }

  async keep({ seq, bytes }: FoundRecord): Promise<void> {
    this.#kept += 1;
    if (this.#file) {
      await this.#put(seq, [bytes]);
    }
  }

  /** From here on the new file differs from the old one, of which all before `offset` is sound. */
  async leaveOut(offset: number): Promise<void> {
    if (this.#file) {
      return;
    }
    const { path, firstSeq, edition } = this.old;
    // One that could not be removed earlier must not stand in the way for ever.
    await this.disk.remove(this.#path).catch(() => undefined);
    this.#file = await this.disk.create(this.#path);
    this.#segment = new Segment(path, firstSeq, this.#id, edition + 1);
    this.#records = this.#kept;
    this.#push([encodeSegmentHeader(firstSeq, this.#id ?? 0n)]);
    for (let at = SEGMENT_HEADER_BYTES; at < offset;) {
      const bytes = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, offset - at));
      const count = await this.source.read(bytes, at);
      if (count < bytes.length) {
        throw new Error(`${path} became shorter while it was read.`);
      }
      this.#push([bytes]);
      await this.#write();
      at += count;
    }
  }

  async add(
    seq: number,
    { header, body }: Exclude<Change, string>
  ): Promise<void> {
    const { head, crc } = encode(header, body);
    sealFrame(head, body.length, seq, this.#id!, crc);
    await this.#put(seq, [head, body]);
  }

  /** Puts the new file in the old one's place. Returns the segment that is there then. */
  async finish(): Promise<Segment | undefined> {
    const file = this.#file;
    if (!file) {
      return this.old;
    }
    const next = this.#segment;
    if (this.#records > 0) {
      await this.#write();
      await file.flush();
      next.end = this.#written;
      next.sealed = true;
    }
    await file.close();
    this.#file = undefined;
    return this.#records > 0 ? this.#replace(next) : this.#remove();
  }

  /** Lets go of a file that did not make it. */
  async discard(): Promise<void> {
    if (this.#file) {
      await this.#file.close().catch(() => undefined);
      await this.disk.remove(this.#path).catch(() => undefined);
    }
  }

  async #replace(next: Segment): Promise<Segment> {
    let settle: (segment: Segment) => void = () => undefined;
    this.old.replacement = new Promise(resolve => (settle = resolve));
    try {
      await this.disk.rename(this.#path, this.old.path);
    } catch (error) {
      this.old.replacement = undefined;
      settle(this.old);
      await this.disk.remove(this.#path).catch(() => undefined);
      throw error;
    }
    settle(next);
    return next;
  }

  /** Nothing is left: no file takes its place. */
  async #remove(): Promise<undefined> {
    await this.disk.remove(this.#path);
    this.old.replacement = Promise.resolve(undefined);
    await this.disk.remove(this.old.path);
  }

  async #put(seq: number, buffers: readonly Uint8Array[]): Promise<void> {
    this.#segment.mark(seq, this.#written + this.#buffered);
    this.#records += 1;
    this.#push(buffers);
    if (this.#buffered >= CHUNK_BYTES) {
      await this.#write();
    }
  }

  #push(buffers: readonly Uint8Array[]): void {
    for (const buffer of buffers) {
      if (buffer.length > 0) {
        this.#buffers.push(buffer);
        this.#buffered += buffer.length;
      }
    }
  }

  async #write(): Promise<void> {
    if (this.#buffers.length > 0) {
      await this.#file!.write(this.#buffers, this.#written);
      this.#written += this.#buffered;
      this.#buffers = [];
      this.#buffered = 0;
    }
  }
}
