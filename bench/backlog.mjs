/**
 * Memory of the PostHog pipeline with a long backlog: a log of so many events, PostHog away,
 * then back. The log is fabricated by a process of its own, and PostHog is one that counts and
 * keeps nothing, so what is printed is what log, feeder and sink take. Used by posthog.mjs.
 */
import { fork } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { openSegmentLog } from '../lib/relay/log/segmentLog.js';
import { openCursor } from '../lib/relay/pipeline/cursor.js';
import { startFeeder } from '../lib/relay/pipeline/feeder.js';
import { createWorkerSinks } from '../lib/relay/workers/workerSinks.js';

const HERE = fileURLToPath(import.meta.url);
const EVENTS_A_RECORD = 100;

/** Measures with a log of `events` events, and prints. */
export async function measureBacklog(events) {
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-bench-'));
  const posthog = fork(HERE, ['count']);
  try {
    const [{ port }] = await once(posthog, 'message');
    const fabricating = fork(HERE, ['fabricate', folder, String(events)]);
    const [code] = await once(fabricating, 'exit');
    if (code !== 0) {
      throw new Error('the log could not be fabricated');
    }
    await feed(folder, port, posthog, events);
  } finally {
    posthog.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

async function feed(folder, port, posthog, events) {
  const log = await openSegmentLog({ dir: join(folder, 'log') });
  const workers = createWorkerSinks();
  const sink = workers.createPostHogSink({
    name: 'posthog',
    host: `http://127.0.0.1:${port}`,
    apiKey: 'phc_test'
  });
  const mb = bytes => `${(bytes / 1e6).toFixed(0)} MB`;
  let highest = 0;
  const watch = setInterval(() => {
    highest = Math.max(highest, process.memoryUsage.rss());
  }, 50);
  const before = process.memoryUsage.rss();
  console.log(
    `a log of ${events} events, ${mb(log.status().bytes)} on disk; RSS ${mb(before)} with the log open`
  );
  let retries = 0;
  const feeder = startFeeder({
    log,
    sink,
    cursor: await openCursor(join(folder, 'cursors', 'posthog.json')),
    deadLetters: {
      put: () => Promise.reject(new Error('nothing is to be set aside'))
    },
    sleep: async () => {
      retries += 1;
      await pause(2);
    },
    once: true
  });
  posthog.send('away');
  while (retries < 500) {
    await pause(20);
  }
  console.log(`PostHog away, ${retries} attempts: RSS at most ${mb(highest)}`);
  highest = 0;
  posthog.send('back');
  const started = performance.now();
  const cpu = process.cpuUsage();
  await feeder.done;
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  clearInterval(watch);
  posthog.send('tell');
  const [{ counted }] = await once(posthog, 'message');
  console.log(
    `PostHog back, all delivered: RSS at most ${mb(highest)}, ${(events / seconds).toFixed(0)} events/s, ${((user + system) / events).toFixed(1)} µs of CPU an event`
  );
  if (counted < events) {
    throw new Error(`${counted} of ${events} events arrived`);
  }
  await feeder.stop();
  await sink.close();
  await workers.close();
  await log.close();
}

async function fabricate(folder, events) {
  const log = await openSegmentLog({ dir: join(folder, 'log') });
  const at = new Date().toISOString();
  for (let first = 0; first < events;) {
    const writing = [];
    for (let n = 0; n < 64 && first < events; n += 1) {
      const count = Math.min(EVENTS_A_RECORD, events - first);
      const batch = Array.from({ length: count }, (_, index) => ({
        event: 'cell',
        distinct_id: `STUDENT-${index}`,
        uuid: randomUUID(),
        timestamp: at,
        properties: {
          nb: 'intro',
          sess: 'aB3dE5gH',
          student: `STUDENT-${index}`,
          v: '0.1.0',
          src: 'lab',
          seq: first + index,
          cell_id: 'mean',
          cell_num: 4,
          code: null,
          status: 'ok',
          ms: 12,
          err: null
        }
      }));
      const header = { v: 1, at, course: 'bench', key: 'k', skew: 0, n: count };
      writing.push(log.append(header, Buffer.from(JSON.stringify({ batch }))));
      first += count;
    }
    await Promise.all(writing);
  }
  await log.close();
}

/** A PostHog that counts the ids it gets. */
async function count() {
  let isAway = false;
  let counted = 0;
  const server = createServer(async (request, response) => {
    const chunks = await request.toArray();
    if (!isAway) {
      const body = gunzipSync(Buffer.concat(chunks)).toString();
      counted += body.split('"uuid":').length - 1;
    }
    response.statusCode = isAway ? 503 : 200;
    response.end(isAway ? 'away' : '{"status":"Ok"}');
  });
  server.listen(0, '127.0.0.1', () =>
    process.send({ port: server.address().port })
  );
  process.on('message', word => {
    if (word === 'tell') {
      process.send({ counted });
    } else {
      isAway = word === 'away';
    }
  });
}

const [, script, role, folder, events] = process.argv;
if (script === HERE && role === 'count') {
  await count();
} else if (script === HERE && role === 'fabricate') {
  await fabricate(folder, Number(events));
}
