/** What keeps a log small, and its disk from being full: only what nobody needs goes, and it says what it cannot do. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { setTimeout as pause } from 'node:timers/promises';
import { watchLog } from '../../../src/relay/health.js';
import { Ages } from '../../../src/relay/log/ages.js';
import { compact } from '../../../src/relay/log/compact.js';
import { watchDisk } from '../../../src/relay/log/diskReserve.js';
import {
  startRetention,
  type Bounds,
  type Holder,
  type Retention
} from '../../../src/relay/log/retention.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type { EventLog } from '../../../src/relay/log/types.js';
import { waitFor } from '../../support/waitFor.js';
import { body, folders, header, readAll } from './support.js';

jest.setTimeout(60_000);
const temporary = folders();
afterAll(() => temporary.remove());

const DAY = 86_400_000;
const START = Date.parse('2026-09-01T00:00:00Z');

/** A log with one record a day, two or three of them in a segment. */
async function dailyLog(days: number): Promise<EventLog> {
  const dir = await temporary.make();
  const log = await openSegmentLog({ dir, segmentBytes: 10_000 });
  for (let day = 0; day < days; day += 1) {
    const at = new Date(START + day * DAY).toISOString();
    await log.append({ ...header(), at }, body(day + 1, 5000));
  }
  return log;
}

const NO_BOUNDS: Bounds = { maxBytes: null, maxAgeMs: null, windowMs: 0 };

interface Kept {
  retention: Retention;
  held: (Holder | null)[];
}

function keep(
  log: EventLog,
  bounds: Partial<Bounds>,
  { days = 30, lowest = (): number => log.status().next } = {}
): Kept {
  const held: (Holder | null)[] = [];
  const retention = startRetention({
    log,
    bounds: { ...NO_BOUNDS, ...bounds },
    lowest,
    onHeld: heldBy => held.push(heldBy),
    now: () => START + days * DAY
  });
  return { retention, held };
}

async function seqs(log: EventLog): Promise<number[]> {
  return (await readAll(log)).map(({ seq }) => seq);
}

describe('a log', () => {
  it('without bounds keeps everything, and tells how old it is', async () => {
    const log = await dailyLog(20);
    const { retention } = keep(log, {}, { days: 10_000 });
    expect(await retention.run()).toMatchObject({ segments: 0, heldBy: null });
    expect(await seqs(log)).toHaveLength(20);
    expect(retention.status()).toEqual({
      oldest: '2026-09-01T00:00:00.000Z',
      heldBy: null
    });
    await retention.stop();
    await log.close();
  });

  it('removes what is too old, and nothing that is not', async () => {
    const log = await dailyLog(20);
    const { retention, held } = keep(log, { maxAgeMs: 20 * DAY });
    await retention.run();
    const left = await seqs(log);
    // Day 10 is record 11; the segment that holds it may hold one older record.
    expect(left).toContain(11);
    expect(left[0]).toBeGreaterThanOrEqual(9);
    expect(left.at(-1)).toBe(20);
    expect(retention.status().heldBy).toBeNull();
    expect(held).toEqual([]);
    await retention.stop();
    await log.close();
  });

  it('removes even its newest records once they are too old', async () => {
    const log = await dailyLog(5);
    const { retention } = keep(log, { maxAgeMs: 20 * DAY });
    await retention.run();
    expect(await seqs(log)).toEqual([]);
    expect(retention.status().oldest).toBeNull();
    expect(await log.append(header(), body(1))).toBe(6);
    await retention.stop();
    await log.close();
  });

  it('stays below its size', async () => {
    const log = await dailyLog(20);
    const { retention } = keep(log, { maxBytes: 40_000 });
    await retention.run();
    expect(log.status().bytes).toBeLessThanOrEqual(40_000);
    expect(log.status().bytes).toBeGreaterThan(20_000);
    expect((await seqs(log)).at(-1)).toBe(20);
    await retention.stop();
    await log.close();
  });

  it('keeps what a reader needs, says so, and removes it later', async () => {
    const log = await dailyLog(20);
    let lowest = 5;
    const { retention, held } = keep(
      log,
      { maxBytes: 40_000 },
      { lowest: () => lowest }
    );
    expect(await retention.run()).toMatchObject({ heldBy: 'a reader' });
    expect(await seqs(log)).toContain(5);
    expect(retention.status().heldBy).toBe('a reader');
    lowest = 21;
    expect(await retention.run()).toMatchObject({ heldBy: null });
    expect(log.status().bytes).toBeLessThanOrEqual(40_000);
    expect(held).toEqual(['a reader', null]);
    await retention.stop();
    await log.close();
  });

  it('keeps the ids of the duplicate window', async () => {
    const log = await dailyLog(20);
    const { retention } = keep(
      log,
      { maxBytes: 10_000, windowMs: 15 * DAY },
      { days: 20 }
    );
    expect(await retention.run()).toMatchObject({
      heldBy: 'the duplicate window'
    });
    const left = await seqs(log);
    expect(left).toContain(6);
    expect(left[0]).toBeGreaterThan(2);
    await retention.stop();
    await log.close();
  });

  it('loses nothing early when the clock is set back or forward by an hour', async () => {
    const log = await dailyLog(20);
    for (const hours of [-1, 1, 0]) {
      const { retention } = keep(
        log,
        { maxAgeMs: 20 * DAY },
        { days: 30 + hours / 24 }
      );
      await retention.run();
      expect(await seqs(log)).toEqual(
        expect.arrayContaining([12, 13, 14, 15, 16, 17, 18, 19, 20])
      );
      await retention.stop();
    }
    await log.close();
  });

  it('is looked at by itself', async () => {
    const log = await dailyLog(20);
    const retention = startRetention({
      log,
      bounds: { ...NO_BOUNDS, maxAgeMs: DAY },
      lowest: () => log.status().next,
      everyMs: 5
    });
    await waitFor('all is gone', () => log.status().first === 0);
    await retention.stop();
    await log.close();
  });

  it('knows from which number on something is younger', async () => {
    const log = await dailyLog(20);
    const ages = new Ages(log);
    for (let day = 0; day <= 20; day += 1) {
      const below = await ages.before(START + day * DAY);
      // Everything below is older, and at most two that are older as well are not below.
      expect(below).toBeLessThanOrEqual(day + 1);
      expect(below).toBeGreaterThanOrEqual(day - 1);
    }
    expect(await ages.before(START + 21 * DAY)).toBe(21);
    await log.close();
  });
});

describe('compacting', () => {
  const signal = new AbortController().signal;

  it('removes what is before a date, and records that are empty', async () => {
    const log = await dailyLog(20);
    await log.rewrite(({ seq, header: was }) =>
      seq === 15
        ? { header: { ...was, n: 0 }, body: Buffer.from('[]') }
        : 'keep'
    );
    const { retention } = keep(log, {});
    const seen: number[] = [];
    const done = await compact(
      log,
      retention,
      { before: '2026-09-11' },
      ({ bytes }) => seen.push(bytes),
      signal
    );
    expect(done).toMatchObject({ dropped: 1, heldBy: null });
    expect(done.segments).toBeGreaterThan(2);
    expect(done.after).toBeLessThan(done.before);
    expect(done.after).toBe(log.status().bytes);
    const left = await seqs(log);
    expect(left).not.toContain(15);
    expect(left).toEqual(
      expect.arrayContaining([11, 12, 13, 14, 16, 17, 18, 19, 20])
    );
    expect(left[0]).toBeGreaterThan(8);
    expect(seen.length).toBeGreaterThan(1);
    await retention.stop();
    await log.close();
  });

  it('refuses what is no date, and stops when nobody waits', async () => {
    const log = await dailyLog(3);
    const { retention } = keep(log, {});
    const nothing = (): void => undefined;
    await expect(
      compact(log, retention, { before: 'soon' }, nothing, signal)
    ).rejects.toThrow('expected a date such as 2026-09-01, got "soon"');
    await expect(
      compact(log, retention, {}, nothing, AbortSignal.abort())
    ).rejects.toThrow(/abort/i);
    expect(await seqs(log)).toHaveLength(3);
    await retention.stop();
    await log.close();
  });
});

describe('the reserve of the disk', () => {
  it('refuses before the disk is full, and takes again by itself', async () => {
    const log = await openSegmentLog({ dir: await temporary.make() });
    let free = 10_000;
    const reserve = await watchDisk({
      folder: '/',
      bytes: 4000,
      freeBytes: () => Promise.resolve(free),
      everyMs: 5
    });
    const watched = watchLog(log, Date.now, reserve);
    await watched.append(header(), body(1));
    expect(watched.problem()).toBeNull();
    free = 4000;
    await waitFor('it is seen', () => watched.problem() !== null);
    await expect(watched.append(header(), body(2))).rejects.toMatchObject({
      code: 'disk-reserve',
      message: expect.stringContaining('are kept free')
    });
    free = 4001;
    await waitFor('it is over', () => watched.problem() === null);
    await watched.append(header(), body(3));
    expect(await seqs(log)).toEqual([1, 2]);
    reserve.stop();
    await log.close();
  });

  it('counts what is written between two looks', async () => {
    const log = await openSegmentLog({ dir: await temporary.make() });
    const reserve = await watchDisk({
      folder: '/',
      bytes: 0,
      freeBytes: () => Promise.resolve(50_000),
      everyMs: 1_000_000
    });
    const watched = watchLog(log, Date.now, reserve);
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, id) =>
        watched.append(header(), body(id, 10_000))
      )
    );
    const taken = results.filter(({ status }) => status === 'fulfilled');
    expect(taken.length).toBe(5);
    reserve.stop();
    await log.close();
  });

  it('reads a real disk, and does without where the system does not tell', async () => {
    const dir = await temporary.make();
    const real = await watchDisk({ folder: dir, bytes: 1 });
    expect(real.free()).toBeGreaterThan(1_000_000);
    expect(real.refusal()).toBeUndefined();
    real.stop();
    const blind = await watchDisk({ folder: `${dir}/missing`, bytes: 1e15 });
    expect(blind.free()).toBeNull();
    expect(blind.refusal()).toBeUndefined();
    blind.stop();
    await pause(0);
  });
});
