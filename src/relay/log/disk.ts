/** The few file operations that a log needs: the seam at which tests make a disk fail or lose its power. */
import fs from 'node:fs';
import {
  mkdir,
  open,
  readdir,
  rename,
  unlink,
  type FileHandle
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { acquireLock, type Lock } from './lock.js';

/** An open file. Every method rejects with the system's error. */
export interface LogFile {
  /** Writes all of `buffers`, one after the other, from `position` on. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Fills `target` from `position` on; returns the number of bytes there were. */
  read(target: Uint8Array, position: number): Promise<number>;
  /** Makes content and length survive a power cut (`fdatasync`). */
  flush(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** Where a log's folder lies. */
export interface Disk {
  /** Makes the folder where it is missing, durably, for the owner alone. */
  makeFolder(folder: string): Promise<void>;
  /** Takes the folder for this process alone. */
  lock(folder: string): Promise<Lock>;
  list(folder: string): Promise<string[]>;
  /** Makes a file for the owner alone; rejects if there is one. */
  create(path: string): Promise<LogFile>;
  open(path: string, mode: 'read' | 'write'): Promise<LogFile>;
  /** Gives a file another name, in place of whatever bore it. */
  rename(from: string, to: string): Promise<void>;
  remove(path: string): Promise<void>;
  /** Makes the names in the folder survive a power cut. */
  flushFolder(folder: string): Promise<void>;
}

/** The real one. */
export const nodeDisk: Disk = {
  async makeFolder(folder) {
    const first = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (first === undefined) {
      return;
    }
    // A folder's own name is durable only once its parent is.
    for (let path = folder; path.length >= first.length; path = dirname(path)) {
      await flushFolder(dirname(path));
    }
  },
  lock: folder => acquireLock(join(folder, 'log.lock')),
  list: folder => readdir(folder),
  create: async path => new NodeFile(await open(path, 'wx', 0o600)),
  open: async (path, mode) =>
    new NodeFile(await open(path, mode === 'read' ? 'r' : 'r+')),
  rename,
  remove: unlink,
  flushFolder
};

/** Flushes a folder, so that new and changed names in it survive a power cut. */
export async function flushFolder(folder: string): Promise<void> {
  // Windows cannot open a folder; its file systems journal names by themselves.
  if (process.platform === 'win32') {
    return;
  }
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

class NodeFile implements LogFile {
  constructor(private readonly handle: FileHandle) {}

  async write(buffers: readonly Uint8Array[], position: number): Promise<void> {
    let rest = buffers;
    let at = position;
    while (rest.length > 0) {
      const written = await writev(this.handle.fd, rest, at);
      at += written;
      rest = after(rest, written);
    }
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < target.length) {
      const { bytesRead } = await this.handle.read(
        target,
        done,
        target.length - done,
        position + done
      );
      if (bytesRead === 0) {
        break;
      }
      done += bytesRead;
    }
    return done;
  }

  flush(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.handle.fd, error =>
        error ? reject(error) : resolve()
      );
    });
  }

  truncate(length: number): Promise<void> {
    return this.handle.truncate(length);
  }

  async size(): Promise<number> {
    return (await this.handle.stat()).size;
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}

// The callback calls cost half of what a FileHandle's methods do, and run once per flush.
function writev(
  fd: number,
  buffers: readonly Uint8Array[],
  position: number
): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.writev(fd, buffers, position, (error, written) =>
      error ? reject(error) : resolve(written)
    );
  });
}

/** What is left of `buffers` once their first `count` bytes are written. */
function after(
  buffers: readonly Uint8Array[],
  count: number
): readonly Uint8Array[] {
  let index = 0;
  let rest = count;
  while (index < buffers.length && rest >= buffers[index]!.length) {
    rest -= buffers[index]!.length;
    index += 1;
  }
  const left = buffers.slice(index);
  if (rest > 0) {
    left[0] = left[0]!.subarray(rest);
  }
  return left;
}
