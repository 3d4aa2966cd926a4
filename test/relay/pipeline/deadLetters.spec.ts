/** What was set aside is there with its reason, once, also after a crash in the middle of a line. */
import { afterAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import {
  appendFile,
  readFile,
  stat,
  truncate,
  writeFile
} from 'node:fs/promises';
import { join } from 'node:path';
import {
  openDeadLetters,
  type DeadLetter,
  type DeadLetters
} from '../../../src/relay/pipeline/deadLetters.js';
import { folders } from '../log/support.js';

const temporary = folders();
afterAll(() => temporary.remove());

let file: string;
beforeEach(async () => {
  file = join(await temporary.make(), 'data', 'dead-letters.jsonl');
});

const letter = (
  uuid: string | null,
  changes: Partial<DeadLetter> = {}
): DeadLetter => ({
  at: '2026-11-21T09:30:00.000Z',
  course: 'demo',
  stage: 'posthog',
  code: 'refused',
  reason: '400: no',
  uuid,
  event: { event: 'cell', text: 'ü\n' },
  ...changes
});

/** The open letters as they were put. */
async function listed(letters: DeadLetters): Promise<DeadLetter[]> {
  return (await letters.list()).map(
    ({ id: _id, state: _state, ...letter }) => letter
  );
}

describe('dead letters', () => {
  it('are on disk when put resolves, one object a line', async () => {
    const letters = await openDeadLetters(file);
    const put = [letter('a'), letter('b', { stage: 'door', course: 'other' })];
    await letters.put(put);
    const lines = (await readFile(file, 'utf8')).split('\n');
    expect(lines.slice(0, -1).map(line => JSON.parse(line))).toEqual(put);
    expect(lines.at(-1)).toBe('');
    expect(await listed(letters)).toEqual(put);
    expect(letters.counts()).toEqual({
      total: 2,
      byCourse: { demo: 1, other: 1 },
      byStage: { posthog: 1, door: 1 },
      settled: 0,
      evicted: 0,
      bytes: (await stat(file)).size
    });
    // Courses may be called so.
    expect(letters.counts().byCourse['constructor']).toBeUndefined();
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    await letters.close();
    await letters.close();
  });

  it('count once, however often they are put, and over restarts', async () => {
    for (let round = 0; round < 3; round += 1) {
      const letters = await openDeadLetters(file);
      await letters.put([letter('a'), letter('a')]);
      await letters.put([letter('a', { reason: 'again' })]);
      await letters.put([letter(null), letter(null)]);
      expect(await listed(letters)).toEqual([letter('a'), letter(null)]);
      expect(letters.counts().total).toBe(2);
      await letters.close();
    }
    // Not only counted once: a client that repeats itself does not fill the disk.
    expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(3);
  });

  it('are different by stage, by course, and by event where there is no uuid', async () => {
    const letters = await openDeadLetters(file);
    const put = [
      letter('a'),
      letter('a', { stage: 'door' }),
      letter('a', { course: 'other' }),
      letter(null),
      letter(null, { event: 2 })
    ];
    await Promise.all(put.map(one => letters.put([one])));
    expect(await listed(letters)).toEqual(put);
    await letters.close();
  });

  it('written twice by a crash between writing and noting count once', async () => {
    const line = `${JSON.stringify(letter('a'))}\n`;
    const letters = await openDeadLetters(file);
    await letters.close();
    await writeFile(file, line + line);
    const again = await openDeadLetters(file);
    expect(await listed(again)).toEqual([letter('a')]);
    expect(again.counts().total).toBe(1);
    await again.close();
  });

  it('survive a tear at every byte of the last line', async () => {
    const first = await openDeadLetters(file);
    await first.put([letter('a')]);
    const kept = (await stat(file)).size;
    await first.put([letter('b')]);
    await first.close();
    const whole = await readFile(file);
    for (let length = kept; length < whole.length; length += 1) {
      await writeFile(file, whole);
      await truncate(file, length);
      const letters = await openDeadLetters(file);
      expect(await listed(letters)).toEqual([letter('a')]);
      await letters.put([letter('c')]);
      expect(await listed(letters)).toEqual([letter('a'), letter('c')]);
      await letters.close();
    }
  });

  it('pass over a line that makes no sense', async () => {
    const letters = await openDeadLetters(file);
    await letters.put([letter('a')]);
    await letters.close();
    await appendFile(file, 'null\n{"x":\n\n');
    const again = await openDeadLetters(file);
    await again.put([letter('b')]);
    expect(await listed(again)).toEqual([letter('a'), letter('b')]);
    await again.close();
  });

  it('longer than a read are put together', async () => {
    const letters = await openDeadLetters(file);
    const long = letter('long', { event: 'x'.repeat(3_000_000) });
    await letters.put([letter('a'), long, letter('b')]);
    expect(await listed(letters)).toEqual([letter('a'), long, letter('b')]);
    await letters.close();
  });

  it('that find no place are refused, and taken once there is some', async () => {
    const dir = await temporary.make();
    let mounted = false;
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir], {
        stdio: 'ignore'
      });
      mounted = true;
    } catch {
      // Without the right to mount, a letter that no disk takes has to do.
    }
    const letters = await openDeadLetters(join(dir, 'letters.jsonl'));
    try {
      await letters.put([letter('a')]);
      const unwritable = mounted
        ? letter('b', { event: 'x'.repeat(300_000) })
        : letter('b', { event: 1n });
      await expect(letters.put([unwritable])).rejects.toThrow();
      expect(await listed(letters)).toEqual([letter('a')]);
      await letters.put([letter('b'), letter('c')]);
      expect((await letters.list()).map(one => one.uuid)).toEqual([
        'a',
        'b',
        'c'
      ]);
      expect(letters.counts().total).toBe(3);
    } finally {
      await letters.close();
      if (mounted) {
        execFileSync('umount', [dir]);
      }
    }
  });
});

describe('a letter', () => {
  it('has an id that stays, and is found by what it is', async () => {
    const letters = await openDeadLetters(file);
    await letters.put([
      letter('a'),
      letter('b', { stage: 'door', code: 'missing' }),
      letter('c', { course: 'other', at: '2026-11-22T00:00:00.000Z' })
    ]);
    const [a, b, c] = await letters.list();
    expect(new Set([a!.id, b!.id, c!.id]).size).toBe(3);
    expect(a!.id).toMatch(/^d_[0-9a-f]{16}$/);
    const found = async (filter: Parameters<DeadLetters['list']>[0]) =>
      (await letters.list(filter)).map(({ uuid }) => uuid);
    expect(await found({ course: 'demo' })).toEqual(['a', 'b']);
    expect(await found({ stage: 'door' })).toEqual(['b']);
    expect(await found({ code: 'refused', course: 'other' })).toEqual(['c']);
    expect(await found({ since: '2026-11-21T10:00:00.000Z' })).toEqual(['c']);
    expect(await found({ ids: [c!.id, a!.id] })).toEqual(['a', 'c']);
    await letters.close();
    const again = await openDeadLetters(file);
    expect((await again.list()).map(({ id }) => id)).toEqual([
      a!.id,
      b!.id,
      c!.id
    ]);
    await again.close();
  });

  it('that was settled counts no longer, once and over restarts', async () => {
    let letters = await openDeadLetters(file);
    await letters.put([letter('a'), letter('b', { stage: 'door' })]);
    const [a, b] = await letters.list();
    expect(await letters.settle([a!.id, a!.id, 'd_0'], 'replayed')).toBe(1);
    expect(await letters.settle([a!.id, b!.id], 'dropped')).toBe(1);
    for (let round = 0; round < 2; round += 1) {
      expect(letters.counts()).toMatchObject({
        total: 0,
        byCourse: {},
        byStage: {},
        settled: 2
      });
      expect(await letters.list()).toEqual([]);
      expect(
        (await letters.list({ state: 'all' })).map(({ state }) => state)
      ).toEqual(['replayed', 'dropped']);
      await letters.close();
      letters = await openDeadLetters(file);
    }
    await letters.close();
  });

  it('that is refused again after its replay is open again, with the new reason', async () => {
    let letters = await openDeadLetters(file);
    await letters.put([letter('a')]);
    const { id } = (await letters.list())[0]!;
    await letters.settle([id], 'replayed');
    await letters.put([letter('a', { reason: 'again' })]);
    await letters.close();
    letters = await openDeadLetters(file);
    expect(await letters.list({ state: 'all' })).toEqual([
      { ...letter('a', { reason: 'again' }), id, state: 'open' }
    ]);
    expect(letters.counts().total).toBe(1);
    await letters.close();
  });

  it('can be changed or dropped, and what went is nowhere in the file', async () => {
    let letters = await openDeadLetters(file);
    await letters.put(['a', 'b', 'c', 'd'].map(uuid => letter(uuid)));
    const ids = (await letters.list()).map(({ id }) => id);
    await letters.settle([ids[3]!], 'replayed');
    const seen: string[] = [];
    const done = await letters.rewrite(one => {
      seen.push(`${one.uuid} ${one.state}`);
      return one.uuid === 'a'
        ? 'drop'
        : one.uuid === 'b'
          ? letter('b', { event: 'changed' })
          : 'keep';
    });
    expect(seen).toEqual(['a open', 'b open', 'c open', 'd replayed']);
    expect(done).toEqual({ letters: 4, changed: 1, dropped: 1 });
    await letters.put([letter('e')]);
    const text = await readFile(file, 'utf8');
    expect(text).not.toContain('"uuid":"a"');
    for (let round = 0; round < 2; round += 1) {
      expect(
        (await letters.list({ state: 'all' })).map(
          one => `${one.uuid} ${one.state} ${JSON.stringify(one.event)}`
        )
      ).toEqual([
        'b open "changed"',
        ...['c open', 'd replayed', 'e open'].map(
          what => `${what} ${JSON.stringify(letter('').event)}`
        )
      ]);
      await letters.close();
      letters = await openDeadLetters(file);
    }
    await letters.close();
  });
});

describe('a file that grows too large', () => {
  it('loses what is settled, then the oldest letters, and counts these', async () => {
    const evicted: number[] = [];
    const options = {
      maxBytes: 20_000,
      onEvicted: (count: number) => void evicted.push(count)
    };
    let letters = await openDeadLetters(file, options);
    const fill = 'x'.repeat(900);
    await letters.put([letter('first', { event: fill })]);
    const [first] = await letters.list();
    await letters.settle([first!.id], 'replayed');
    let put = 0;
    while (evicted.length === 0) {
      put += 1;
      await letters.put([letter(`n${put}`, { event: fill })]);
      expect((await stat(file)).size).toBeLessThan(20_000);
    }
    const [gone] = evicted as [number];
    expect(gone).toBeGreaterThan(0);
    const left = await letters.list({ state: 'all' });
    expect(left.map(({ uuid }) => uuid)).toEqual(
      Array.from({ length: put - gone }, (_, index) => `n${gone + index + 1}`)
    );
    for (let round = 0; round < 2; round += 1) {
      expect(letters.counts()).toMatchObject({
        total: put - gone,
        settled: 0,
        evicted: gone
      });
      await letters.close();
      letters = await openDeadLetters(file, options);
    }
    await letters.close();
  });

  it('is as it was where a crash ends the making of room', async () => {
    const letters = await openDeadLetters(file);
    await letters.put([letter('a')]);
    await letters.close();
    await writeFile(`${file}.new`, '{"half a li');
    const again = await openDeadLetters(file, { maxBytes: 300 });
    expect(await listed(again)).toEqual([letter('a')]);
    await again.put([letter('b')]);
    expect(await listed(again)).toEqual([letter('b')]);
    expect(again.counts().evicted).toBe(1);
    await again.close();
  });
});
