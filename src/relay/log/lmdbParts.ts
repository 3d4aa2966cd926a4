/** Divides the records of an LMDB log into parts of about equal size, for `release`. */
import type { Database, RootDatabase } from 'lmdb';
import type { LogPart } from './types.js';

/** The parts of a log. Those that are full are kept in a table; the last one is counted at start. */
export class LmdbParts {
  readonly #table: Database<number, number>;
  readonly #parts: LogPart[] = [];

  constructor(
    root: RootDatabase,
    records: Database<Buffer, number>,
    private readonly partBytes: number,
    next: number
  ) {
    this.#table = root.openDB({ name: 'parts', encoding: 'json' });
    for (const { key, value } of this.#table.getRange({})) {
      this.#parts.push({ first: key, bytes: value });
    }
    const last = this.#parts.at(-1);
    if (last) {
      last.bytes = 0;
      for (const { value } of records.getRange({ start: last.first })) {
        last.bytes += value.length;
      }
    } else {
      const [first = next] = records.getKeys({ limit: 1 });
      this.#begin(first);
    }
  }

  list(): LogPart[] {
    return this.#parts.map(part => ({ ...part }));
  }

  /** Counts a new record, which may begin a new part. */
  add(seq: number, bytes: number): void {
    let part = this.#parts.at(-1)!;
    if (part.bytes >= this.partBytes) {
      this.#keep(part);
      part = this.#begin(seq);
    }
    part.bytes += bytes;
  }

  /** Counts that record `seq` became longer by `bytes`. */
  adjust(seq: number, bytes: number): void {
    let index = this.#parts.length - 1;
    while (index > 0 && this.#parts[index]!.first > seq) {
      index -= 1;
    }
    const part = this.#parts[index]!;
    part.bytes += bytes;
    this.#keep(part);
  }

  /** Parts that hold only numbers below `below`, and where each ends. */
  releasable(below: number, next: number): (LogPart & { end: number })[] {
    const last = this.#parts.at(-1)!;
    if (next <= below && last.bytes > 0) {
      this.#begin(next);
    }
    return this.#parts
      .slice(0, -1)
      .map((part, index) => ({ ...part, end: this.#parts[index + 1]!.first }))
      .filter(({ end }) => end <= below);
  }

  /** Forgets the oldest parts. */
  remove(count: number): void {
    for (const { first } of this.#parts.splice(0, count)) {
      this.#table.remove(first).catch(ignore);
    }
  }

  #begin(first: number): LogPart {
    const part = { first, bytes: 0 };
    this.#parts.push(part);
    this.#keep(part);
    return part;
  }

  #keep({ first, bytes }: LogPart): void {
    this.#table.put(first, bytes).catch(ignore);
  }
}

/** Sizes only say what `release` may give back: one that is not kept is no loss. */
function ignore(): void {}
