/** A process that appends to a log until it is ended, and what it said was acknowledged. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { LogEngine } from '../../../src/relay/log/openLog.js';

const script = fileURLToPath(new URL('appendChild.mjs', import.meta.url));
const built = fileURLToPath(
  new URL('../../../lib/relay/log/openLog.js', import.meta.url)
);

/**
 * Lets a process append for a random while, then `cut`s it short and kills it.
 *
 * @returns ids by sequence number, as acknowledged before the cut.
 */
export async function appendUntil(
  dir: string,
  round: number,
  cut: () => void = () => undefined,
  engine: LogEngine = 'segments'
): Promise<Map<number, string>> {
  if (!existsSync(built)) {
    throw new Error(`${built} is missing: run \`npx tsc -b src/relay\` first.`);
  }
  const running = spawn(
    process.execPath,
    [script, dir, String(round), engine],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '' }
    }
  );
  let printed = '';
  let complaint = '';
  running.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  running.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
  const exit = once(running, 'close');
  await Promise.race([once(running.stdout, 'data'), exit]);
  await new Promise(resolve => setTimeout(resolve, Math.random() * 200));
  if (running.exitCode !== null) {
    throw new Error(`The process ended by itself: ${complaint}`);
  }
  cut();
  running.kill('SIGKILL');
  await exit;
  // The last line may be torn as well.
  const lines = printed.slice(0, printed.lastIndexOf('\n')).split('\n');
  return new Map(
    lines.map(line => {
      const [seq, id] = line.split(' ');
      return [Number(seq), id!];
    })
  );
}
