/** The durable event log on local disk: group commit into segments, readers beside it. */
import { Appender } from './appender.js';
import { nodeDisk, type Disk } from './disk.js';
import { encode, type PendingRecord } from './encode.js';
import { removeLengths, writeLengths } from './lengths.js';
import type { Lock } from './lock.js';
import { Reader } from './reader.js';
import { recover, type Recovered } from './recovery.js';
import { releaseSegments, rewriteSegments } from './maintenance.js';
import type { Segment } from './segment.js';
import type {
  Change,
  EventLog,
  LogPart,
  LogRecord,
  LogStatus,
  RecordHeader,
  Released,
  RewriteProgress,
  Rewritten
} from './types.js';
import { closed, Refusal, unavailable } from './unavailable.js';

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

interface Rotation {
  resolve: () => void;
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
  readonly #refusal: Refusal;
  readonly #reader: Reader;
  #queue: Waiting[] = [];
  #rotations: Rotation[] = [];
  #maintenance: Promise<unknown> = Promise.resolve();
  #barriers: Barrier[] = [];
  #accepted = 0;
  #settled = 0;
  #lastSeq: number;
  #edition = 0;
  #pump: Promise<void> | undefined;
  #closing: Promise<void> | undefined;

  constructor(
    private readonly disk: Disk,
    private readonly lock: Lock,
    private readonly recovered: Recovered,
    private readonly appender: Appender,
    private readonly options: SegmentLogOptions
  ) {
    this.#segments = recovered.segments;
    this.#damaged = new Set(recovered.damaged);
    this.#reader = new Reader(disk, this.#segments, key =>
      this.#damaged.add(key)
    );
    this.#lastSeq = recovered.lastSeq;
    this.#groupBytes = options.segmentBytes ?? 16 * 1024 * 1024;
    this.#refusal = new Refusal(options.pauseMs ?? 200);
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
      this.#refusal.begin(refusal);
    }
    await this.#writeLengths(this.#segments.filter(({ sealed }) => sealed));
  }

  append(header: RecordHeader, body: Uint8Array): Promise<number> {
    return new Promise((resolve, reject) => {
      const error = this.#closing ? closed() : this.#refusal.current();
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

  read(seq: number): AsyncIterable<LogRecord> {
    return this.#reader.read(Math.max(1, Math.trunc(seq) || 1));
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
      tornBytes: this.recovered.tornBytes,
      edition: this.#edition
    };
  }

  parts(): LogPart[] {
    return this.#segments.map(({ firstSeq, end }) => ({
      first: firstSeq,
      bytes: end
    }));
  }

  release(below: number): Promise<Released> {
    return this.#maintain(async () => {
      if (this.appender.nextSeq <= below) {
        // On a full disk there may be no room for a new one; what is older can go all the same.
        await this.#rotate().catch(() => undefined);
      }
      const oldest = this.#segments[1]?.firstSeq ?? Infinity;
      return oldest > below
        ? { segments: 0, bytes: 0 }
        : this.#changing(() =>
            releaseSegments(this.disk, this.options.dir, this.#segments, below)
          );
    });
  }

  rewrite(
    change: (record: LogRecord) => Change | Promise<Change>,
    { from = 1, to = Infinity }: { from?: number; to?: number } = {},
    progress?: (progress: RewriteProgress) => void
  ): Promise<Rewritten> {
    return this.#maintain(async () => {
      // The name of the new segment keeps the numbers of dropped records from being given out again.
      await this.#rotate();
      const decider = {
        from,
        to: Math.min(to, this.appender.nextSeq),
        change: (record: LogRecord) => {
          if (this.#closing) {
            throw closed();
          }
          return change(record);
        }
      };
      return this.#changing(() =>
        rewriteSegments(
          this.disk,
          this.options.dir,
          this.#segments,
          decider,
          progress,
          () => (this.#edition += 1)
        )
      );
    });
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#maintenance;
      await this.#pump;
      try {
        await this.appender.stop();
        await this.#maintenance;
        await this.#writeLengths(this.#segments);
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
    while (this.#queue.length > 0 || this.#rotations.length > 0) {
      await this.#runRotations();
      const group = this.#takeGroup();
      if (group.length === 0) {
        continue;
      }
      const refusal = this.#refusal.current();
      if (refusal) {
        this.#settle(group, refusal);
        continue;
      }
      const hadSegment = this.appender.open;
      try {
        const segments = this.#segments.length;
        const { firstSeq, lastSeq } = await this.appender.commit(group);
        if (this.#segments.length > segments) {
          this.#noteLengths();
        }
        this.#lastSeq = lastSeq;
        group.forEach((waiting, index) => waiting.resolve(firstSeq + index));
        this.#settle(group, undefined);
        this.#announce(lastSeq);
      } catch (error) {
        const reason = unavailable(error);
        // One bad segment is left behind at once; a disk that takes no new one gets a pause.
        if (!hadSegment || reason.code === 'disk-full') {
          this.#refusal.begin(reason);
        }
        this.#settle(group, reason);
      }
    }
    this.#pump = undefined;
  }

  /** Runs one task after another, none beside another one. */
  #maintain<T>(task: () => Promise<T>): Promise<T> {
    const result = this.#maintenance.then(() => {
      if (this.#closing) {
        throw closed();
      }
      return task();
    });
    this.#maintenance = result.catch(() => undefined);
    return result;
  }

  /** Runs a task that makes segments shorter; meanwhile nothing says how long they are to be. */
  async #changing<T>(task: () => Promise<T>): Promise<T> {
    await removeLengths(this.disk, this.options.dir);
    try {
      return await task();
    } finally {
      await this.#writeLengths(this.#segments.filter(({ sealed }) => sealed));
    }
  }

  /** Notes the lengths of the finished segments, once nothing else is at work on them. */
  #noteLengths(): void {
    this.#maintenance = this.#maintenance.then(() =>
      this.#writeLengths(this.#segments.filter(({ sealed }) => sealed))
    );
  }

  /** Without the note less damage would be noticed, and nothing else: it holds up nobody. */
  async #writeLengths(finished: readonly Segment[]): Promise<void> {
    const lengths = new Map(
      finished
        .filter(({ empty }) => !empty)
        .map(({ firstSeq, end }) => [firstSeq, end])
    );
    await writeLengths(this.disk, this.options.dir, lengths).catch(
      () => undefined
    );
  }

  /** Begins a new segment, between two groups. */
  #rotate(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#rotations.push({ resolve, reject });
      this.#pump ??= this.#run();
    });
  }

  async #runRotations(): Promise<void> {
    for (const { resolve, reject } of this.#rotations.splice(0)) {
      await this.appender
        .rotate()
        .then(resolve, (error: unknown) => reject(unavailable(error)));
    }
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
}
