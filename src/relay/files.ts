/** The data folder, and the small JSON files in it that are always replaced as a whole. */
import { randomUUID } from 'node:crypto';
import { mkdir, open, readFile, rename, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { flushFolder } from './log/disk.js';
import { acquireLock, LockedError, type Lock } from './log/lock.js';

/** Where things are in a data folder. */
export interface DataPaths {
  folder: string;
  log: string;
  /** Bodies that were acknowledged before they were judged, and up to where they are. */
  inbox: string;
  inboxPlace: string;
  cursors: string;
  deadLetters: string;
  courses: string;
  links: string;
  /** The id of this door in a shared log. */
  doorId: string;
  sessions: string;
  /** Keys of pseudonyms. */
  pseudonyms: string;
  /** Who is forgotten, and the jobs that make it so. */
  forget: string;
  audit: string;
  /** Where the relay listens, for the other commands. */
  address: string;
}

/** The places within the data folder `folder`. */
export function dataPaths(folder: string): DataPaths {
  return {
    folder,
    log: join(folder, 'log'),
    cursors: join(folder, 'cursors'),
    inbox: join(folder, 'inbox'),
    inboxPlace: join(folder, 'inbox.json'),
    deadLetters: join(folder, 'dead-letters.jsonl'),
    courses: join(folder, 'courses.json'),
    links: join(folder, 'links.json'),
    doorId: join(folder, 'door-id'),
    sessions: join(folder, 'sessions.json'),
    pseudonyms: join(folder, 'pseudonyms.json'),
    forget: join(folder, 'forget.json'),
    audit: join(folder, 'audit.jsonl'),
    address: join(folder, 'relay.json')
  };
}

/** Makes the data folder where it is missing, closed to other users. @throws Error that says what to do. */
export async function makeDataFolder(folder: string): Promise<DataPaths> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Error(
      `the data folder ${folder} cannot be made (${(error as NodeJS.ErrnoException).code}). Choose another one with --data.`,
      { cause: error }
    );
  }
  return dataPaths(folder);
}

/** Replaces `file` as a whole, durably and for the owner alone: a reader sees the old content or the new one. */
export async function writeFileWhole(
  file: string,
  content: string
): Promise<void> {
  const temporary = `${file}.${randomUUID()}.tmp`;
  try {
    const handle = await open(temporary, 'wx', 0o600);
    try {
      await handle.writeFile(content);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await flushFolder(dirname(file));
}

/** How long a change of a file waits for another process's change. */
const LOCK_PATIENCE_MS = 10_000;

/**
 * Changes a JSON file that several processes may change: reads it, lets `change` decide, and
 * writes what it returns; undefined leaves the file as it is.
 *
 * @param parse reads the content; it gets undefined where there is no file yet.
 */
export async function updateJson<T>(
  file: string,
  parse: (text: string | undefined) => T,
  change: (value: T) => T | undefined
): Promise<void> {
  const lock = await patientLock(`${file}.lock`);
  try {
    const next = change(parse(await readIfThere(file)));
    if (next !== undefined) {
      await writeFileWhole(file, `${JSON.stringify(next, null, 2)}\n`);
    }
  } finally {
    await lock.release();
  }
}

/** Does `work` while no other process that asks for the same file does its own. */
export async function locked<T>(
  file: string,
  work: () => Promise<T>
): Promise<T> {
  const lock = await patientLock(`${file}.lock`);
  try {
    return await work();
  } finally {
    await lock.release();
  }
}

/** The file's text; undefined where there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return undefined;
    }
    throw error;
  }
}

async function patientLock(file: string): Promise<Lock> {
  const deadline = Date.now() + LOCK_PATIENCE_MS;
  for (;;) {
    try {
      return await acquireLock(file);
    } catch (error) {
      if (!(error instanceof LockedError) || Date.now() > deadline) {
        throw error;
      }
      await pause(20 + Math.random() * 30);
    }
  }
}
