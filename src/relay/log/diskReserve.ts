/** Refuses appends before the disk is full, and takes them again by itself once there is room. */
import { statfs } from 'node:fs/promises';
import { LogUnavailableError } from './types.js';

/** What the reserve needs. */
export interface DiskReserveOptions {
  /** A folder on the disk. */
  folder: string;
  /** Bytes that are left free, for cursors, sessions, rewriting, and for other programs. */
  bytes: number;
  /** Bytes that are free for us in the folder. */
  freeBytes?: (folder: string) => Promise<number>;
  everyMs?: number;
}

/** Keeps an eye on the free space. */
export interface DiskReserve {
  /** Why nothing more is taken; undefined while there is room. */
  refusal(): LogUnavailableError | undefined;
  /** Free bytes as last seen, less what was taken since; null if the system does not tell. */
  free(): number | null;
  /** Tells that so many bytes are about to be written. */
  take(bytes: number): void;
  stop(): void;
}

const EVERY_MS = 1_000;

/** Looks at the disk at once and every second; a look costs one system call off the main thread. */
export async function watchDisk({
  folder,
  bytes,
  freeBytes = freeIn,
  everyMs = EVERY_MS
}: DiskReserveOptions): Promise<DiskReserve> {
  let free: number | null = null;
  let looking: Promise<void> | undefined;

  function look(): Promise<void> {
    looking ??= freeBytes(folder)
      .then(
        found => (free = found),
        // Where the system does not tell, a full disk is met when it is written to.
        () => (free = null)
      )
      .then(() => (looking = undefined));
    return looking;
  }
  await look();
  const timer = setInterval(() => void look(), everyMs);
  timer.unref();

  return {
    refusal: () =>
      free === null || free > bytes
        ? undefined
        : new LogUnavailableError(
            'disk-reserve',
            `The disk of the event log has no more than ${mebibytes(bytes)} left, which are kept free; events are taken again as soon as there is space.`
          ),
    free: () => free,
    take(count) {
      if (free !== null) {
        free -= count;
      }
    },
    stop: () => clearInterval(timer)
  };
}

async function freeIn(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toLocaleString('en', { maximumFractionDigits: 1 })} MiB`;
}
