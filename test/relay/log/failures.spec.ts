/** A disk that fails or is full: what was not made durable is refused, and the log goes on by itself. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import {
  nodeDisk,
  type Disk,
  type LogFile
} from '../../../src/relay/log/disk.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import {
  LogUnavailableError,
  type EventLog
} from '../../../src/relay/log/types.js';
import { waitFor } from '../../support/waitFor.js';
import { Dice, ModelDisk } from './modelDisk.js';
import { body, folders, header, idOf, readAll } from './support.js';

jest.setTimeout(60_000);
const temporary = folders();
afterAll(() => temporary.remove());

type Operation = 'create' | 'write' | 'flush' | 'read' | 'rename';

/** The real disk with a say in every operation: `before` may wait or throw. */
function guarded(
  before: (operation: Operation, file: number) => Promise<void> | void
): Disk {
  let files = 0;
  const guard = (file: LogFile): LogFile => {
    const number = (files += 1);
    const run = async <T>(
      operation: Operation,
      action: () => Promise<T>
    ): Promise<T> => {
      await before(operation, number);
      return action();
    };
    return {
      write: (buffers, at) => run('write', () => file.write(buffers, at)),
      flush: () => run('flush', () => file.flush()),
      read: (target, at) => run('read', () => file.read(target, at)),
      truncate: length => file.truncate(length),
      size: () => file.size(),
      close: () => file.close()
    };
  };
  return {
    ...nodeDisk,
    create: async path => {
      await before('create', 0);
      return guard(await nodeDisk.create(path));
    },
    open: async (path, mode) => guard(await nodeDisk.open(path, mode)),
    rename: async (from, to) => {
      await before('rename', 0);
      await nodeDisk.rename(from, to);
    }
  };
}

function failure(code: string): Error {
  return Object.assign(new Error(code), { code });
}

async function ids(log: EventLog): Promise<string[]> {
  return (await readAll(log)).map(idOf);
}

describe('a flush', () => {
  it('comes before the answer, and serves everything that waited for it', async () => {
    let flushes = 0;
    let release: () => void = () => undefined;
    let held: Promise<void> | undefined = undefined;
    const disk = guarded(async operation => {
      if (operation === 'flush') {
        flushes += 1;
        await held;
      }
    });
    const log = await openSegmentLog({ dir: await temporary.make(), disk });
    held = new Promise(resolve => (release = resolve));
    flushes = 0;
    let answered = 0;
    const appends = Array.from({ length: 1000 }, async (_, index) => {
      await log.append(header(), body(index));
      answered += 1;
    });
    await waitFor('the first flush', () => flushes > 0);
    await pause(50);
    expect({ flushes, answered }).toEqual({ flushes: 1, answered: 0 });
    expect(log.status().last).toBe(0);
    expect(await readAll(log)).toEqual([]);
    const more = log.append(header(), body('more'));
    release();
    await Promise.all([...appends, more]);
    expect(flushes).toBe(2);
    await log.close();
  });

  for (const operation of ['write', 'flush'] as const) {
    it(`whose ${operation} fails fails its acknowledgements, and its segment is never touched again`, async () => {
      const dir = await temporary.make();
      const touched: number[] = [];
      let failing = false;
      let failedFile = 0;
      const disk = guarded((op, file) => {
        if (op === 'write' || op === 'flush') {
          touched.push(file);
          if (failing && op === operation) {
            failing = false;
            failedFile = file;
            touched.length = 0;
            throw failure('EIO');
          }
        }
      });
      const log = await openSegmentLog({ dir, disk });
      expect(await log.append(header(), body('before'))).toBe(1);
      failing = true;
      const failed = await Promise.allSettled([
        log.append(header(), body('lost 1')),
        log.append(header(), body('lost 2'))
      ]);
      for (const result of failed) {
        expect(result).toMatchObject({
          status: 'rejected',
          reason: { code: 'flush-failed' }
        });
      }
      const after = [
        await log.append(header(), body('after 1')),
        await log.append(header(), body('after 2'))
      ];
      expect(after[0]).toBeGreaterThan(3);
      expect(after[1]).toBe(after[0]! + 1);
      expect(touched.length).toBeGreaterThan(3);
      expect(touched).not.toContain(failedFile);
      expect(await ids(log)).toEqual(['before', 'after 1', 'after 2']);
      await log.close();

      const again = await openSegmentLog({ dir });
      expect(await ids(again)).toEqual(['before', 'after 1', 'after 2']);
      expect(again.status()).toMatchObject({ damaged: 0, segments: 3 });
      expect(await again.append(header(), body('x'))).toBe(after[1]! + 1);
      await again.close();
    });
  }

  it('that fails is told to those who wait for everything', async () => {
    let failing = false;
    const disk = guarded(operation => {
      if (operation === 'flush' && failing) {
        throw failure('EIO');
      }
    });
    const log = await openSegmentLog({ dir: await temporary.make(), disk });
    failing = true;
    const append = log.append(header(), body('lost'));
    const all = log.flushed();
    await expect(append).rejects.toBeInstanceOf(LogUnavailableError);
    await expect(all).rejects.toBeInstanceOf(LogUnavailableError);
    failing = false;
    await expect(log.flushed()).resolves.toBeUndefined();
    await log.close();
  });

  it('that failed unseen before a kill does not make a number mean two things', async () => {
    const disk = new ModelDisk(new Dice(1));
    const log = await openSegmentLog({ dir: '/log', disk });
    // The process dies with the failed flush: it cannot even cut off what failed.
    disk.trouble = {
      flushFails: () => {
        disk.trouble.endsAt = disk.operations + 1;
        return true;
      }
    };
    void log.append(header(), body('seen'));
    await disk.ended;

    const second = disk.next('kill');
    const reader = await openSegmentLog({ dir: '/log', disk: second });
    const seen = await readAll(reader);
    expect(seen.map(idOf)).toEqual(['seen']);
    second.stop();

    const third = second.next('power cut');
    const writer = await openSegmentLog({ dir: '/log', disk: third });
    expect(await writer.append(header(), body('new'))).toBeGreaterThan(
      seen[0]!.seq
    );
  });
});

describe('a new segment', () => {
  it('is made while appends go on', async () => {
    let release: () => void = () => undefined;
    let held: Promise<void> | undefined = undefined;
    let making = 0;
    const disk = guarded(async operation => {
      if (operation === 'create') {
        making += 1;
        await held;
      }
    });
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir, disk, segmentBytes: 5000 });
    while (!(await readdir(dir)).includes('next.tmp')) {
      await pause(1);
    }
    making = 0;
    held = new Promise(resolve => (release = resolve));
    // Fills the first segment and goes on in the one that lies ready, though the next cannot be made.
    for (let id = 0; id < 7; id += 1) {
      await log.append(header(), body(id, 1000));
    }
    expect(log.status().segments).toBe(2);
    // The one after it, and the note of how long the first one is.
    expect(making).toBe(2);
    release();
    await log.close();
  });

  for (const operation of ['create', 'write', 'flush', 'rename'] as const) {
    it(`that fails at ${operation} is tried again after a pause`, async () => {
      const dir = await temporary.make();
      let failing = false;
      let tries = 0;
      const disk = guarded(op => {
        if (failing && op === operation) {
          tries += 1;
          throw failure('EIO');
        }
      });
      const log = await openSegmentLog({
        dir,
        disk,
        segmentBytes: 1000,
        pauseMs: 100
      });
      await log.append(header(), body('before', 1000));
      await pause(20);
      failing = true;
      const start = Date.now();
      let refused = 0;
      while (refused < 6) {
        const result = await log
          .append(header(), body(`r${refused}`, 1000))
          .catch((error: LogUnavailableError) => error.code);
        // The file that lay ready may still take one.
        if (result === 'flush-failed') {
          refused += 1;
        }
      }
      // Ahead of time, at the rotation, once more, and then once a pause.
      expect(tries).toBeLessThanOrEqual(3 + (Date.now() - start) / 100);
      failing = false;
      await pause(120);
      await log.append(header(), body('after'));
      const kept = await ids(log);
      expect([kept[0], kept.at(-1)]).toEqual(['before', 'after']);
      await log.close();
      const again = await openSegmentLog({ dir });
      expect(await ids(again)).toEqual(kept);
      expect(again.status()).toMatchObject({ damaged: 0, tornBytes: 0 });
      await again.close();
    });
  }
});

describe('a place on the disk that cannot be read', () => {
  it('costs the records that lie there', async () => {
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir });
    for (let id = 1; id <= 100; id += 1) {
      await log.append(header(), body(id, 1000));
    }
    await log.close();
    const bad = { from: 40_960, to: 45_056 };
    const failing: Disk = {
      ...nodeDisk,
      open: async (path, mode) => {
        const file = await nodeDisk.open(path, mode);
        const read = file.read.bind(file);
        file.read = async (target, position) => {
          if (position < bad.to && position + target.length > bad.from) {
            throw failure('EIO');
          }
          return read(target, position);
        };
        return file;
      }
    };
    const harmed = await openSegmentLog({ dir, disk: failing });
    const read = (await ids(harmed)).map(Number);
    expect(read.length).toBeGreaterThan(90);
    expect(read.length).toBeLessThan(100);
    expect(read.at(-1)).toBe(100);
    expect(harmed.status().damaged).toBe(1);
    await harmed.close();
  });
});

/** A file system of 1 MB, and how to fill and clear it: a real one where we may mount it. */
async function tinyDisk(): Promise<{
  dir: string;
  disk: Disk;
  real: boolean;
  /** Leaves so many blocks. */
  fill(blocks: number): Promise<void>;
  clear(): Promise<void>;
  remove(): void;
}> {
  const dir = await temporary.make();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', dir], {
      stdio: 'ignore'
    });
  } catch {
    let full = false;
    const disk = guarded(operation => {
      if (full && operation === 'write') {
        throw failure('ENOSPC');
      }
    });
    return {
      dir,
      disk,
      real: false,
      fill: async () => void (full = true),
      clear: async () => void (full = false),
      remove: () => undefined
    };
  }
  const ballast = join(dir, 'ballast');
  return {
    dir,
    disk: nodeDisk,
    real: true,
    fill: async blocks => {
      const { bavail, bsize } = await statfs(dir);
      await writeFile(ballast, Buffer.alloc((bavail - blocks) * bsize));
    },
    clear: () => rm(ballast),
    remove: () => void execFileSync('umount', [dir])
  };
}

describe('a full disk', () => {
  it('refuses appends, keeps what there is, and recovers by itself', async () => {
    const tiny = await tinyDisk();
    try {
      const dir = join(tiny.dir, 'log');
      const options = {
        dir,
        disk: tiny.disk,
        pauseMs: 20,
        segmentBytes: 50_000
      };
      const log = await openSegmentLog(options);
      const kept: string[] = [];
      const append = async (id: string): Promise<string> => {
        try {
          await log.append(header(), body(id, 10_000));
          kept.push(id);
          return 'ok';
        } catch (error) {
          expect(error).toBeInstanceOf(LogUnavailableError);
          return (error as LogUnavailableError).code;
        }
      };
      for (let round = 0; round < 3; round += 1) {
        expect(await append(`${round} before`)).toBe('ok');
        await tiny.fill(0);
        const results = new Set<string>();
        for (let id = 0; id < 8; id += 1) {
          results.add(await append(`${round} full ${id}`));
          await pause(10);
        }
        expect(results).toContain('disk-full');
        expect(results).not.toContain('flush-failed');
        expect(await ids(log)).toEqual(kept);
        await tiny.clear();
        await pause(40);
        expect(await append(`${round} after`)).toBe('ok');
      }
      expect(await ids(log)).toEqual(kept);
      await log.close();

      // Room for the lock and no more: it opens all the same, to be read.
      await tiny.fill(1);
      const whileFull = await openSegmentLog(options);
      expect(await ids(whileFull)).toEqual(kept);
      await expect(
        whileFull.append(header(), body('y', 5000))
      ).rejects.toMatchObject({ code: 'disk-full' });
      await tiny.clear();
      await pause(40);
      const seq = await whileFull.append(header(), body('x'));
      expect(seq).toBe(whileFull.status().last);
      await whileFull.close();
      expect(
        (await readdir(dir)).filter(name => !name.endsWith('.seg'))
      ).toEqual(['lengths.json']);
    } finally {
      tiny.remove();
    }
  });
});
