/** What no reader would take, kept with the reason: durable, each event once, to be looked at, put right and replayed. */
import { constants } from 'node:fs';
import { mkdir, open, rename, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { flushFolder } from '../log/disk.js';
import { withoutInherited } from '../wire/shapes.js';
import {
  passes,
  type LetterFilter,
  type StoredLetter
} from './letterFilter.js';
import {
  idOf,
  linesOf,
  type DeadLetter,
  type EvictedMark,
  type Settled,
  type SettledMark
} from './letterLines.js';

export type { LetterFilter, StoredLetter } from './letterFilter.js';
export type { DeadLetter, Settled } from './letterLines.js';

/** How many events are set aside, each counted once. */
export interface DeadLetterCounts {
  /** Open ones. */
  total: number;
  byCourse: Record<string, number>;
  byStage: Record<string, number>;
  /** Replayed or dropped, and still in the file. */
  settled: number;
  /** Oldest ones that the file had no room for any more. */
  evicted: number;
  bytes: number;
}

/** The file of events that were set aside. */
export interface DeadLetters {
  /**
   * Keeps the letters; resolves once they are on disk. One that is there already (same stage,
   * course and uuid, or the same event where there is no uuid) is kept once; one that was settled
   * before is open again.
   */
  put(letters: readonly DeadLetter[]): Promise<void>;
  /** The letters that the filter lets through, oldest first. */
  list(filter?: LetterFilter): Promise<StoredLetter[]>;
  /** Notes, durably, what became of open letters. @returns how many of them there were. */
  settle(ids: readonly string[], how: Settled): Promise<number>;
  /**
   * Lets `change` decide about every letter, settled ones included, and replaces the file as a
   * whole: afterwards what was dropped or changed is nowhere in it.
   */
  rewrite(
    change: (letter: StoredLetter) => 'keep' | 'drop' | DeadLetter
  ): Promise<{ letters: number; changed: number; dropped: number }>;
  counts(): DeadLetterCounts;
  /** Finishes what is being written. Idempotent. */
  close(): Promise<void>;
}

/** How the file is kept. */
export interface DeadLettersOptions {
  /** Largest size of the file, in bytes; beyond it the oldest letters go, and are counted. 256 MiB by default. */
  maxBytes?: number;
  /** Told of letters that had to go. */
  onEvicted?: (count: number) => void;
}

/** What is left of the file once it had to be made smaller, as a share of its largest size. */
const KEPT_SHARE = 0.8;

/** Opens the file, makes it where it is missing, and cuts off a line that a crash has torn. */
export async function openDeadLetters(
  file: string,
  options: DeadLettersOptions = {}
): Promise<DeadLetters> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const letters = new LetterFile(file, options);
  await letters.start();
  return letters;
}

/** What is kept in memory of a letter. */
interface Known {
  /** Where its latest line begins. */
  start: number;
  bytes: number;
  course: string;
  stage: string;
  state: StoredLetter['state'];
}

class LetterFile implements DeadLetters {
  /** By id, oldest first. */
  readonly #known = new Map<string, Known>();
  readonly #byCourse = new Map<string, number>();
  readonly #byStage = new Map<string, number>();
  /** Undefined after a failed write: the next one opens the file anew. */
  #handle: FileHandle | undefined;
  /** Where the next line goes: everything before it is durable. */
  #end = 0;
  #open = 0;
  #evicted = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(
    private readonly file: string,
    private readonly options: DeadLettersOptions
  ) {}

  async start(): Promise<void> {
    this.#handle = await openForWriting(this.file);
    await flushFolder(dirname(this.file));
    await this.#readAll();
    await this.#handle.truncate(this.#end);
  }

  put(letters: readonly DeadLetter[]): Promise<void> {
    return this.#inTurn(() => this.#put(letters));
  }

  list(filter: LetterFilter = {}): Promise<StoredLetter[]> {
    return this.#inTurn(async () => {
      const found: StoredLetter[] = [];
      const isWanted = passes(filter);
      for await (const letter of this.#letters()) {
        if (isWanted(letter)) {
          found.push(letter);
        }
      }
      return found;
    });
  }

  settle(ids: readonly string[], how: Settled): Promise<number> {
    return this.#inTurn(async () => {
      const open = [...new Set(ids)].filter(
        id => this.#known.get(id)?.state === 'open'
      );
      const at = new Date().toISOString();
      const marks = open.map((id): SettledMark => ({ mark: how, id, at }));
      await this.#append(marks);
      open.forEach(id => this.#settled(id, how));
      return open.length;
    });
  }

  rewrite(
    change: (letter: StoredLetter) => 'keep' | 'drop' | DeadLetter
  ): Promise<{ letters: number; changed: number; dropped: number }> {
    return this.#inTurn(() => this.#rewrite(change));
  }

  counts(): DeadLetterCounts {
    return {
      total: this.#open,
      byCourse: withoutInherited(Object.fromEntries(this.#byCourse)),
      byStage: Object.fromEntries(this.#byStage),
      settled: this.#known.size - this.#open,
      evicted: this.#evicted,
      bytes: this.#end
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  #inTurn<T>(act: () => Promise<T>): Promise<T> {
    const done = this.#tail.then(act);
    // The next one does not depend on how this one ends.
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async #put(letters: readonly DeadLetter[]): Promise<void> {
    const fresh = new Map<string, DeadLetter>();
    for (const letter of letters) {
      const id = idOf(letter);
      if (this.#known.get(id)?.state !== 'open') {
        fresh.set(id, fresh.get(id) ?? letter);
      }
    }
    const places = await this.#append([...fresh.values()]);
    [...fresh].forEach(([id, letter], index) =>
      this.#opened(id, letter, places[index]!)
    );
    if (this.#end > this.#maxBytes && fresh.size > 0) {
      // The letters are safe; that there is little room is no reason to refuse them.
      await this.#makeRoom().catch(() => undefined);
    }
  }

  /** Appends lines, durably. @returns where each begins, and its size. */
  async #append(
    values: readonly (DeadLetter | SettledMark)[]
  ): Promise<{ start: number; bytes: number }[]> {
    if (this.#closed) {
      throw new Error(`${this.file} is closed.`);
    }
    if (values.length === 0) {
      return [];
    }
    const lines = values.map(value =>
      Buffer.from(`${JSON.stringify(value)}\n`)
    );
    const handle = (this.#handle ??= await openForWriting(this.file));
    try {
      await writeAll(handle, Buffer.concat(lines), this.#end);
      await handle.datasync();
    } catch (error) {
      // What was written is cut off or written over by the next one; this handle's flush is not tried again.
      this.#handle = undefined;
      await handle.truncate(this.#end).catch(() => undefined);
      await handle.close().catch(() => undefined);
      throw error;
    }
    return lines.map(({ length }) => {
      const start = this.#end;
      this.#end += length;
      return { start, bytes: length };
    });
  }

  /** Takes the settled letters out of the file, and the oldest open ones where that is not enough. */
  async #makeRoom(): Promise<void> {
    let bytes = 0;
    for (const { state, bytes: size } of this.#known.values()) {
      bytes += state === 'open' ? size : 0;
    }
    const gone = new Set<string>();
    for (const [id, { state, bytes: size }] of this.#known) {
      if (bytes <= this.#maxBytes * KEPT_SHARE) {
        break;
      }
      if (state === 'open') {
        gone.add(id);
        bytes -= size;
      }
    }
    await this.#rewrite(
      ({ id, state }) => (state === 'open' && !gone.has(id) ? 'keep' : 'drop'),
      gone.size
    );
    if (gone.size > 0) {
      this.options.onEvicted?.(gone.size);
    }
  }

  async #rewrite(
    change: (letter: StoredLetter) => 'keep' | 'drop' | DeadLetter,
    evicted = 0
  ): Promise<{ letters: number; changed: number; dropped: number }> {
    if (this.#closed) {
      throw new Error(`${this.file} is closed.`);
    }
    const done = { letters: 0, changed: 0, dropped: 0 };
    const temporary = `${this.file}.new`;
    const target = await open(temporary, 'w', 0o600);
    try {
      const write = (value: DeadLetter | SettledMark | EvictedMark) =>
        target.write(`${JSON.stringify(value)}\n`);
      const count = this.#evicted + evicted;
      if (count > 0) {
        await write({ mark: 'evicted', count });
      }
      for await (const letter of this.#letters()) {
        done.letters += 1;
        const decided = change(letter);
        if (decided === 'drop') {
          done.dropped += 1;
          continue;
        }
        const { id: _id, state, ...kept } = letter;
        const next = decided === 'keep' ? kept : decided;
        done.changed += decided === 'keep' ? 0 : 1;
        await write(next);
        if (state !== 'open') {
          const at = new Date().toISOString();
          await write({ mark: state, id: idOf(next), at });
        }
      }
      await target.datasync();
    } finally {
      await target.close();
    }
    await this.#handle?.close();
    this.#handle = undefined;
    await rename(temporary, this.file);
    await flushFolder(dirname(this.file));
    await this.#readAll();
    return done;
  }

  /** Every letter by its latest line. */
  async *#letters(): AsyncGenerator<StoredLetter> {
    for await (const { letter, start } of linesOf(this.file, this.#end)) {
      const id = letter && idOf(letter);
      const known = id && this.#known.get(id);
      if (known && known.start === start) {
        yield { ...letter, id, state: known.state };
      }
    }
  }

  /** Learns what is in the file. */
  async #readAll(): Promise<void> {
    this.#known.clear();
    this.#byCourse.clear();
    this.#byStage.clear();
    this.#open = 0;
    this.#evicted = 0;
    this.#end = 0;
    for await (const line of linesOf(this.file, Infinity)) {
      const { letter, mark, start, end } = line;
      this.#end = end;
      if (letter) {
        const id = idOf(letter);
        if (this.#known.get(id)?.state !== 'open') {
          this.#opened(id, letter, { start, bytes: end - start });
        }
      } else if (mark?.mark === 'evicted') {
        this.#evicted = mark.count;
      } else if (mark && this.#known.get(mark.id)?.state === 'open') {
        this.#settled(mark.id, mark.mark);
      }
    }
  }

  #opened(
    id: string,
    { course, stage }: DeadLetter,
    place: { start: number; bytes: number }
  ): void {
    // One that comes again is the youngest.
    this.#known.delete(id);
    this.#known.set(id, { ...place, course, stage, state: 'open' });
    this.#open += 1;
    add(this.#byCourse, course, 1);
    add(this.#byStage, stage, 1);
  }

  #settled(id: string, how: Settled): void {
    const known = this.#known.get(id)!;
    known.state = how;
    this.#open -= 1;
    add(this.#byCourse, known.course, -1);
    add(this.#byStage, known.stage, -1);
  }

  get #maxBytes(): number {
    return this.options.maxBytes ?? 256 * 1024 * 1024;
  }
}

function openForWriting(file: string): Promise<FileHandle> {
  return open(file, constants.O_RDWR | constants.O_CREAT, 0o600);
}

async function writeAll(
  handle: FileHandle,
  bytes: Buffer,
  position: number
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesWritten } = await handle.write(
      bytes,
      done,
      bytes.length - done,
      position + done
    );
    done += bytesWritten;
  }
}

function add(counts: Map<string, number>, key: string, by: number): void {
  const count = (counts.get(key) ?? 0) + by;
  if (count > 0) {
    counts.set(key, count);
  } else {
    counts.delete(key);
  }
}
