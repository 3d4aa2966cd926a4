/** `log show`, `log verify` and `log compact`: beside a running relay and without one, whole and damaged logs. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { progressBar } from '../../src/cli/progress.js';
import { run } from '../../src/cli/run.js';
import { openLog } from '../../src/relay/log/openLog.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../relay/support/testRelay.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-log-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number;
  out: string;
  err: string;
}

async function cli(data: string, ...argv: string[]): Promise<Outcome> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await run(
    argv,
    { IPYNB_TELEMETRY_DATA: data },
    { out: line => out.push(line), err: line => err.push(line) }
  );
  return { code, out: out.join('\n'), err: err.join('\n') };
}

/** A data folder whose log has one record with one event for each course named. */
async function fill(
  courses: readonly string[],
  engine: 'segments' | 'lmdb' = 'segments'
): Promise<string> {
  const dir = join(folder, 'log');
  const log = await openLog(engine, { dir, segmentBytes: 1500 });
  for (const [index, course] of courses.entries()) {
    await log.append(
      {
        v: 1,
        at: new Date(Date.UTC(2026, 8, 1 + index)).toISOString(),
        course,
        key: 'k1',
        skew: 0,
        n: 1
      },
      Buffer.from(
        JSON.stringify({
          api_key: 'nbt_demo',
          batch: [
            { ...cellEvent(index, { token: 'nbt_demo' }), api_key: 'nbt_demo' }
          ]
        })
      )
    );
  }
  await log.close();
  return dir;
}

describe('log show', () => {
  for (const engine of ['segments', 'lmdb'] as const) {
    it(`lists the records of ${engine}, by number and course`, async () => {
      await fill(['a', 'b', 'a', 'b', 'a'], engine);
      const json = async (...options: string[]): Promise<unknown[]> => {
        const { code, out, err } = await cli(
          folder,
          'log',
          'show',
          '--jsonl',
          ...options
        );
        expect([code, err]).toEqual([0, '']);
        return out
          .split('\n')
          .map(line => (JSON.parse(line) as { seq: number }).seq);
      };
      expect(await json()).toEqual([1, 2, 3, 4, 5]);
      expect(await json('--course', 'b')).toEqual([2, 4]);
      expect(await json('--from', '3', '--to', '4')).toEqual([3, 4]);
      const { out } = await cli(folder, 'log', 'show');
      expect(out.split('\n')).toHaveLength(6);
      expect(out).toContain('2026-09-03T00:00:00.000Z');
    });
  }

  it('prints events without keys', async () => {
    await fill(['a', 'b']);
    const { out } = await cli(folder, 'log', 'show', '--events', '--json');
    const records = JSON.parse(out) as { events: { event: string }[] }[];
    expect(records.map(({ events }) => events[0]!.event)).toEqual([
      'cell',
      'cell'
    ]);
    expect(out).toContain('ADA-LOVELACE');
    expect(out).not.toContain('nbt_');
    expect(out).not.toContain('k1');
  });

  it('says what it cannot take', async () => {
    await fill(['a']);
    expect(await cli(folder, 'log', 'show', '--from', 'x')).toMatchObject({
      code: 2,
      err: expect.stringContaining(
        '--from: expected a sequence number, got "x"'
      )
    });
    await rm(join(folder, 'log'), { recursive: true });
    await writeFile(join(folder, 'courses.json'), '{}');
    expect((await cli(folder, 'log', 'show', '--json')).out).toBe('[]');
    expect(await cli(folder, 'log', 'verify')).toMatchObject({ code: 0 });
  });
});

describe('log verify', () => {
  it('finds a whole log whole, in both engines', async () => {
    for (const engine of ['segments', 'lmdb'] as const) {
      await fill(['a', 'b', 'c'], engine);
      expect(await cli(folder, 'log', 'verify')).toEqual({
        code: 0,
        out: '3 records with 3 events (1 to 3), no damage',
        err: ''
      });
      await rm(join(folder, 'log'), { recursive: true });
    }
  });

  it('reports each damaged place with file, offset and numbers', async () => {
    const dir = await fill(['a', 'b', 'c', 'd', 'e', 'f']);
    const [first] = (await readdir(dir)).sort();
    const bytes = await readFile(join(dir, first!));
    bytes[64 + 100]! ^= 4;
    bytes[10]! ^= 1;
    await writeFile(join(dir, first!), bytes);
    const { code, out } = await cli(folder, 'log', 'verify', '--json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      ok: false,
      records: 5,
      damage: [
        { segment: first, offset: 0, seqs: null },
        { segment: first, offset: 64, seqs: { from: 1, to: 1 } }
      ]
    });
    const text = await cli(folder, 'log', 'verify');
    expect(text.out).toContain(`${first!} at 64: `);
    expect(text.out).toContain('records 1 to 1');
    expect(text.out).toContain('2 damaged places');
  });
});

describe('beside a running relay', () => {
  let relay: TestRelay;
  afterEach(() => relay.remove());

  it('all three work', async () => {
    relay = await startTestRelay();
    for (let n = 0; n < 4; n += 1) {
      const { status } = await relay.post({
        api_key: relay.key,
        batch: [cellEvent(n)]
      });
      expect(status).toBe(200);
    }
    const { folder: data } = relay;
    expect(await cli(data, 'log', 'verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('4 records with 4 events (1 to 4)')
    });
    const shown = await cli(data, 'log', 'show', '--json', '--events');
    expect(JSON.parse(shown.out)).toHaveLength(4);
    const compacted = await cli(data, 'log', 'compact', '--json');
    expect(JSON.parse(compacted.out)).toMatchObject({
      segments: 0,
      dropped: 0
    });
    // Younger than the duplicate window: kept, and said.
    const held = await cli(
      data,
      'log',
      'compact',
      '--before',
      new Date(Date.now() + 1000).toISOString()
    );
    expect(held.out).toContain('the duplicate window needs it');
    expect(
      (await relay.post({ api_key: relay.key, batch: [cellEvent(9)] })).status
    ).toBe(200);
    expect(await relay.records()).toHaveLength(5);
  });
});

describe('log compact', () => {
  it('without a relay removes no event', async () => {
    await fill(['a', 'b', 'c', 'd']);
    const { code, out } = await cli(
      folder,
      'log',
      'compact',
      '--before',
      '2026-12-01'
    );
    expect(code).toBe(0);
    expect(out).toContain('start the relay');
    expect((await cli(folder, 'log', 'verify')).out).toContain('4 records');
    expect(
      await cli(folder, 'log', 'compact', '--before', 'soon')
    ).toMatchObject({ code: 2 });
  });
});

describe('the bar', () => {
  it('shows how far it is on a terminal only, and goes away', () => {
    const written: string[] = [];
    const stream = { isTTY: true, write: (text: string) => written.push(text) };
    const bar = progressBar('Checking', stream);
    bar.show(1, 2);
    bar.clear();
    expect(written[0]).toBe(
      `\rChecking [${'#'.repeat(15)}${'.'.repeat(15)}] 50 %`
    );
    expect(written.at(-1)).toBe('\r\u001b[K');
    const quiet = progressBar('Checking', { ...stream, isTTY: false });
    quiet.show(1, 2);
    quiet.clear();
    expect(written).toHaveLength(2);
  });
});
