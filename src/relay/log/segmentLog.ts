/** The durable event log on local disk: group commit into segments, readers beside it. */
import { damageKey, recover, type Recovered } from './recovery.js';
import { Appender, type PendingRecord } from './appender.js';
import { nodeDisk, type Disk } from './disk.js';
import { FRAME_BYTES, payloadCrc } from './format.js';
import type { Lock } from './lock.js';
import { scan } from './scan.js';
import { lastAtMost, type Segment } from './segment.js';
import {
  LogUnavailableError,
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  type EventLog,
  type LogRecord,
  type LogStatus,
  type RecordHeader
} from './types.js';

/** How a segment log is opened. */
export interface SegmentLogOptions {
  /** Folder of the log; made where it is missing. */
  dir: string;
  /** Size at which a segment is full, in bytes. A segment may be longer by one group. Default 16 MiB. */
  segmentBytes?: number;
  /**
   * Smallest number for the next record, default 1. Give the largest of the sinks' cursors: a log
   * that lost its tail or was removed then does not hand out numbers that a sink has passed.
   */
  startAt?: number;
  /** How long appends are refused at once after no new segment could be made. Default 200 ms. */
  pauseMs?: number;
  /** Where the folder lies; the file system by default. */
  disk?: Disk;
}

/**
 * Opens the log in `dir`, and recovers what a crash has left.
 *
 * @throws LockedError if another process has it open.
 * @throws LogFormatError if a later version wrote it.
 */
export async function openSegmentLog(
  options: SegmentLogOptions
): Promise<EventLog> {
  const disk = options.disk ?? nodeDisk;
  await disk.makeFolder(options.dir);
  const lock = await disk.lock(options.dir);
  try {
    const recovered = await recover(disk, options.dir);
    const appender = new Appender(
      disk,
      options.dir,
      options.segmentBytes ?? 16 * 1024 * 1024,
      recovered.segments,
      Math.max(recovered.nextSeq, options.startAt ?? 1)
    );
    const log = new SegmentLog(disk, lock, recovered, appender, options);
    await log.start();
    return log;
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Waiting extends PendingRecord {
  resolve: (seq: number) => void;
  reject: (error: Error) => void;
}

interface Barrier {
  /** Resolves once this many appends have been settled. */
  appends: number;
  error: Error | undefined;
  resolve: () => void;
  reject: (error: Error) => void;
}

class SegmentLog implements EventLog {
  readonly #segments: Segment[];
  readonly #damaged: Set<string>;
  readonly #listeners = new Set<(lastSeq: number) => void>();
  readonly #groupBytes: number;
  readonly #pauseMs: number;
  #queue: Waiting[] = [];
  #barriers: Barrier[] = [];
  #accepted = 0;
  #settled = 0;
  #lastSeq: number;
  #pump: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #refusal: { error: LogUnavailableError; until: number } | undefined;

  constructor(
    private readonly disk: Disk,
    private readonly lock: Lock,
    private readonly recovered: Recovered,
    private readonly appender: Appender,
    options: SegmentLogOptions
  ) {
    this.#segments = recovered.segments;
    this.#damaged = new Set(recovered.damaged);
    this.#lastSeq = recovered.lastSeq;
    this.#groupBytes = options.segmentBytes ?? 16 * 1024 * 1024;
    this.#pauseMs = options.pauseMs ?? 200;
  }

  /** Opens the first segment. On a full disk the log opens all the same: it can be read, and recovers. */
  async start(): Promise<void> {
    try {
      await this.appender.start();
    } catch (error) {
      const refusal = unavailable(error);
      if (refusal.code !== 'disk-full') {
        throw error;
      }
      this.#refuse(refusal);
    }
  }

  append(header: RecordHeader, body: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const error = this.#closing ? closed() : this.#currentRefusal();
      if (error) {
        reject(error);
        return;
      }
      const pending = encode(header, body);
      this.#accepted += 1;
      this.#queue.push({ ...pending, resolve, reject });
      this.#pump ??= this.#run();
    });
  }

  flushed(): Promise<void> {
    if (this.#settled === this.#accepted) {
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      this.#barriers.push({
        appends: this.#accepted,
        error: undefined,
        resolve,
        reject
      });
    });
  }

  async *read(seq: number): AsyncGenerator<LogRecord, void, undefined> {
    const first = Math.max(1, Math.trunc(seq) || 1);
    const starts = this.#segments.map(segment => segment.firstSeq);
    let index = Math.max(0, lastAtMost(starts, first));
    for (; index < this.#segments.length; index += 1) {
      const complete = yield* this.#readSegment(this.#segments[index]!, first);
      if (!complete) {
        return;
      }
    }
  }

  onDurable(listener: (lastSeq: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): LogStatus {
    return {
      first: this.#segments.find(segment => !segment.empty)?.firstSeq ?? 0,
      last: this.#lastSeq,
      next: this.appender.nextSeq,
      bytes: this.#segments.reduce((sum, segment) => sum + segment.end, 0),
      segments: this.#segments.length,
      damaged: this.#damaged.size,
      tornBytes: this.recovered.tornBytes
    };
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#pump;
      try {
        await this.appender.stop();
      } finally {
        await this.lock.release();
      }
    })();
    return this.#closing;
  }

  /** Commits group after group until the queue is empty; what arrives meanwhile is the next group. */
  async #run(): Promise<void> {
    // Appends of the same turn go into one group.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
      const refusal = this.#currentRefusal();
      if (refusal) {
        this.#settle(group, refusal);
        continue;
      }
      const hadSegment = this.appender.open;
      try {
        const { firstSeq, lastSeq } = await this.appender.commit(group);
        this.#lastSeq = lastSeq;
        group.forEach((waiting, index) => waiting.resolve(firstSeq + index));
        this.#settle(group, undefined);
        this.#announce(lastSeq);
      } catch (error) {
        const reason = unavailable(error);
        // One bad segment is left behind at once; a disk that takes no new one gets a pause.
        if (!hadSegment || reason.code === 'disk-full') {
          this.#refuse(reason);
        }
        this.#settle(group, reason);
      }
    }
    this.#pump = undefined;
  }

  #announce(lastSeq: number): void {
    for (const listener of this.#listeners) {
      try {
        listener(lastSeq);
      } catch (error) {
        // A reader's mistake must not stop the appends.
        process.emitWarning(error as Error);
      }
    }
  }

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    for (const { head, body } of this.#queue) {
      bytes += head.length + body.length;
      if (count > 0 && bytes > this.#groupBytes) {
        break;
      }
      count += 1;
    }
    if (count === this.#queue.length) {
      const group = this.#queue;
      this.#queue = [];
      return group;
    }
    return this.#queue.splice(0, count);
  }

  /** Reports a failed group, and the state of everything before it to whoever waits for that. */
  #settle(group: readonly Waiting[], error: Error | undefined): void {
    this.#settled += group.length;
    if (error) {
      group.forEach(waiting => waiting.reject(error));
      this.#barriers.forEach(barrier => (barrier.error ??= error));
    }
    if (this.#barriers.length > 0) {
      const due = this.#barriers.filter(b => b.appends <= this.#settled);
      this.#barriers = this.#barriers.filter(b => b.appends > this.#settled);
      due.forEach(b => (b.error ? b.reject(b.error) : b.resolve()));
    }
  }

  #refuse(error: LogUnavailableError): void {
    this.#refusal = { error, until: Date.now() + this.#pauseMs };
  }

  #currentRefusal(): LogUnavailableError | undefined {
    const refusal = this.#refusal;
    return refusal && Date.now() < refusal.until ? refusal.error : undefined;
  }

  /** Reads up to the durable end. Returns whether nothing will come after it in this segment. */
  async *#readSegment(
    segment: Segment,
    first: number
  ): AsyncGenerator<LogRecord, boolean, undefined> {
    let { seq, offset } = segment.startFor(first);
    if (offset >= segment.end) {
      return segment.sealed;
    }
    const file = await this.disk.open(segment.path, 'read');
    try {
      // The durable end moves while records are read.
      while (offset < segment.end) {
        const to = segment.end;
        const range = { from: offset, to, seq, id: segment.id };
        for await (const found of scan(file, range)) {
          if (found.kind === 'damage') {
            this.#damaged.add(damageKey(segment, found.offset));
            continue;
          }
          segment.mark(found.seq, found.offset);
          seq = found.seq + 1;
          if (found.seq >= first) {
            const { header, body } = found;
            yield { seq: found.seq, header, body };
          }
        }
        offset = to;
      }
      // Looked at here and not by the caller: closing the file leaves time for more records.
      return segment.sealed;
    } finally {
      await file.close();
    }
  }
}

function encode(header: RecordHeader, body: Uint8Array): PendingRecord {
  const json = JSON.stringify(header);
  const headerLength = Buffer.byteLength(json);
  if (body.length > MAX_BODY_BYTES || headerLength > MAX_HEADER_BYTES) {
    throw new RangeError(
      `A record takes a body of at most ${MAX_BODY_BYTES} bytes and a header of at most ${MAX_HEADER_BYTES}, got ${body.length} and ${headerLength}.`
    );
  }
  const head = Buffer.allocUnsafe(FRAME_BYTES + headerLength);
  head.write(json, FRAME_BYTES);
  return { head, body, crc: payloadCrc(head.subarray(FRAME_BYTES), body) };
}

function closed(): LogUnavailableError {
  return new LogUnavailableError('closed', 'The event log is closed.');
}

function unavailable(error: unknown): LogUnavailableError {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return code === 'ENOSPC' || code === 'EDQUOT'
    ? new LogUnavailableError(
        'disk-full',
        'The disk of the event log is full; events are taken again as soon as there is space.',
        { cause: error }
      )
    : new LogUnavailableError(
        'flush-failed',
        `The event log could not write to its disk: ${error instanceof Error ? error.message : String(error)}`,
        { cause: error }
      );
}
