/** The segment log as an event log, and what is its own: segments, marks, modes. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MARKER } from '../../../src/relay/log/format.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { describeEventLog } from './conformance.js';
import { body, folders, header, idOf, readAll } from './support.js';

describeEventLog('segments of 16 MB', dir => openSegmentLog({ dir }));
describeEventLog('segments of 20 KB', dir =>
  openSegmentLog({ dir, segmentBytes: 20_000 })
);

describe('segment log', () => {
  const temporary = folders();
  afterAll(() => temporary.remove());

  it('rotates at the size asked for and names segments by their first number', async () => {
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir, segmentBytes: 10_000 });
    for (let id = 1; id <= 30; id += 1) {
      await log.append(header(), body(id, 1500));
    }
    const names = (await readdir(dir)).filter(name => name.endsWith('.seg'));
    expect(names.length).toBeGreaterThan(3);
    expect(log.status().segments).toBe(names.length);
    let previous = 0;
    for (const name of names.sort()) {
      const first = Number(name.slice(0, 16));
      expect((await readAll(log, first))[0]!.seq).toBe(first);
      expect(first).toBeGreaterThan(previous);
      expect((await stat(join(dir, name))).size).toBeLessThan(12_000);
      previous = first;
    }
    expect(log.status().bytes).toBe(
      (
        await Promise.all(names.map(async n => (await stat(join(dir, n))).size))
      ).reduce((sum, size) => sum + size, 0)
    );
    await log.close();
    expect((await readdir(dir)).sort()).toEqual([...names, 'lengths.json']);
  });

  it('keeps files and a new folder to their owner', async () => {
    const dir = join(await temporary.make(), 'data', 'log');
    const log = await openSegmentLog({ dir });
    await log.append(header(), body(1));
    expect((await stat(dir)).mode & 0o777).toBe(0o700);
    await log.close();
    for (const name of await readdir(dir)) {
      expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600);
    }
  });

  it('takes bodies that hold the marker', async () => {
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir });
    const odd = [
      MARKER,
      Buffer.concat(Array.from({ length: 1000 }, () => MARKER)),
      Buffer.from('x')
    ];
    for (const bytes of odd) {
      await log.append(header(), bytes);
    }
    await log.close();
    const again = await openSegmentLog({ dir });
    expect((await readAll(again)).map(r => Buffer.from(r.body))).toEqual(odd);
    expect(again.status()).toMatchObject({ damaged: 0, tornBytes: 0 });
    await again.close();
  });

  it('starts no lower than it is told', async () => {
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir, startAt: 500 });
    expect(await log.append(header(), body(1))).toBe(500);
    await log.close();
    const again = await openSegmentLog({ dir, startAt: 20 });
    expect(await again.append(header(), body(2))).toBe(501);
    expect((await readAll(again)).map(idOf)).toEqual(['1', '2']);
    await again.close();
  });

  it('reads a long log in little memory', async () => {
    const dir = await temporary.make();
    const log = await openSegmentLog({ dir });
    const bytes = body('same', 30_000);
    for (let round = 0; round < 60; round += 1) {
      await Promise.all(
        Array.from({ length: 100 }, () => log.append(header(), bytes))
      );
    }
    let peak = 0;
    let count = 0;
    const before = process.memoryUsage().arrayBuffers;
    for await (const record of log.read(1)) {
      count += record.header.n;
      peak = Math.max(peak, process.memoryUsage().arrayBuffers - before);
    }
    expect(count).toBe(6000);
    // 180 MB were read; freed windows may wait for the garbage collector.
    expect(peak).toBeLessThan(100_000_000);
    await log.close();
  });
});
