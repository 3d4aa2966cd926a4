/**
 * How many events a second go through a door's forwarder into NATS JetStream, and through a consumer
 * into another relay's log, beside a bare publisher of the same messages: same run, same server,
 * rounds in turn. `node bench/forward.mjs [--records 3000] [--rounds 3] [--events 50] [--json]`.
 * Build first (`npm run build`); nats-server must be installed, or named in NATS_SERVER.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { findNats } from '../scripts/setup/nats.mjs';

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '3000' },
    rounds: { type: 'string', default: '3' },
    events: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    // What to be, for the processes that this one starts.
    role: { type: 'string' },
    url: { type: 'string' },
    data: { type: 'string' }
  }
});
const RECORDS = Number(values.records);
const ROUNDS = Number(values.rounds);
const EVENTS = Number(values.events);
/** As the forwarder has it. */
const WINDOW = 64;
const COURSE = 'bench';

const lib = path => import(new URL(`../lib/relay/${path}`, import.meta.url));
const ROLES = { fill, bare, forward, consume };

async function engine() {
  const { natsEngine } = await lib('forward/nats.js');
  const { parseAddress } = await lib('forward/address.js');
  return natsEngine(parseAddress(values.url), () =>
    Promise.resolve({ kind: 'none' })
  );
}

const openLog = async dir =>
  (await lib('log/segmentLog.js')).openSegmentLog({ dir: join(dir, 'log') });

const never = {
  put: () => Promise.reject(new Error('an event was set aside'))
};

if (values.role) {
  await ROLES[values.role]();
} else {
  await main();
}

/** Fills a log as a door does. */
async function fill() {
  const log = await openLog(values.data);
  for (let n = 0; n < RECORDS; n += WINDOW) {
    await Promise.all(
      Array.from({ length: Math.min(WINDOW, RECORDS - n) }, (_, i) =>
        log.append(headerOf(), bodyOf(n + i))
      )
    );
  }
  await log.close();
  tell({});
}

/** The same messages, published by the client alone. */
async function bare() {
  const { messagesOf } = await lib('forward/message.js');
  const publisher = await (await engine()).publisher();
  const messages = Array.from({ length: RECORDS }, (_, n) => {
    const record = { seq: n + 1, header: headerOf(), body: bodyOf(n) };
    return messagesOf(record, 'd0', 1e6).messages[0];
  });
  const measure = begin();
  let next = 0;
  const worker = async () => {
    while (next < messages.length) {
      next += 1;
      await publisher.publish(messages[next - 1]);
    }
  };
  await Promise.all(Array.from({ length: WINDOW }, worker));
  tell(measure());
  await publisher.close();
}

async function forward() {
  const { startForwarder } = await lib('forward/forwarder.js');
  const { openPlace } = await lib('forward/place.js');
  const log = await openLog(values.data);
  const place = await openPlace(
    join(values.data, 'cursors', 'forward.json'),
    Date.now()
  );
  const using = await engine();
  const measure = begin();
  const forwarder = startForwarder({
    log,
    engine: using,
    door: 'd1',
    place,
    deadLetters: never,
    keepMs: 3_600_000,
    safe: 'auto'
  });
  await until(() => forwarder.status().lag === 0);
  tell(measure());
  await forwarder.stop();
  await log.close();
}

async function consume() {
  const { startConsumer } = await lib('forward/consumer.js');
  const { createDuplicateWindow } = await lib('door/duplicates.js');
  const log = await openLog(values.data);
  const using = await engine();
  const measure = begin();
  const consumer = startConsumer({
    log,
    engine: using,
    share: { index: 0, count: 1 },
    duplicates: createDuplicateWindow({ days: 7 }),
    courses: { course: () => ({}) },
    deadLetters: never
  });
  await until(() => consumer.status().delivered === RECORDS * EVENTS);
  tell(measure());
  await consumer.stop();
  await log.close();
}

async function main() {
  const nats = await findNats();
  if (!nats) {
    console.error('nats-server is missing: apt-get install nats-server');
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-forward-'));
  const port = await freePort();
  const config = join(folder, 'nats.conf');
  writeFileSync(
    config,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/nats" }\n`
  );
  const server = spawn(nats.file, ['-c', config], { stdio: 'ignore' });
  try {
    const door = join(folder, 'door');
    await child('fill', { data: door });
    const results = { bare: [], forward: [], consume: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      const at = name => `nats://127.0.0.1:${port}/${name}-${round}`;
      results.bare.push(await child('bare', { url: at('bare') }));
      rmSync(join(door, 'cursors'), { recursive: true, force: true });
      results.forward.push(
        await child('forward', { url: at('way'), data: door })
      );
      const reader = join(folder, `reader-${round}`);
      results.consume.push(
        await child('consume', { url: at('way'), data: reader })
      );
      rmSync(reader, { recursive: true, force: true });
    }
    report(results, nats.version);
  } finally {
    server.kill('SIGKILL');
    await once(server, 'exit');
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(results, version) {
  const rate = run => (RECORDS * EVENTS) / run.seconds;
  const cpu = run => (run.cpuSeconds / (RECORDS * EVENTS)) * 1e6;
  const rows = Object.fromEntries(
    Object.entries(results).map(([name, runs]) => {
      const ratios = runs.map((run, i) => rate(run) / rate(results.bare[i]));
      return [
        name,
        {
          eventsPerSecond: Math.round(median(runs.map(rate))),
          cpuMicrosPerEvent: round2(median(runs.map(cpu))),
          ratio: round2(median(ratios)),
          ratioRange: [Math.min(...ratios), Math.max(...ratios)].map(round2)
        }
      ];
    })
  );
  if (values.json) {
    console.info(JSON.stringify({ version, records: RECORDS, ...rows }));
    return;
  }
  console.info(
    `nats-server ${version}, one node; ${RECORDS} messages of ${EVENTS} events (${bodyOf(0).length} bytes), ${ROUNDS} rounds`
  );
  const names = {
    bare: 'bare publisher',
    forward: 'forwarder, from the log',
    consume: 'consumer, into the log'
  };
  for (const [name, row] of Object.entries(rows)) {
    console.info(
      `${names[name].padEnd(24)} ${String(row.eventsPerSecond).padStart(8)} events/s   ${row.cpuMicrosPerEvent} µs of CPU an event   ratio ${row.ratio} (${row.ratioRange.join(' to ')})`
    );
  }
}

/** Begins to measure; the function gives what passed since. */
function begin() {
  const began = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return {
      seconds: (performance.now() - began) / 1000,
      cpuSeconds: (user + system) / 1e6
    };
  };
}

function headerOf() {
  return {
    v: 1,
    at: new Date().toISOString(),
    course: COURSE,
    key: 'k_bench',
    skew: 0,
    n: EVENTS
  };
}

/** A body of events as the extension sends them; every event of every record has an id of its own. */
function bodyOf(record) {
  const batch = Array.from({ length: EVENTS }, (_, i) => ({
    event: 'cell',
    distinct_id: 'GRACE-HOPPER',
    uuid: `00000000-0000-5000-8000-${String(record * EVENTS + i).padStart(12, '0')}`,
    timestamp: '2026-03-02T08:00:00.000Z',
    properties: {
      nb: 'intro-to-python',
      sess: 'aB3dE5gH',
      student: 'GRACE-HOPPER',
      v: '0.1.0',
      src: 'lab',
      seq: i + 1,
      cell_id: 'mean',
      cell_num: i + 1,
      code: null,
      status: 'ok',
      ms: 12,
      err: null,
      count: i + 1,
      lines: 7,
      nb_cell: '3f2a9c10-5b7e-4a59-9d0c-2f6f3f0d1c11',
      browser:
        'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36',
      frontend: 'JupyterLab 4.6.2'
    }
  }));
  return Buffer.from(JSON.stringify({ api_key: 'x'.repeat(36), batch }));
}

async function until(look) {
  while (!look()) {
    await new Promise(resolve => setTimeout(resolve, 2));
  }
}

function tell(result) {
  console.info(JSON.stringify(result));
}

/** Runs one role in a process of its own. */
function child(role, options) {
  const args = [fileURLToPath(import.meta.url), '--role', role];
  for (const [name, value] of Object.entries(options)) {
    args.push(`--${name}`, value);
  }
  args.push('--records', values.records, '--events', values.events);
  return new Promise((resolve, reject) => {
    const started = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit']
    });
    let text = '';
    started.stdout.on('data', chunk => (text += chunk));
    started.once('exit', code =>
      code === 0
        ? resolve(JSON.parse(text))
        : reject(new Error(`${role} ended with ${code}`))
    );
  });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

function round2(number) {
  return Math.round(number * 100) / 100;
}
