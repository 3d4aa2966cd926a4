/** Looks at the data folder: whose it is, who may read it, what it lies on, and how fast that flushes. */
import { randomUUID } from 'node:crypto';
import { open, stat, statfs, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { about, bytesOf, type Finding } from './findings.js';

const folder = about('data folder');
const disk = about('disk');

/** File systems by their magic numbers (statfs(2)), and what to do where events would be lost on them. */
const FILE_SYSTEMS: Readonly<
  Record<number, { name: string; todo: string } | undefined>
> = (() => {
  const network =
    'Move the data folder to a local disk: what a network file system calls flushed may be lost, and its locks do not hold.';
  const memory =
    'Move the data folder to a disk: this one is empty after a restart of the machine.';
  const layer =
    'Mount a volume at the data folder: this layer goes with its container.';
  return {
    0x6969: { name: 'NFS', todo: network },
    0xff534d42: { name: 'CIFS', todo: network },
    0xfe534d42: { name: 'SMB', todo: network },
    0x00c36400: { name: 'CephFS', todo: network },
    0x0bd00bd0: { name: 'Lustre', todo: network },
    0x01021997: { name: '9P', todo: network },
    0x65735546: { name: 'FUSE', todo: network },
    0x01021994: { name: 'tmpfs', todo: memory },
    0x858458f6: { name: 'ramfs', todo: memory },
    0x794c7630: { name: 'overlay', todo: layer }
  };
})();

/** Flushes that are measured; their median is told. */
const FLUSHES = 21;
/** From here on acknowledgements are slow enough to be noticed, in ms. */
const SLOW_FLUSH_MS = 20;

/** What was measured of a folder. */
export interface FolderFacts {
  path: string;
  uid: number;
  mode: number;
  /** Magic number of the file system. */
  fileSystem: number;
  freeBytes: number;
  /** Median of a small write that is flushed, in ms. */
  flushMs: number;
}

/** Looks at the folder. @param reserveBytes what the relay leaves free on the disk. */
export async function checkFolder(
  path: string,
  reserveBytes: number
): Promise<Finding[]> {
  let facts: FolderFacts;
  try {
    const { uid, mode } = await stat(path);
    const { type, bavail, bsize } = await statfs(path);
    facts = {
      path,
      uid,
      mode,
      fileSystem: type,
      freeBytes: bavail * bsize,
      flushMs: await measureFlush(path)
    };
  } catch (error) {
    return [unusable(path, error as NodeJS.ErrnoException)];
  }
  return judgeFolder(facts, reserveBytes, process.getuid?.() ?? facts.uid);
}

/** What the facts amount to for the user `uid`. */
export function judgeFolder(
  { path, uid, mode, fileSystem, freeBytes, flushMs }: FolderFacts,
  reserveBytes: number,
  me: number
): Finding[] {
  const kind = FILE_SYSTEMS[fileSystem];
  const free = `${bytesOf(freeBytes)} free`;
  return [
    uid !== me
      ? folder.warn(
          `${path} belongs to user ${uid}, and this command runs as user ${me}`,
          'Run the relay and its commands as the same user; files of another one end the relay.'
        )
      : (mode & 0o077) !== 0
        ? folder.warn(
            `${path} is open to other users (mode ${(mode & 0o777).toString(8)})`,
            `Close it: chmod 700 ${path}`
          )
        : folder.ok(`${path} is there, writable, and closed to others`),
    kind
      ? disk.warn(`the data folder is on ${kind.name}`, kind.todo)
      : disk.ok('the data folder is on a local disk'),
    freeBytes < reserveBytes
      ? disk.problem(
          `${free}; the relay takes no events below ${bytesOf(reserveBytes)}`,
          'Make room on the disk; the relay goes on by itself.'
        )
      : freeBytes < 5 * reserveBytes
        ? disk.warn(
            `${free}; the relay takes no events below ${bytesOf(reserveBytes)}`,
            'Make room on the disk before it is full.'
          )
        : disk.ok(free),
    flushMs > SLOW_FLUSH_MS
      ? disk.warn(
          `a flush takes ${flushMs.toFixed(1)} ms, and every acknowledgement waits for one`,
          'Use a faster disk; requests share flushes, so this makes answers late but loses nothing.'
        )
      : disk.ok(`a flush takes ${flushMs.toFixed(1)} ms`)
  ];
}

function unusable(
  path: string,
  { code, message }: NodeJS.ErrnoException
): Finding {
  switch (code) {
    case 'ENOENT':
      return folder.warn(
        `${path} is not there`,
        'The relay makes it when it starts; if there should be data, --data or --config names another folder than usual.'
      );
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return folder.problem(
        `${path} cannot be written (${code})`,
        'Run the command as the user who runs the relay, or give that user the folder.'
      );
    case 'ENOSPC':
    case 'EDQUOT':
      return disk.problem(
        'the disk is full',
        'Make room; the relay takes events again as soon as there is space.'
      );
    default:
      return folder.problem(
        `${path} cannot be used: ${message}`,
        'Choose another folder with --data.'
      );
  }
}

/** Median time of a small write that is flushed as the log flushes, in ms. */
async function measureFlush(path: string): Promise<number> {
  const file = join(path, `doctor.${randomUUID()}.tmp`);
  const handle = await open(file, 'wx', 0o600);
  try {
    const block = Buffer.alloc(4096, 'x');
    const times: number[] = [];
    for (let count = 0; count < FLUSHES; count += 1) {
      const began = performance.now();
      await handle.write(block, 0, block.length, count * block.length);
      await handle.datasync();
      times.push(performance.now() - began);
    }
    return times.sort((a, b) => a - b)[(FLUSHES - 1) / 2]!;
  } finally {
    await handle.close();
    await unlink(file);
  }
}
