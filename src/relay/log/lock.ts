/** One process per folder: a lock file that says who holds it, and that a dead holder's successor takes over. */
import { randomUUID } from 'node:crypto';
import {
  link,
  mkdir,
  readFile,
  readlink,
  rmdir,
  stat,
  unlink,
  utimes,
  writeFile
} from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lock that is held. */
export interface Lock {
  /** Gives it up. Idempotent. */
  release(): Promise<void>;
}

/** Raised where another living process holds the lock. */
export class LockedError extends Error {
  readonly code = 'locked';

  constructor(file: string, holder: string) {
    super(
      `${file} is held by ${holder}. Stop that process first, or choose another folder.`
    );
    this.name = 'LockedError';
  }
}

/** Times of the lock, in milliseconds. */
export interface LockTimes {
  /** How often the holder touches the file. */
  beatMs: number;
  /** Age from which a holder that cannot be looked up counts as dead. */
  staleMs: number;
}

const TIMES: LockTimes = { beatMs: 5_000, staleMs: 15_000 };

/** Who holds a lock, such that a reused process id is not taken for the holder. */
interface Holder {
  pid: number;
  /** Start time of the process in clock ticks; null where the system does not tell. */
  started: string | null;
  /** Boot and process namespace; process ids mean something within one of these only. */
  world: string | null;
  nonce: string;
}

/**
 * Takes the lock `file`.
 *
 * A holder in this system is looked up by process id and start time. One that cannot be
 * looked up (another container on the same volume, an earlier boot) counts as dead when
 * it has not touched the file for 15 seconds; that is waited for.
 *
 * @throws LockedError if a living process holds it.
 */
export async function acquireLock(
  file: string,
  times: LockTimes = TIMES
): Promise<Lock> {
  const mine: Holder = {
    pid: process.pid,
    started: await startOf(process.pid),
    world: await worldOfThisProcess(),
    nonce: randomUUID()
  };
  const text = JSON.stringify(mine);
  const deadline = Date.now() + times.staleMs + times.beatMs;
  while (!(await put(file, text))) {
    const found = await content(file);
    if (found === null) {
      continue;
    }
    const holder = parse(found);
    const age = Date.now() - (await modified(file));
    const state = await stateOf(holder, mine, age, times.staleMs);
    if (state === 'dead' && (await bury(file, found, times.staleMs))) {
      continue;
    }
    if (state === 'alive' || Date.now() > deadline) {
      throw new LockedError(file, `process ${holder?.pid ?? 'unknown'}`);
    }
    await sleep(Math.min(state === 'dead' ? 10 : 250, times.beatMs));
  }
  return hold(file, text, times.beatMs);
}

function hold(file: string, text: string, beatMs: number): Lock {
  const beat = setInterval(() => {
    const now = new Date();
    utimes(file, now, now).catch(() => undefined);
  }, beatMs);
  beat.unref();
  let released: Promise<void> | undefined;
  return {
    release() {
      released ??= (async () => {
        clearInterval(beat);
        if ((await content(file)) === text) {
          await unlink(file).catch(() => undefined);
        }
      })();
      return released;
    }
  };
}

/**
 * Removes the lock of a dead holder, which `judged` is the content of; false if somebody else
 * is at it. One at a time: another successor's new lock could be taken for the old one.
 */
async function bury(
  file: string,
  judged: string,
  staleMs: number
): Promise<boolean> {
  const turn = `${file}.takeover`;
  try {
    await mkdir(turn);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw error;
    }
    // Whoever made it was killed in the middle.
    if (Date.now() - (await modified(turn)) > staleMs) {
      await rmdir(turn).catch(() => undefined);
    }
    return false;
  }
  try {
    if ((await content(file)) === judged) {
      await unlink(file);
    }
  } finally {
    await rmdir(turn);
  }
  return true;
}

/** Makes the file with its content in one step; false if there is one. */
async function put(file: string, text: string): Promise<boolean> {
  const own = `${file}.${randomUUID()}`;
  await writeFile(own, text, { mode: 0o600 });
  try {
    await link(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') {
      return false;
    }
    throw error;
  } finally {
    await unlink(own).catch(() => undefined);
  }
}

async function stateOf(
  holder: Holder | null,
  mine: Holder,
  ageMs: number,
  staleMs: number
): Promise<'alive' | 'dead' | 'unknown'> {
  if (!holder) {
    return 'dead';
  }
  if (holder.world !== mine.world) {
    return ageMs > staleMs ? 'dead' : 'unknown';
  }
  if (!exists(holder.pid)) {
    return 'dead';
  }
  return (await startOf(holder.pid)) === holder.started ? 'alive' : 'dead';
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Start time of a living process on Linux: field 22 of its `stat`, whose second field, the
 * name, may hold blanks. A zombie holds nothing any more.
 */
async function startOf(pid: number): Promise<string | null> {
  const line = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ');
  return fields?.[0] === 'Z' ? null : (fields?.[19] ?? null);
}

async function content(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return null;
    }
    throw error;
  }
}

async function worldOfThisProcess(): Promise<string | null> {
  const [boot, namespace] = await Promise.all([
    readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => null),
    readlink('/proc/self/ns/pid').catch(() => null)
  ]);
  return boot === null ? null : `${boot.trim()} ${namespace ?? ''}`;
}

async function modified(file: string): Promise<number> {
  return (await stat(file).catch(() => null))?.mtimeMs ?? 0;
}

function parse(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    return typeof value?.pid === 'number'
      ? {
          pid: value.pid,
          started: value.started ?? null,
          world: value.world ?? null,
          nonce: value.nonce ?? ''
        }
      : null;
  } catch {
    return null;
  }
}
