/**
 * How many events a second the event log makes durable, as a ratio to the same writes without
 * a flush and to one flush per append in the same run. Run after `tsc -b src/relay`:
 * `node bench/log.mjs [seconds per measurement] [folder]`.
 */
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { nodeDisk } from '../lib/relay/log/disk.js';
import { openSegmentLog } from '../lib/relay/log/segmentLog.js';

const seconds = Number(process.argv[2] ?? 1);
const folder = process.argv[3] ?? tmpdir();
const ROUNDS = 5;
const EVENTS = 50;

const body = Buffer.from(
  JSON.stringify({
    batch: Array.from({ length: EVENTS }, (_, index) => ({
      event: 'cell',
      distinct_id: 'ADA-LOVELACE',
      uuid: '0190163d-8694-739b-aea5-966c26f8ad91',
      timestamp: '2026-11-21T09:30:00.000Z',
      properties: {
        nb: 'lesson-1',
        sess: 'k3Jx9QwE',
        seq: index + 1,
        code: 'x'.repeat(330)
      }
    })),
    sent_at: '2026-11-21T09:30:01.000Z'
  })
);
const header = {
  v: 1,
  at: '2026-11-21T09:30:01.000Z',
  course: 'demo',
  key: 'k1',
  skew: 0,
  n: EVENTS
};

/** The real disk, except that it never flushes. Not durable. */
const lazyDisk = {
  ...nodeDisk,
  create: async path => lazy(await nodeDisk.create(path)),
  open: async (path, mode) => lazy(await nodeDisk.open(path, mode))
};

function lazy(file) {
  file.flush = () => Promise.resolve();
  return file;
}

/** What a log would be without groups: each append is written and flushed by itself. */
async function openPlainLog(dir) {
  const file = await open(join(dir, 'plain'), 'w');
  let tail = Promise.resolve();
  let at = 0;
  return {
    append(head, bytes) {
      tail = tail.then(async () => {
        const line = Buffer.from(JSON.stringify(head));
        const { bytesWritten } = await file.writev([line, bytes], at);
        at += bytesWritten;
        await file.datasync();
      });
      return tail;
    },
    close: () => file.close()
  };
}

const ways = {
  log: dir => openSegmentLog({ dir }),
  'no flush': dir => openSegmentLog({ dir, disk: lazyDisk }),
  'flush each': openPlainLog
};

async function measure(openLog, posters) {
  const dir = await mkdtemp(join(folder, 'bench-log-'));
  const log = await openLog(dir);
  const latencies = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  const end = start + seconds * 1000;
  let appends = 0;
  const post = async () => {
    while (performance.now() < end) {
      const before = performance.now();
      await log.append(header, body);
      latencies.push(performance.now() - before);
      appends += 1;
    }
  };
  await Promise.all(Array.from({ length: posters }, post));
  const elapsed = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  await log.close();
  await rm(dir, { recursive: true });
  latencies.sort((a, b) => a - b);
  return {
    rate: (appends * EVENTS) / elapsed,
    cpu: (user + system) / (appends * EVENTS),
    p99: latencies[Math.floor(latencies.length * 0.99)]
  };
}

const median = numbers =>
  numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

console.log(
  `${EVENTS} events of ${Math.round(body.length / EVENTS)} bytes per append, ${ROUNDS} rounds of ${seconds} s, medians\n`
);
console.log(
  'posters  durable events/s  p99 ms  CPU us/event  to no flush  to flush each'
);
for (const posters of [1, 16, 64]) {
  const results = Object.fromEntries(Object.keys(ways).map(name => [name, []]));
  // Interleaved, so that a busy moment meets all three alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [name, openLog] of Object.entries(ways)) {
      results[name].push(await measure(openLog, posters));
    }
  }
  const rates = name => results[name].map(result => result.rate);
  const ratio = name =>
    median(results.log.map((r, i) => r.rate / results[name][i].rate));
  console.log(
    [
      String(posters).padStart(7),
      Math.round(median(rates('log')))
        .toLocaleString('en')
        .padStart(16),
      median(results.log.map(r => r.p99))
        .toFixed(2)
        .padStart(6),
      median(results.log.map(r => r.cpu))
        .toFixed(2)
        .padStart(12),
      ratio('no flush').toFixed(2).padStart(11),
      ratio('flush each').toFixed(2).padStart(13)
    ].join('  ')
  );
}
