/** The log under SIGKILL and under power cuts at random moments: real processes, real files. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openLog, type LogEngine } from '../../../src/relay/log/openLog.js';
import { appendUntil } from './children.js';
import { folders, idOf, readAll } from './support.js';

jest.setTimeout(900_000);
const LONG = process.env['LONG'] === '1';
const temporary = folders();
afterAll(() => temporary.remove());

/** Checks that all of `acknowledged` is in the log, and no body twice. */
async function check(
  dir: string,
  acknowledged: ReadonlyMap<number, string>,
  engine: LogEngine = 'segments'
): Promise<void> {
  const log = await openLog(engine, { dir });
  try {
    const records = await readAll(log);
    const found = new Map(records.map(record => [record.seq, idOf(record)]));
    expect(new Set(found.values()).size).toBe(records.length);
    const lost = [...acknowledged].filter(([seq, id]) => found.get(seq) !== id);
    expect(lost).toEqual([]);
  } finally {
    await log.close();
  }
}

/** Adds what was acknowledged; no number may come a second time. */
function add(all: Map<number, string>, fresh: Map<number, string>): void {
  expect(fresh.size).toBeGreaterThan(0);
  for (const [seq, id] of fresh) {
    expect(all.has(seq)).toBe(false);
    all.set(seq, id);
  }
}

describe('the log under SIGKILL', () => {
  const rounds = LONG ? 100 : 6;
  it(`keeps every acknowledged record once, over ${rounds} kills`, async () => {
    const dir = await temporary.make();
    const acknowledged = new Map<number, string>();
    for (let round = 0; round < rounds; round += 1) {
      add(acknowledged, await appendUntil(dir, round));
      await check(dir, acknowledged);
    }
    expect(acknowledged.size).toBeGreaterThan(rounds * 10);
  });

  const lmdbRounds = LONG ? 50 : 3;
  it(`keeps every acknowledged record once in LMDB, over ${lmdbRounds} kills`, async () => {
    const dir = await temporary.make();
    const acknowledged = new Map<number, string>();
    for (let round = 0; round < lmdbRounds; round += 1) {
      add(acknowledged, await appendUntil(dir, round, undefined, 'lmdb'));
      await check(dir, acknowledged, 'lmdb');
    }
  });
});

/** ext4's EXT4_IOC_SHUTDOWN without a flush of its journal: what is not on disk by now is gone. */
const CUT = `
import fcntl, os, struct, sys
fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))
`;

/** A file system of its own that can lose its power; undefined where we may not mount one. */
async function cuttable(): Promise<
  { dir: string; mount(): void; unmount(): void; cut(): void } | undefined
> {
  const folder = await temporary.make();
  const image = join(folder, 'image');
  const dir = join(folder, 'mounted');
  const run = (command: string, ...args: string[]): void =>
    void execFileSync(command, args, { stdio: 'ignore' });
  const disk = {
    dir,
    mount: () => run('mount', '-o', 'loop', image, dir),
    unmount: () => run('umount', dir),
    cut: () => run('python3', '-c', CUT, dir)
  };
  try {
    await mkdir(dir);
    run('truncate', '-s', '2G', image);
    run('mkfs.ext4', '-q', image);
    disk.mount();
  } catch {
    return undefined;
  }
  return disk;
}

describe('the log under power cuts', () => {
  const rounds = LONG ? 100 : 5;
  it(`keeps every acknowledged record once, over ${rounds} cuts`, async () => {
    const disk = await cuttable();
    if (!disk) {
      // Only root may do this. The model disk of crash.spec.ts loses its power everywhere.
      console.warn('No power was cut: a loop device cannot be mounted here.');
    }
    const dir = join(disk?.dir ?? (await temporary.make()), 'log');
    const acknowledged = new Map<number, string>();
    try {
      for (let round = 0; round < rounds; round += 1) {
        const control = disk && join(disk.dir, `control-${round}`);
        const fresh = await appendUntil(dir, round, () => disk?.cut());
        add(acknowledged, fresh);
        if (control) {
          disk.unmount();
          disk.mount();
          // Proof that a cut takes what was not flushed.
          await writeFile(control, Buffer.alloc(100_000, 'x'));
          disk.cut();
          disk.unmount();
          disk.mount();
          expect(await stat(control).catch(() => ({ size: 0 }))).toMatchObject({
            size: 0
          });
        }
        await check(dir, acknowledged);
      }
      expect(acknowledged.size).toBeGreaterThan(rounds * 10);
    } finally {
      disk?.unmount();
    }
  });
});
