/** One process per folder, also after the holder was killed. */
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdir,
  readdir,
  readFile,
  stat,
  utimes,
  writeFile
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { acquireLock, LockedError } from '../../../src/relay/log/lock.js';
import { folders } from './support.js';

const temporary = folders();
afterAll(() => temporary.remove());

const times = { beatMs: 20, staleMs: 100 };
let file: string;
beforeEach(async () => {
  file = join(await temporary.make(), 'log.lock');
});

/** What a holder writes, changed in parts. */
async function holder(changes: object): Promise<string> {
  const lock = await acquireLock(file, times);
  const mine = JSON.parse(await readFile(file, 'utf8')) as object;
  await lock.release();
  return JSON.stringify({ ...mine, ...changes });
}

/** Process id of a process that has ended. */
async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid!;
}

describe('the lock', () => {
  it('is held by one, named in the refusal, and free after the release', async () => {
    const lock = await acquireLock(file, times);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const second = acquireLock(file, times);
    await expect(second).rejects.toBeInstanceOf(LockedError);
    await expect(second).rejects.toThrow(
      `${file} is held by process ${process.pid}`
    );
    await Promise.all([lock.release(), lock.release()]);
    expect(await readdir(dirname(file))).toEqual([]);
    await (await acquireLock(file, times)).release();
  });

  it('is taken over from a process that is no more', async () => {
    await writeFile(file, await holder({ pid: await deadPid() }));
    await (await acquireLock(file, times)).release();
  });

  it('is taken over where the process id belongs to another process now', async () => {
    await writeFile(file, await holder({ started: '1' }));
    await (await acquireLock(file, times)).release();
  });

  it('is taken over from a file that makes no sense', async () => {
    for (const content of ['', '{', 'null', '{"pid":"x"}']) {
      await writeFile(file, content);
      await (await acquireLock(file, times)).release();
    }
  });

  it('of a holder that cannot be looked up is waited for, and taken once it is not touched', async () => {
    await writeFile(file, await holder({ world: 'another container' }));
    const start = performance.now();
    await (await acquireLock(file, times)).release();
    expect(performance.now() - start).toBeGreaterThan(80);
  });

  it('of a holder that cannot be looked up stays its own as long as it is touched', async () => {
    await writeFile(file, await holder({ world: 'another container' }));
    const beat = setInterval(() => {
      const now = new Date();
      void utimes(file, now, now);
    }, 10);
    await expect(
      acquireLock(file, { ...times, staleMs: 1500 })
    ).rejects.toBeInstanceOf(LockedError);
    clearInterval(beat);
  });

  it('is touched while it is held', async () => {
    const lock = await acquireLock(file, times);
    const long = new Date(Date.now() - 60_000);
    await utimes(file, long, long);
    await new Promise(resolve => setTimeout(resolve, 200));
    expect(Date.now() - (await stat(file)).mtimeMs).toBeLessThan(30_000);
    await lock.release();
  });

  it('goes to one of many that find it stale at once', async () => {
    for (let round = 0; round < 10; round += 1) {
      await writeFile(file, await holder({ started: '1' }));
      const results = await Promise.allSettled(
        Array.from({ length: 8 }, () => acquireLock(file, times))
      );
      const won = results.flatMap(result =>
        result.status === 'fulfilled' ? [result.value] : []
      );
      expect(won).toHaveLength(1);
      for (const result of results) {
        expect(
          result.status === 'fulfilled' || result.reason instanceof LockedError
        ).toBe(true);
      }
      await won[0]!.release();
    }
  });

  it('is taken over also after a successor was killed at it', async () => {
    await writeFile(file, await holder({ started: '1' }));
    await mkdir(`${file}.takeover`);
    await (await acquireLock(file, times)).release();
    expect(await readdir(dirname(file))).toEqual([]);
  });

  it('is left alone by a holder that lost it', async () => {
    const lock = await acquireLock(file, times);
    await writeFile(file, 'another');
    await lock.release();
    expect(await readFile(file, 'utf8')).toBe('another');
  });
});
