/** The log under SIGKILL at random moments: real processes, real files. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { folders, idOf, readAll } from './support.js';

jest.setTimeout(600_000);
const ROUNDS = process.env['LONG'] === '1' ? 100 : 8;
const child = fileURLToPath(new URL('appendChild.mjs', import.meta.url));
const built = fileURLToPath(
  new URL('../../../lib/relay/log/segmentLog.js', import.meta.url)
);

const temporary = folders();
afterAll(() => temporary.remove());

/** Lets a process append for a random while and kills it. Returns what it said was acknowledged. */
async function appendAndKill(
  dir: string,
  round: number
): Promise<Map<number, string>> {
  const running = spawn(process.execPath, [child, dir, String(round)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NODE_OPTIONS: '' }
  });
  let printed = '';
  let complaint = '';
  running.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  running.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const exit = once(running, 'close');
  await Promise.race([once(running.stdout, 'data'), exit]);
  await new Promise(resolve => setTimeout(resolve, Math.random() * 200));
  running.kill('SIGKILL');
  await exit;
  if (running.signalCode !== 'SIGKILL') {
    throw new Error(`The process ended by itself: ${complaint}`);
  }
  // The last line may be torn as well.
  const lines = printed.slice(0, printed.lastIndexOf('\n')).split('\n');
  return new Map(
    lines.map(line => {
      const [seq, id] = line.split(' ');
      return [Number(seq), id!];
    })
  );
}

describe('the log under SIGKILL', () => {
  it(`keeps every acknowledged record once, over ${ROUNDS} kills`, async () => {
    if (!existsSync(built)) {
      throw new Error(
        `${built} is missing: run \`npx tsc -b src/relay\` first.`
      );
    }
    const dir = await temporary.make();
    const acknowledged = new Map<number, string>();
    for (let round = 0; round < ROUNDS; round += 1) {
      const fresh = await appendAndKill(dir, round);
      expect(fresh.size).toBeGreaterThan(0);
      for (const [seq, id] of fresh) {
        expect(acknowledged.has(seq)).toBe(false);
        acknowledged.set(seq, id);
      }
      const log = await openSegmentLog({ dir });
      const found = new Map<number, string>();
      const ids = new Set<string>();
      for (const record of await readAll(log)) {
        found.set(record.seq, idOf(record));
        ids.add(idOf(record));
      }
      expect(ids.size).toBe(found.size);
      const lost = [...acknowledged].filter(
        ([seq, id]) => found.get(seq) !== id
      );
      expect(lost).toEqual([]);
      expect(log.status().damaged).toBe(0);
      await log.close();
    }
    expect(acknowledged.size).toBeGreaterThan(ROUNDS * 10);
  });
});
