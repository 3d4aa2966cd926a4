/**
 * A disk in memory that knows what a power cut takes: bytes and names that were not flushed
 * may be there afterwards, in part, in any order, or not at all.
 */
import type { Disk, LogFile } from '../../../src/relay/log/disk.js';

/** A small generator of reproducible numbers. */
export class Dice {
  constructor(private state: number) {}

  /** From 0 up to, not including, 1. */
  roll(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return this.state / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.roll() * limit);
  }

  chance(share: number): boolean {
    return this.roll() < share;
  }
}

type Change =
  | { kind: 'write'; at: number; bytes: Buffer }
  | { kind: 'truncate'; length: number };

/** Smallest unit that a power cut keeps or loses. */
const SECTOR = 64;

class Content {
  /** As programs see it. */
  seen: Buffer = Buffer.alloc(0);
  /** As the last good flush left it. */
  kept: Buffer = Buffer.alloc(0);
  /** Since then. */
  changes: Change[] = [];

  write(at: number, bytes: Buffer): void {
    this.seen = patched(this.seen, at, bytes);
    this.changes.push({ kind: 'write', at, bytes: Buffer.from(bytes) });
  }

  truncate(length: number): void {
    this.seen = resized(this.seen, length);
    this.changes.push({ kind: 'truncate', length });
  }

  flush(): void {
    for (const change of this.changes) {
      this.kept =
        change.kind === 'write'
          ? patched(this.kept, change.at, change.bytes)
          : resized(this.kept, change.length);
    }
    this.changes = [];
  }

  /** A flush that failed: the system takes the pages for clean, and a later flush does not write them. */
  failFlush(dice: Dice): void {
    this.kept = this.afterCut(dice);
    this.changes = [];
  }

  afterCut(dice: Dice): Buffer {
    let left = this.kept;
    for (const change of this.changes) {
      if (change.kind === 'truncate') {
        left = dice.chance(0.5) ? resized(left, change.length) : left;
        continue;
      }
      const { at, bytes } = change;
      for (let from = 0; from < bytes.length; from += SECTOR) {
        if (dice.chance(0.5)) {
          const sector = bytes.subarray(from, from + SECTOR);
          left = patched(left, at + from, sector);
        }
      }
      // The length may be there before the bytes are.
      if (dice.chance(0.3)) {
        left = resized(left, Math.max(left.length, at + bytes.length));
      }
    }
    return left;
  }
}

type NameChange = (names: Map<string, Content>) => void;

/** What goes wrong, and when. */
export interface Trouble {
  /** Number of the operation during which the process ends; none by default. */
  endsAt?: number;
  /** Whether a flush fails. */
  flushFails?: () => boolean;
  /** Whether a write finds the disk full, having written a part. */
  full?: () => boolean;
}

/** The disk. After its end every operation hangs, as for a process that is no more. */
export class ModelDisk implements Disk {
  trouble: Trouble = {};
  /** Calls so far. */
  operations = 0;
  /** Resolves at the end. */
  readonly ended: Promise<void>;
  #end!: () => void;
  #dead = false;
  #names = new Map<string, Content>();
  #keptNames = new Map<string, Content>();
  #nameChanges: NameChange[] = [];

  constructor(private readonly dice: Dice) {
    this.ended = new Promise(resolve => (this.#end = resolve));
  }

  /** The disk as the next process finds it: after a power cut, or after a kill that left the cache. */
  next(how: 'power cut' | 'kill'): ModelDisk {
    const disk = new ModelDisk(this.dice);
    if (how === 'kill') {
      disk.#names = new Map(this.#names);
      disk.#keptNames = new Map(this.#keptNames);
      disk.#nameChanges = [...this.#nameChanges];
      return disk;
    }
    const names = new Map(this.#keptNames);
    for (const change of this.#nameChanges) {
      if (this.dice.chance(0.5)) {
        change(names);
      }
    }
    for (const content of new Set(names.values())) {
      content.kept = content.afterCut(this.dice);
      content.seen = content.kept;
      content.changes = [];
    }
    disk.#names = names;
    disk.#keptNames = new Map(names);
    return disk;
  }

  makeFolder(): Promise<void> {
    return Promise.resolve();
  }

  lock(): Promise<{ release(): Promise<void> }> {
    return Promise.resolve({ release: () => Promise.resolve() });
  }

  list(folder: string): Promise<string[]> {
    return this.#do(() =>
      [...this.#names.keys()].map(path => path.slice(folder.length + 1))
    );
  }

  create(path: string): Promise<LogFile> {
    return this.#do(() => {
      if (this.#names.has(path)) {
        throw failure('EEXIST');
      }
      const content = new Content();
      this.#rename(names => names.set(path, content));
      return this.#file(content);
    });
  }

  open(path: string): Promise<LogFile> {
    return this.#do(() => this.#file(this.#content(path)));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#do(() => {
      const content = this.#content(from);
      this.#rename(names => {
        // Lost the making of the name: then there is nothing to rename either.
        if (names.get(from) === content) {
          names.delete(from);
          names.set(to, content);
        }
      });
    });
  }

  remove(path: string): Promise<void> {
    return this.#do(() => {
      const content = this.#content(path);
      this.#rename(names => {
        if (names.get(path) === content) {
          names.delete(path);
        }
      });
    });
  }

  flushFolder(): Promise<void> {
    return this.#do(() => {
      this.#keptNames = new Map(this.#names);
      this.#nameChanges = [];
    });
  }

  #file(content: Content): LogFile {
    return {
      write: (buffers, position) => {
        const bytes = Buffer.concat(buffers);
        return this.#do(
          () => {
            if (this.trouble.full?.()) {
              const part = this.dice.below(bytes.length);
              content.write(position, bytes.subarray(0, part));
              throw failure('ENOSPC');
            }
            content.write(position, bytes);
          },
          // The end may come in the middle of a write.
          () =>
            content.write(
              position,
              bytes.subarray(0, this.dice.below(bytes.length + 1))
            )
        );
      },
      read: (target, position) =>
        this.#do(() => content.seen.copy(target, 0, position)),
      flush: () =>
        this.#do(() => {
          if (this.trouble.flushFails?.()) {
            content.failFlush(this.dice);
            throw failure('EIO');
          }
          content.flush();
        }),
      truncate: length => this.#do(() => content.truncate(length)),
      size: () => this.#do(() => content.seen.length),
      close: () => this.#do(() => undefined)
    };
  }

  #content(path: string): Content {
    const content = this.#names.get(path);
    if (!content) {
      throw failure('ENOENT');
    }
    return content;
  }

  #rename(change: NameChange): void {
    change(this.#names);
    this.#nameChanges.push(change);
  }

  /** Runs one operation a little later, unless the end comes first; `partly` is what is then done of it. */
  async #do<T>(action: () => T, partly?: () => void): Promise<T> {
    // Mostly at once, at times much later: what runs side by side meets in every order.
    for (let turns = this.#delay(); turns > 0; turns -= 1) {
      await new Promise(resolve => setImmediate(resolve));
    }
    if (!this.#dead) {
      this.operations += 1;
      if (this.operations === this.trouble.endsAt) {
        partly?.();
        this.stop();
      }
    }
    if (this.#dead) {
      return new Promise<T>(() => undefined);
    }
    return action();
  }

  #delay(): number {
    return this.dice.chance(0.7) ? 0 : this.dice.below(12);
  }

  /** Ends it now. */
  stop(): void {
    this.#dead = true;
    this.#end();
  }
}

function patched(content: Buffer, at: number, bytes: Buffer): Buffer {
  const result = resized(content, Math.max(content.length, at + bytes.length));
  bytes.copy(result, at);
  return result;
}

/** A copy of that length, padded with zeros. */
function resized(content: Buffer, length: number): Buffer {
  const result = Buffer.alloc(length);
  content.copy(result);
  return result;
}

function failure(code: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: model disk`), { code });
}
