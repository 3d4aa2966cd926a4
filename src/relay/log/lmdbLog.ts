/** The event log in LMDB: a fallback, and what the segment log is compared with. Slower, and it leaves deleted bytes in the file until they are used again. */
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { crc32 } from 'node:zlib';
import { open, type Database, type RootDatabase } from 'lmdb';
import { nodeDisk } from './disk.js';
import { encode } from './encode.js';
import { FRAME_BYTES } from './format.js';
import { LmdbParts } from './lmdbParts.js';
import type { Lock } from './lock.js';
import type { SegmentLogOptions } from './segmentLog.js';
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
import { closed, unavailable } from './unavailable.js';

/** Name of the database's file. */
export const LMDB_FILE = 'log.mdb';
/** Bytes before a record's JSON header: CRC-32 of all that follows, number, length of the header. */
const PREFIX_BYTES = 16;
/** Bytes that are read, or written again, at once. */
const BATCH_BYTES = 1024 * 1024;

/** One entry as it is stored. */
interface Entry {
  key: number;
  value: Buffer;
}

/**
 * Opens the log in `dir`. A commit returns only after it is flushed.
 *
 * @throws LockedError if another process has it open.
 */
export async function openLmdbLog(
  options: Pick<SegmentLogOptions, 'dir' | 'segmentBytes' | 'startAt'>
): Promise<EventLog> {
  await nodeDisk.makeFolder(options.dir);
  const lock = await nodeDisk.lock(options.dir);
  try {
    const root = open({
      path: join(options.dir, LMDB_FILE),
      noSubdir: true,
      // A commit is then flushed before its promise resolves.
      overlappingSync: false,
      maxDbs: 4
    });
    await nodeDisk.flushFolder(options.dir);
    return new LmdbLog(root, lock, options);
  } catch (error) {
    await lock.release();
    throw error;
  }
}

class LmdbLog implements EventLog {
  readonly #records: Database<Buffer, number>;
  readonly #meta: Database<number, string>;
  readonly #parts: LmdbParts;
  readonly #listeners = new Set<(lastSeq: number) => void>();
  readonly #pending = new Set<Promise<number>>();
  readonly #damaged = new Set<number>();
  #next: number;
  #lastSeq: number;
  #edition = 0;
  #maintenance: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(
    private readonly root: RootDatabase,
    private readonly lock: Lock,
    {
      segmentBytes = 16 * 1024 * 1024,
      startAt = 1
    }: { segmentBytes?: number; startAt?: number }
  ) {
    this.#records = root.openDB({ name: 'records', encoding: 'binary' });
    this.#meta = root.openDB({ name: 'meta', encoding: 'json' });
    const [last = 0] = this.#records.getKeys({ reverse: true, limit: 1 });
    this.#lastSeq = last;
    this.#next = Math.max(last + 1, this.#meta.get('next') ?? 1, startAt);
    this.#parts = new LmdbParts(root, this.#records, segmentBytes, this.#next);
  }

  append(header: RecordHeader, body: Uint8Array): Promise<number> {
    if (this.#closing) {
      return Promise.reject(closed());
    }
    let value: Buffer;
    const seq = this.#next;
    try {
      value = valueOf(seq, header, body);
    } catch (error) {
      return Promise.reject(error as Error);
    }
    this.#next += 1;
    const appended = this.#put(seq, value);
    this.#pending.add(appended);
    const settled = (): void => void this.#pending.delete(appended);
    appended.then(settled, settled);
    return appended;
  }

  async #put(seq: number, value: Buffer): Promise<number> {
    try {
      this.#parts.add(seq, value.length);
      await this.#records.put(seq, value);
    } catch (error) {
      throw unavailable(causeOf(error));
    }
    this.#lastSeq = Math.max(this.#lastSeq, seq);
    for (const listener of this.#listeners) {
      try {
        listener(this.#lastSeq);
      } catch (error) {
        // A reader's mistake must not stop the appends.
        process.emitWarning(error as Error);
      }
    }
    return seq;
  }

  async flushed(): Promise<void> {
    await Promise.all(this.#pending);
  }

  async *read(seq: number): AsyncGenerator<LogRecord, void, undefined> {
    let next = Math.max(1, Math.trunc(seq) || 1);
    while (!this.#closing && next <= this.#lastSeq) {
      const edition = this.#edition;
      const batch = this.#batch(next, this.#lastSeq + 1);
      if (batch.length === 0) {
        return;
      }
      for (const { key, value } of batch) {
        if (this.#edition !== edition) {
          // What was taken out of the log is not given any more.
          break;
        }
        const record = recordOf(key, value);
        if (record) {
          yield record;
        } else {
          this.#damaged.add(key);
        }
        next = key + 1;
      }
      // Reading takes no time that others could use.
      await nextTurn();
    }
  }

  onDurable(listener: (lastSeq: number) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): LogStatus {
    const parts = this.#parts.list();
    const [first = 0] = this.#closing
      ? []
      : this.#records.getKeys({ limit: 1 });
    return {
      first: first <= this.#lastSeq ? first : 0,
      last: this.#lastSeq,
      next: this.#next,
      bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: parts.length,
      damaged: this.#damaged.size,
      tornBytes: 0,
      edition: this.#edition
    };
  }

  parts(): LogPart[] {
    return this.#parts.list();
  }

  release(below: number): Promise<Released> {
    return this.#maintain(async () => {
      const next = this.#next;
      const gone = this.#parts.releasable(below, next);
      const end = gone.at(-1)?.end;
      if (end === undefined) {
        return { segments: 0, bytes: 0 };
      }
      await this.root.transaction(() => {
        void this.#meta.put('next', next).catch(ignore);
        for (const key of this.#records.getKeys({ end })) {
          void this.#records.remove(key).catch(ignore);
        }
      });
      this.#parts.remove(gone.length);
      return {
        segments: gone.length,
        bytes: gone.reduce((sum, { bytes }) => sum + bytes, 0)
      };
    });
  }

  rewrite(
    change: (record: LogRecord) => Change | Promise<Change>,
    { from = 1, to = Infinity }: { from?: number; to?: number } = {},
    progress: (progress: RewriteProgress) => void = () => undefined
  ): Promise<Rewritten> {
    return this.#maintain(async () => {
      const end = Math.min(to, this.#lastSeq + 1);
      const total = this.status().bytes;
      const sum: Rewritten = { records: 0, changed: 0, dropped: 0, damaged: 0 };
      let bytes = 0;
      for (let next = Math.max(1, from); next < end;) {
        const batch = this.#batch(next, end);
        if (batch.length === 0) {
          break;
        }
        await this.#rewriteBatch(batch, change, sum);
        next = batch.at(-1)!.key + 1;
        bytes += batch.reduce((size, { value }) => size + value.length, 0);
        progress({ bytes, total });
        await nextTurn();
      }
      progress({ bytes: total, total });
      return sum;
    });
  }

  async #rewriteBatch(
    batch: readonly Entry[],
    change: (record: LogRecord) => Change | Promise<Change>,
    sum: Rewritten
  ): Promise<void> {
    const changes: { key: number; was: number; value: Buffer | undefined }[] =
      [];
    for (const { key, value } of batch) {
      if (this.#closing) {
        throw closed();
      }
      const record = recordOf(key, value);
      const decision = record ? await change(record) : 'drop';
      sum.records += record ? 1 : 0;
      if (decision === 'keep') {
        continue;
      }
      sum[!record ? 'damaged' : decision === 'drop' ? 'dropped' : 'changed'] +=
        1;
      changes.push({
        key,
        was: value.length,
        value:
          decision === 'drop'
            ? undefined
            : valueOf(key, decision.header, decision.body)
      });
    }
    if (changes.length === 0) {
      return;
    }
    try {
      await this.root.transaction(() => {
        void this.#meta.put('next', this.#next).catch(ignore);
        for (const { key, value } of changes) {
          void (
            value ? this.#records.put(key, value) : this.#records.remove(key)
          ).catch(ignore);
        }
      });
    } catch (error) {
      throw unavailable(causeOf(error));
    }
    this.#edition += 1;
    for (const { key, was, value } of changes) {
      this.#parts.adjust(key, (value?.length ?? 0) - was);
    }
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#maintenance;
      await Promise.allSettled(this.#pending);
      try {
        await this.root.close();
      } finally {
        await this.lock.release();
      }
    })();
    return this.#closing;
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

  /** Entries from `start` up to, not including, `end`; as many as make a megabyte, at least one. */
  #batch(start: number, end: number): Entry[] {
    const batch: Entry[] = [];
    let bytes = 0;
    for (const entry of this.#records.getRange({
      start,
      end,
      snapshot: false
    })) {
      batch.push(entry);
      bytes += entry.value.length;
      if (bytes >= BATCH_BYTES) {
        break;
      }
    }
    return batch;
  }
}

/** The transaction around it tells. */
function ignore(): void {}

/** A record as it is stored. */
function valueOf(seq: number, header: RecordHeader, body: Uint8Array): Buffer {
  const { head } = encode(header, body);
  const json = head.subarray(FRAME_BYTES);
  const value = Buffer.concat([Buffer.alloc(PREFIX_BYTES), json, body]);
  value.writeBigUInt64LE(BigInt(seq), 4);
  value.writeUInt32LE(json.length, 12);
  value.writeUInt32LE(crc32(value.subarray(4)), 0);
  return value;
}

/** The record that is stored so; undefined if it is damaged. */
export function recordOf(seq: number, value: Buffer): LogRecord | undefined {
  if (
    value.length < PREFIX_BYTES ||
    value.readUInt32LE(0) !== crc32(value.subarray(4)) ||
    Number(value.readBigUInt64LE(4)) !== seq
  ) {
    return undefined;
  }
  const bodyAt = PREFIX_BYTES + value.readUInt32LE(12);
  const header = JSON.parse(
    value.toString('utf8', PREFIX_BYTES, bodyAt)
  ) as RecordHeader;
  return { seq, header, body: value.subarray(bodyAt) };
}

/** What the system said, where LMDB says only that a commit failed. */
function causeOf(error: unknown): unknown {
  const { commitError } = error as { commitError?: unknown };
  const cause = (commitError ?? error) as { code?: unknown } | null;
  // LMDB hands on the system's number.
  return cause?.code === 28
    ? Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', cause })
    : cause;
}
