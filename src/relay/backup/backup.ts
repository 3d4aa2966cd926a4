/** Copies a data folder while its relay runs, and brings a copy back. */
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, type FileHandle } from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { dataPaths, readIfThere, writeFileWhole } from '../files.js';
import { flushFolder } from '../log/disk.js';
import { VERSION } from '../version.js';
import { filesOf, PARTS } from './contents.js';

/** Name of the list of files; written last, so that a copy without it is not whole. */
export const LIST_FILE = 'backup.json';

/** One file of a backup. */
export interface BackedUp {
  path: string;
  bytes: number;
  sha256: string;
}

/** The list that makes files a backup. */
export interface BackupList {
  format: 1;
  /** Version of the relay's program that made it. */
  version: string;
  /** When it was begun, ISO 8601 UTC: what was acknowledged before is in it. */
  at: string;
  files: BackedUp[];
}

/** Told after each file. */
export type BackupProgress = (done: {
  files: number;
  of: number;
  bytes: number;
}) => void;

/** A failure that its message explains in full. */
export class BackupError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'BackupError';
  }
}

/**
 * Copies the data folder into `target`, which must be empty or not there yet. Safe while a relay
 * writes: see `filesOf` for the order. Resolves once the copy survives a power cut.
 *
 * @throws BackupError if there is nothing to copy, or the target holds something.
 */
export async function backUp(
  data: string,
  target: string,
  onProgress: BackupProgress = () => undefined
): Promise<BackupList> {
  const at = new Date().toISOString();
  const paths = dataPaths(data);
  if (`${resolve(target)}${sep}`.startsWith(`${resolve(data)}${sep}`)) {
    throw new BackupError(
      `${target} lies in the data folder. Name a folder elsewhere, best on another disk.`
    );
  }
  const present = await readdir(data).catch((error: unknown) => {
    throw new BackupError(
      `the data folder ${data} cannot be read (${(error as NodeJS.ErrnoException).code}). Name the relay's with --data.`
    );
  });
  if (present.length === 0) {
    throw new BackupError(`the data folder ${data} is empty.`);
  }
  await makeEmpty(target);
  const files: BackedUp[] = [];
  for (const part of PARTS) {
    const wanted = await filesOf(paths, part);
    files.push(...(await copyAll(data, target, wanted, onProgress)));
  }
  const list: BackupList = { format: 1, version: VERSION, at, files };
  await writeFileWhole(
    join(target, LIST_FILE),
    `${JSON.stringify(list, null, 2)}\n`
  );
  await flushFolder(dirname(target));
  return list;
}

/**
 * Brings a backup back into `data`, which must be empty or not there yet.
 *
 * @throws BackupError if it is no whole backup, or a file in it is not as it was written.
 */
export async function restore(
  from: string,
  data: string,
  onProgress: BackupProgress = () => undefined
): Promise<BackupList> {
  const list = parse(await readIfThere(join(from, LIST_FILE)), from);
  await makeEmpty(data);
  const copied = await copyAll(
    from,
    data,
    list.files.map(({ path }) => path),
    onProgress
  );
  const found = new Map(copied.map(file => [file.path, file.sha256]));
  const wrong = list.files.filter(
    ({ path, sha256 }) => found.get(path) !== sha256
  );
  if (wrong.length > 0) {
    throw new BackupError(
      `${from}: ${wrong.map(({ path }) => path).join(', ')} ${wrong.length === 1 ? 'is' : 'are'} missing or not as backed up. Take another backup; ${data} now holds what could be copied and must not be used as it is.`
    );
  }
  await forgetAgain(dataPaths(data).forget);
  await flushFolder(dirname(data));
  return list;
}

/**
 * Has every job of forgetting a student begin anew: the log may have been copied before a job
 * that the list of jobs, copied later, calls done.
 */
async function forgetAgain(file: string): Promise<void> {
  const text = await readIfThere(file);
  if (text === undefined) {
    return;
  }
  const content = JSON.parse(text) as { jobs?: Record<string, unknown>[] };
  content.jobs = (content.jobs ?? []).map(({ nextAt: _, ...job }) => ({
    ...job,
    state: 'local'
  }));
  await writeFileWhole(file, `${JSON.stringify(content, null, 2)}\n`);
}

async function makeEmpty(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const [present] = await readdir(folder);
  if (present !== undefined) {
    throw new BackupError(
      `${folder} is not empty: it holds ${present}. Name a new folder.`
    );
  }
}

async function copyAll(
  from: string,
  to: string,
  paths: readonly string[],
  onProgress: BackupProgress
): Promise<BackedUp[]> {
  const copied: BackedUp[] = [];
  const folders = new Set<string>([to]);
  let bytes = 0;
  for (const [index, path] of paths.entries()) {
    const target = join(to, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o700 });
    folders.add(dirname(target));
    const file = await copy(join(from, path), target);
    if (file) {
      copied.push({ path, ...file });
      bytes += file.bytes;
    }
    onProgress({ files: index + 1, of: paths.length, bytes });
  }
  for (const folder of folders) {
    await flushFolder(folder);
  }
  return copied;
}

/** Copies one file as far as it goes now; null where it is gone, as a log's file that was released. */
async function copy(
  from: string,
  to: string
): Promise<Omit<BackedUp, 'path'> | null> {
  let source: FileHandle;
  try {
    source = await open(from, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return null;
    }
    throw error;
  }
  const target = await open(to, 'wx', 0o600);
  try {
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    // No further than the file is now: a relay may append faster than this reads.
    const end = (await source.stat()).size;
    let at = 0;
    while (at < end) {
      const { bytesRead } = await source.read(
        buffer,
        0,
        Math.min(buffer.length, end - at),
        at
      );
      if (bytesRead === 0) {
        break;
      }
      const chunk = buffer.subarray(0, bytesRead);
      hash.update(chunk);
      await writeAll(target, chunk);
      at += bytesRead;
    }
    await target.datasync();
    return { bytes: at, sha256: hash.digest('hex') };
  } finally {
    await source.close();
    await target.close();
  }
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    done += (await file.write(bytes, done)).bytesWritten;
  }
}

function parse(text: string | undefined, folder: string): BackupList {
  let list: Partial<BackupList> | null = null;
  try {
    list = JSON.parse(text ?? '') as Partial<BackupList> | null;
  } catch {
    // Said below.
  }
  if (list?.format !== 1 || !Array.isArray(list.files)) {
    throw new BackupError(
      `${folder} is no whole backup: expected ${LIST_FILE} with its list of files, which is written last. Take a backup that was finished.`
    );
  }
  for (const { path } of list.files) {
    // A list that somebody wrote by hand must not reach out of the folder.
    if (path.split('/').some(part => part === '..' || part === '')) {
      throw new BackupError(
        `${folder}: ${LIST_FILE} names ${JSON.stringify(path)}, which is no file of a backup.`
      );
    }
  }
  return list as BackupList;
}
