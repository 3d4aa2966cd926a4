/** What no reader will ever take, kept with the reason: one JSON object a line, durable, each event once. */
import { createHash } from 'node:crypto';
import { constants, createReadStream } from 'node:fs';
import { mkdir, open, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { flushFolder } from '../log/disk.js';

/** An event that was set aside. */
export interface DeadLetter {
  /** When it was set aside, ISO 8601 UTC. */
  at: string;
  course: string;
  /** Who set it aside: `door`, or the name of the sink whose destination refused it. */
  stage: string;
  /** Stable, for programs. */
  code: string;
  /** In words. */
  reason: string;
  uuid: string | null;
  /** The event as that stage had it. */
  event: unknown;
}

/** How many events were set aside, each counted once. */
export interface DeadLetterCounts {
  total: number;
  byCourse: Record<string, number>;
  byStage: Record<string, number>;
}

const NEWLINE = 0x0a;

/** The file of events that were set aside. */
export interface DeadLetters {
  /**
   * Keeps the letters; resolves once they are on disk. One that is there already (same stage,
   * course and uuid, or the same event where there is no uuid) is kept once.
   */
  put(letters: readonly DeadLetter[]): Promise<void>;
  /** All letters, in order. */
  list(): Promise<DeadLetter[]>;
  counts(): DeadLetterCounts;
  /** Finishes what is being written. Idempotent. */
  close(): Promise<void>;
}

/** Opens the file, makes it where it is missing, and cuts off a line that a crash has torn. */
export async function openDeadLetters(file: string): Promise<DeadLetters> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const letters = new LetterFile(file);
  await letters.start();
  return letters;
}

class LetterFile implements DeadLetters {
  /** Keys of the letters in the file. */
  readonly #known = new Set<string>();
  readonly #byCourse = new Map<string, number>();
  readonly #byStage = new Map<string, number>();
  /** Undefined after a failed write: the next one opens the file anew. */
  #handle: FileHandle | undefined;
  /** Where the next line goes: everything before it is durable. */
  #end = 0;
  #tail: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(private readonly file: string) {}

  async start(): Promise<void> {
    this.#handle = await openForWriting(this.file);
    await flushFolder(dirname(this.file));
    for await (const { letter, end } of this.#lines(Infinity)) {
      this.#end = end;
      if (letter) {
        this.#count(letter);
      }
    }
    await this.#handle.truncate(this.#end);
  }

  put(letters: readonly DeadLetter[]): Promise<void> {
    const done = this.#tail.then(() => this.#write(letters));
    // The next write does not depend on how this one ends.
    this.#tail = done.catch(() => undefined);
    return done;
  }

  async list(): Promise<DeadLetter[]> {
    const found = new Map<string, DeadLetter>();
    for await (const { letter } of this.#lines(this.#end)) {
      if (letter) {
        const key = keyOf(letter);
        found.set(key, found.get(key) ?? letter);
      }
    }
    return [...found.values()];
  }

  counts(): DeadLetterCounts {
    return {
      total: this.#known.size,
      byCourse: Object.fromEntries(this.#byCourse),
      byStage: Object.fromEntries(this.#byStage)
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  async #write(letters: readonly DeadLetter[]): Promise<void> {
    if (this.#closed) {
      throw new Error(`${this.file} is closed.`);
    }
    const fresh = new Map<string, DeadLetter>();
    for (const letter of letters) {
      const key = keyOf(letter);
      if (!this.#known.has(key)) {
        fresh.set(key, letter);
      }
    }
    if (fresh.size === 0) {
      return;
    }
    const bytes = Buffer.from(
      [...fresh.values()].map(letter => `${JSON.stringify(letter)}\n`).join('')
    );
    const handle = (this.#handle ??= await openForWriting(this.file));
    try {
      await writeAll(handle, bytes, this.#end);
      await handle.datasync();
    } catch (error) {
      // What was written is cut off or written over by the next one; this handle's flush is not tried again.
      this.#handle = undefined;
      await handle.truncate(this.#end).catch(() => undefined);
      await handle.close().catch(() => undefined);
      throw error;
    }
    this.#end += bytes.length;
    fresh.forEach(letter => this.#count(letter));
  }

  #count(letter: DeadLetter): void {
    const key = keyOf(letter);
    if (!this.#known.has(key)) {
      this.#known.add(key);
      add(this.#byCourse, letter.course);
      add(this.#byStage, letter.stage);
    }
  }

  /** The file's whole lines before `end`; a line that is no letter has none. */
  async *#lines(
    end: number
  ): AsyncGenerator<{ letter: DeadLetter | undefined; end: number }> {
    if (end === 0) {
      return;
    }
    let pending: Buffer[] = [];
    let at = 0;
    const stream = createReadStream(this.file, {
      end: end - 1,
      highWaterMark: 1024 * 1024
    });
    for await (const chunk of stream) {
      let rest = chunk as Buffer;
      for (
        let stop = rest.indexOf(NEWLINE);
        stop >= 0;
        stop = rest.indexOf(NEWLINE)
      ) {
        const line = Buffer.concat([...pending, rest.subarray(0, stop)]);
        pending = [];
        rest = rest.subarray(stop + 1);
        at += line.length + 1;
        yield { letter: parse(line.toString('utf8')), end: at };
      }
      pending.push(rest);
    }
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

function keyOf({ stage, course, uuid, event }: DeadLetter): string {
  const what =
    uuid ??
    createHash('sha256')
      .update(JSON.stringify(event) ?? '')
      .digest('base64');
  return JSON.stringify([stage, course, what]);
}

function add(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function parse(line: string): DeadLetter | undefined {
  try {
    const value = JSON.parse(line) as Partial<DeadLetter> | null;
    return typeof value?.stage === 'string' && typeof value.course === 'string'
      ? (value as DeadLetter)
      : undefined;
  } catch {
    return undefined;
  }
}
