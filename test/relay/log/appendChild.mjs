/**
 * Appends to the log in a folder until it is killed, and prints `<seq> <id>` for each record
 * that was acknowledged. Uses the built files: `node appendChild.mjs <folder> <round> [engine]`.
 */
import { writeSync } from 'node:fs';
import { openLog } from '../../../lib/relay/log/openLog.js';

const [folder, round, engine = 'segments'] = process.argv.slice(2);
const log = await openLog(engine, { dir: folder, segmentBytes: 300_000 });
const header = {
  v: 1,
  at: new Date().toISOString(),
  course: 'demo',
  key: 'k1',
  skew: 0,
  n: 1
};
let count = 0;

async function post() {
  for (;;) {
    const id = `${round}-${(count += 1)}`;
    const size = Math.floor(Math.random() ** 4 * 30_000);
    const body = JSON.stringify({ id, fill: 'x'.repeat(size) });
    const seq = await log.append(header, Buffer.from(body));
    writeSync(1, `${seq} ${id}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, post));
