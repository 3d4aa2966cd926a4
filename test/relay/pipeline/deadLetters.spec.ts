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
  type DeadLetter
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

describe('dead letters', () => {
  it('are on disk when put resolves, one object a line', async () => {
    const letters = await openDeadLetters(file);
    const put = [letter('a'), letter('b', { stage: 'door', course: 'other' })];
    await letters.put(put);
    const lines = (await readFile(file, 'utf8')).split('\n');
    expect(lines.slice(0, -1).map(line => JSON.parse(line))).toEqual(put);
    expect(lines.at(-1)).toBe('');
    expect(await letters.list()).toEqual(put);
    expect(letters.counts()).toEqual({
      total: 2,
      byCourse: { demo: 1, other: 1 },
      byStage: { posthog: 1, door: 1 }
    });
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
      expect(await letters.list()).toEqual([letter('a'), letter(null)]);
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
    expect(await letters.list()).toEqual(put);
    await letters.close();
  });

  it('written twice by a crash between writing and noting count once', async () => {
    const line = `${JSON.stringify(letter('a'))}\n`;
    const letters = await openDeadLetters(file);
    await letters.close();
    await writeFile(file, line + line);
    const again = await openDeadLetters(file);
    expect(await again.list()).toEqual([letter('a')]);
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
      expect(await letters.list()).toEqual([letter('a')]);
      await letters.put([letter('c')]);
      expect(await letters.list()).toEqual([letter('a'), letter('c')]);
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
    expect(await again.list()).toEqual([letter('a'), letter('b')]);
    await again.close();
  });

  it('longer than a read are put together', async () => {
    const letters = await openDeadLetters(file);
    const long = letter('long', { event: 'x'.repeat(3_000_000) });
    await letters.put([letter('a'), long, letter('b')]);
    expect(await letters.list()).toEqual([letter('a'), long, letter('b')]);
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
      expect(await letters.list()).toEqual([letter('a')]);
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
