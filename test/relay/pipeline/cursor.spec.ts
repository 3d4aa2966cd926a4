/** A sink's place survives, and a damaged one costs repetition, never records. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  memoryCursor,
  openCursor
} from '../../../src/relay/pipeline/cursor.js';
import { folders } from '../log/support.js';

const temporary = folders();
afterAll(() => temporary.remove());

describe('a cursor', () => {
  it('starts at the log’s start and is found again where it was moved to', async () => {
    const file = join(await temporary.make(), 'cursors', 'posthog.json');
    const cursor = await openCursor(file);
    expect(cursor.position()).toEqual({ seq: 1, skip: 0 });
    await cursor.move({ seq: 12, skip: 0 });
    await cursor.move({ seq: 12, skip: 34, of: 56 });
    expect(cursor.position()).toEqual({ seq: 12, skip: 34, of: 56 });
    const again = await openCursor(file);
    expect(again.position()).toEqual({ seq: 12, skip: 34, of: 56 });
    expect(again.problem).toBeNull();
    expect(await readdir(dirname(file))).toEqual(['posthog.json']);
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect((await stat(dirname(file))).mode & 0o777).toBe(0o700);
  });

  it('that makes no sense means the start, and says so', async () => {
    const file = join(await temporary.make(), 'sink.json');
    const odd = [
      '',
      'null',
      '{"seq":3',
      '{"seq":0,"skip":0}',
      '{"seq":1.5,"skip":0}',
      '{"seq":4}',
      '{"seq":"4","skip":0}',
      '{"seq":4,"skip":-1}'
    ];
    for (const content of odd) {
      await writeFile(file, content);
      const cursor = await openCursor(file);
      expect(cursor.position()).toEqual({ seq: 1, skip: 0 });
      expect(cursor.problem).toContain(`${file}: expected {"seq"`);
    }
  });

  it('that is left half written is not looked at', async () => {
    const file = join(await temporary.make(), 'sink.json');
    await (await openCursor(file)).move({ seq: 5, skip: 1 });
    await writeFile(`${file}.tmp`, '{"se');
    const cursor = await openCursor(file);
    expect(cursor.position()).toEqual({ seq: 5, skip: 1 });
    await cursor.move({ seq: 6, skip: 0 });
    expect(JSON.parse(await readFile(file, 'utf8'))).toEqual({
      seq: 6,
      skip: 0
    });
  });

  it('in memory starts anew', async () => {
    const cursor = memoryCursor();
    await cursor.move({ seq: 3, skip: 2 });
    expect(cursor.position()).toEqual({ seq: 3, skip: 2 });
    expect(memoryCursor().position()).toEqual({ seq: 1, skip: 0 });
  });
});
