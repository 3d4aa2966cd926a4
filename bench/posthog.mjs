/**
 * What the PostHog sink costs: events a second through the sink, against a bare fetch
 * that posts the very same gzipped bodies, both to the stand-in PostHog in a process of
 * its own. Prints the ratio of the medians; nothing may be lost in either.
 *
 *   npm run build && node bench/posthog.mjs [rounds, 5 by default]
 *
 * With a backlog it prints instead what memory the relay's side takes (see backlog.mjs):
 *
 *   node bench/posthog.mjs --backlog 10000000     (about 330 bytes of disk an event)
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gunzipSync, gzip } from 'node:zlib';
import { createPostHogSink } from '../lib/sinks/index.js';
import { measureBacklog } from './backlog.mjs';

if (process.argv[2] === '--backlog') {
  await measureBacklog(Number(process.argv[3] ?? 1_000_000));
  process.exit(0);
}

const ROUNDS = Number(process.argv[2] ?? 5);
const BATCH = 500;
const BATCHES = 40;

const standIn = spawn(
  process.execPath,
  [
    fileURLToPath(
      new URL('../test/support/posthog-stand-in.mjs', import.meta.url)
    ),
    '--port',
    '0'
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] }
);
const [host] = await once(createInterface(standIn.stdout), 'line');

try {
  const bySink = [];
  const cpuShares = [];
  const byFetch = [];
  const byFetchWithGzip = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const batches = makeBatches();
    await forget();
    const [sinkRate, sinkCpu] = await withCpu(() => throughSink(batches));
    const bodies = await bodiesOf(batches);
    await forget();
    const fetchRate = await throughFetch(bodies, async body => body);
    await forget();
    const unpacked = bodies.map(unpack);
    const [gzipRate, gzipCpu] = await withCpu(() =>
      throughFetch(unpacked, pack)
    );
    if (round > 0) {
      // Round 0 warms up.
      bySink.push(sinkRate);
      byFetch.push(fetchRate);
      byFetchWithGzip.push(gzipRate);
      cpuShares.push(gzipCpu / sinkCpu);
    }
  }
  const [sink, bare, zipping] = [bySink, byFetch, byFetchWithGzip].map(median);
  const line = (name, rate, list) =>
    `${name.padEnd(34)} ${rate.toFixed(0).padStart(8)} events/s  (${Math.min(...list).toFixed(0)}–${Math.max(...list).toFixed(0)})`;
  console.log(`${ROUNDS} rounds of ${BATCHES} batches of ${BATCH} events`);
  console.log(line('PostHog sink', sink, bySink));
  console.log(line('fetch, bodies ready', bare, byFetch));
  console.log(line('fetch, stringify and gzip', zipping, byFetchWithGzip));
  console.log(`sink / fetch of ready bodies       ${(sink / bare).toFixed(2)}`);
  console.log(
    `sink / fetch that makes its bodies ${(sink / zipping).toFixed(2)} (by CPU time ${median(cpuShares).toFixed(2)})`
  );
} finally {
  standIn.kill();
}

async function throughSink(batches) {
  const sink = createPostHogSink({
    name: 'bench',
    host,
    apiKey: 'phc_test',
    maxBatch: BATCH
  });
  const started = performance.now();
  for (const batch of batches) {
    const outcome = await sink.deliver(batch);
    if (outcome.kind !== 'ok') {
      throw new Error(outcome.reason);
    }
  }
  const seconds = (performance.now() - started) / 1000;
  await sink.close();
  await nothingLost();
  return (BATCH * BATCHES) / seconds;
}

/** What `act` gives, and the CPU time that this process took for it, in µs. */
async function withCpu(act) {
  const before = process.cpuUsage();
  const result = await act();
  const { user, system } = process.cpuUsage(before);
  return [result, user + system];
}

async function throughFetch(items, bodyOf) {
  const started = performance.now();
  for (const item of items) {
    const response = await fetch(`${host}/batch/`, {
      method: 'POST',
      headers: {
        'Content-Type': 'application/json',
        'Content-Encoding': 'gzip'
      },
      body: await bodyOf(item)
    });
    await response.text();
    if (response.status !== 200) {
      throw new Error(`the stand-in answered ${response.status}`);
    }
  }
  const seconds = (performance.now() - started) / 1000;
  await nothingLost();
  return (BATCH * BATCHES) / seconds;
}

/** The bodies that the sink makes of the batches, taken from the wire. */
async function bodiesOf(batches) {
  const original = globalThis.fetch;
  const bodies = [];
  globalThis.fetch = async (url, init) => {
    if (init?.body) {
      bodies.push(init.body);
    }
    return original(url, init);
  };
  try {
    await throughSink(batches);
  } finally {
    globalThis.fetch = original;
  }
  return bodies;
}

async function nothingLost() {
  const stored = await (await fetch(`${host}/_stored`)).json();
  if (stored.length !== BATCH * BATCHES) {
    throw new Error(`${stored.length} of ${BATCH * BATCHES} events arrived`);
  }
}

async function forget() {
  await fetch(`${host}/_reset`, { method: 'POST' });
}

function unpack(body) {
  return JSON.parse(gunzipSync(body).toString());
}

async function pack(body) {
  return promisify(gzip)(JSON.stringify(body));
}

function median(list) {
  const sorted = [...list].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}

function makeBatches() {
  const at = Date.now();
  return Array.from({ length: BATCHES }, (_, batch) =>
    Array.from({ length: BATCH }, (_, index) => {
      const seq = batch * BATCH + index + 1;
      const timestamp = new Date(at + seq).toISOString();
      const common = { student: `STUDENT-${seq % 100}`, course: 'bench', seq };
      return {
        schema_version: 'telemetry_event_v1',
        channel: 'user',
        event: 'cell',
        timestamp,
        uuid: randomUUID(),
        distinct_id: common.student,
        received_at: timestamp,
        ...common,
        session: 'aB3dE5gH',
        notebook: 'intro',
        payload: {
          ...common,
          nb: 'intro',
          sess: 'aB3dE5gH',
          v: '0.1.0',
          src: 'kernel',
          cell_id: 'mean',
          cell_num: seq,
          code: null,
          status: 'ok',
          ms: 12,
          err: null,
          count: seq,
          lines: 3
        }
      };
    })
  );
}
