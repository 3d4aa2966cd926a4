/** Where a sink stands in the log: a small file that is replaced as a whole, durably. */
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { flushFolder } from '../log/disk.js';

/** A place in the log. */
export interface Position {
  /** Number of the next record to read. */
  seq: number;
  /** How many of that record's events have been confirmed already. */
  skip: number;
  /** How many events the record had then: with fewer left of them, nobody knows which were confirmed. */
  of?: number;
}

/** A sink's place, kept. */
export interface Cursor {
  position(): Position;
  /** Moves to `position`; resolves once that survives a power cut. Not for concurrent use. */
  move(position: Position): Promise<void>;
  /** What was wrong with the stored place, if it had to be given up for the log's start. */
  readonly problem: string | null;
}

/** What a cursor's file says: a place, and the destination that has everything before it. */
export interface Place extends Position {
  host?: string;
}

/** A cursor in a file. */
export interface FileCursor extends Cursor {
  /** What the file said when it was opened; null where there was none that makes sense. */
  readonly place: Place | null;
}

const START: Position = { seq: 1, skip: 0 };

/**
 * Opens the cursor file, which need not exist yet.
 *
 * A file that cannot be understood means the log's start: records may then arrive again,
 * which every sink must bear, but none is lost.
 *
 * @param host where the sink's destination is. A place that was kept for another host means the
 *   log's start, too: what has arrived there has not arrived here.
 */
export async function openCursor(
  file: string,
  host?: string
): Promise<FileCursor> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await flushFolder(dirname(dirname(file)));
  let position = START;
  let problem: string | null = null;
  let place: Place | null = null;
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return null;
    }
    throw error;
  });
  if (text !== null) {
    place = parse(text) ?? null;
    if (place && (host === undefined || place.host === host)) {
      const { seq, skip, of } = place;
      position = { seq, skip, ...(of === undefined ? {} : { of }) };
    }
    problem = place
      ? null
      : `${file}: expected {"seq": …, "skip": …}, got ${JSON.stringify(text.slice(0, 60))}; starting from the beginning of the log`;
  }
  return {
    problem,
    place,
    position: () => position,
    async move(next) {
      const { seq, skip, of } = next;
      await replace(file, `${JSON.stringify({ seq, skip, of, host })}\n`);
      position = next;
    }
  };
}

/** A cursor that starts anew with each process, for a sink that keeps its state in memory. */
export function memoryCursor(start: Position = START): Cursor {
  let position = start;
  return {
    problem: null,
    position: () => position,
    move(next) {
      position = next;
      return Promise.resolve();
    }
  };
}

async function replace(file: string, text: string): Promise<void> {
  const temporary = `${file}.tmp`;
  const handle = await open(temporary, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(temporary, file);
  await flushFolder(dirname(file));
}

function parse(text: string): Place | undefined {
  try {
    const value = JSON.parse(text) as Partial<Place> | null;
    return isCount(value?.seq) && value.seq >= 1 && isCount(value.skip)
      ? {
          seq: value.seq,
          skip: value.skip,
          ...(isCount(value.of) ? { of: value.of } : {}),
          ...(typeof value.host === 'string' ? { host: value.host } : {})
        }
      : undefined;
  } catch {
    return undefined;
  }
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
