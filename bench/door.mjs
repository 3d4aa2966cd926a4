/**
 * How many events a second the door makes durable, by itself and in the whole relay with the
 * page's sink behind it, beside a bare node:http server that only parses the same JSON: same run,
 * same load, rounds in turn. `node bench/door.mjs [--seconds 3]
 * [--rounds 3] [--connections 64] [--events 50] [--json]`. Build first (`npm run build`).
 */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '64' },
    events: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    // Which server to be, for the processes that this one starts.
    floor: { type: 'boolean', default: false },
    door: { type: 'string' }
  }
});
const SECONDS = Number(values.seconds);
const ROUNDS = Number(values.rounds);
const CONNECTIONS = Number(values.connections);
const EVENTS = Number(values.events);
const CLI = fileURLToPath(new URL('../lib/cli/main.js', import.meta.url));
const TICKS_PER_SECOND = 100;

if (values.floor) {
  await serveFloor();
} else if (values.door) {
  await serveDoor(values.door);
} else {
  await main();
}

/** The floor: what no server in this language can be faster than, if it looks at the events at all. */
async function serveFloor() {
  const { createServer } = await import('node:http');
  const answer = JSON.stringify({ status: 'Ok' });
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', chunk => chunks.push(chunk));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      response
        .writeHead(body.batch.length > 0 ? 200 : 400, {
          'content-type': 'application/json',
          'content-length': answer.length
        })
        .end(answer);
    });
  });
  server.listen(0, '127.0.0.1', () =>
    console.info(JSON.stringify({ port: server.address().port }))
  );
}

/** The door and its log, and no reader. */
async function serveDoor(data) {
  const { createServer } = await import('node:http');
  const lib = path => import(new URL(`../lib/relay/${path}`, import.meta.url));
  const { createDoor } = await lib('door/door.js');
  const { createDuplicateWindow } = await lib('door/duplicates.js');
  const { openSegmentLog } = await lib('log/segmentLog.js');
  const { openCourseStore } = await lib('courses/courseStore.js');
  const { compileRules } = await lib('privacy/rules.js');
  let rules;
  const door = createDoor({
    rulesOf: course => (rules ??= compileRules(course)),
    log: await openSegmentLog({ dir: join(data, 'log') }),
    deadLetters: { put: () => Promise.reject(new Error('a bad event')) },
    courses: openCourseStore(join(data, 'courses.json'), console.error),
    duplicates: createDuplicateWindow({ days: 7 }),
    bodyLimitBytes: 20_000_000,
    decompressedLimitBytes: 100_000_000,
    bodyTimeoutMs: 30_000,
    state: () => 'open'
  });
  const server = createServer((request, response) =>
    door(request, response, '/batch/')
  );
  server.listen(0, '127.0.0.1', () =>
    console.info(JSON.stringify({ port: server.address().port }))
  );
}

async function main() {
  if (!existsSync(CLI)) {
    console.error('Build first: npm run build');
    process.exit(1);
  }
  const folder = mkdtempSync(join(tmpdir(), 'bench-door-'));
  const children = [];
  try {
    const data = join(folder, 'data');
    const key = JSON.parse(
      await output([
        CLI,
        'course',
        'add',
        'bench',
        '--title',
        'Bench',
        '--data',
        data,
        '--json'
      ])
    ).key;
    const me = fileURLToPath(import.meta.url);
    const second = join(folder, 'second');
    cpSync(data, second, { recursive: true });
    const servers = {
      floor: await start(children, [me, '--floor']),
      door: await start(children, [me, '--door', second]),
      relay: await start(children, [
        ...[CLI, 'relay', '--data', data, '--port', '0', '--json'],
        ...['--address-rate', '0', '--key-rate', '0'],
        ...['--log-level', 'error']
      ])
    };
    const bodies = {
      'nothing to remove': makeBody(key),
      'every event rewritten': makeBody(key, true)
    };
    for (const [what, body] of Object.entries(bodies)) {
      const results = { floor: [], door: [], relay: [] };
      for (const server of Object.values(servers)) {
        await load(server, body, 1); // Warm: both compilers have seen the load.
      }
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const name of ['floor', 'door', 'relay']) {
          results[name].push(await load(servers[name], body, SECONDS));
        }
      }
      report(what, results, body.bytes.length);
    }
  } finally {
    for (const child of children) {
      child.kill('SIGTERM');
      await new Promise(resolve => child.once('exit', resolve));
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

function report(what, results, bytes) {
  const of = (name, figure) => median(results[name].map(figure));
  const eachOf = (name, figure) =>
    results[name].map((run, i) => figure(run) / figure(results.floor[i]));
  const rate = run => run.events / run.seconds;
  const cpu = run => (run.cpuSeconds / run.events) * 1e6;
  const rows = Object.fromEntries(
    Object.keys(results).map(name => [
      name,
      {
        eventsPerSecond: Math.round(of(name, rate)),
        ratio: round2(median(eachOf(name, rate))),
        ratioRange: [
          round2(Math.min(...eachOf(name, rate))),
          round2(Math.max(...eachOf(name, rate)))
        ],
        cpuMicrosPerEvent: round2(of(name, cpu)),
        cpuRatio: round2(1 / median(eachOf(name, cpu))),
        p50Ms: round2(of(name, run => run.p50)),
        p99Ms: round2(of(name, run => run.p99))
      }
    ])
  );
  if (values.json) {
    console.info(
      JSON.stringify({
        load: what,
        eventsPerBody: EVENTS,
        bytesPerBody: bytes,
        connections: CONNECTIONS,
        ...rows
      })
    );
    return;
  }
  console.info(
    `${what}: ${EVENTS} events a body (${bytes} bytes), ${CONNECTIONS} connections, ${ROUNDS} rounds of ${SECONDS} s each`
  );
  const names = {
    floor: 'bare server, JSON.parse only',
    door: 'door, durable before the 200',
    relay: 'whole relay, page behind it'
  };
  for (const [name, row] of Object.entries(rows)) {
    console.info(
      `${names[name].padEnd(29)} ${String(row.eventsPerSecond).padStart(7)} events/s   ${row.cpuMicrosPerEvent} µs of CPU an event   p50 ${row.p50Ms} ms, p99 ${row.p99Ms} ms   ratio ${row.ratio} (${row.ratioRange.join(' to ')}), by CPU ${row.cpuRatio}`
    );
  }
}

/**
 * A body of events as the extension sends them, and where their ids stand in it.
 * @param more whether each has a property that the course does not collect, so that it is written again.
 */
function makeBody(key, more = false) {
  const uuid = i => `00000000-0000-5000-8000-${String(i).padStart(12, '0')}`;
  const now = new Date().toISOString();
  const batch = Array.from({ length: EVENTS }, (_, i) => ({
    event: i % 5 === 4 ? 'test' : 'cell',
    distinct_id: 'GRACE-HOPPER',
    uuid: uuid(i),
    timestamp: now,
    properties: {
      nb: 'intro-to-python',
      sess: 'aB3dE5gH',
      student: 'GRACE-HOPPER',
      v: '0.1.0',
      src: 'lab',
      seq: i + 1,
      ...(i % 5 === 4
        ? {
            ex: 'mean of a list',
            ok: i % 2 === 0,
            try: 3,
            ms: 4,
            err: i % 2 === 0 ? null : 'AssertionError',
            cell_id: 'mean'
          }
        : {
            cell_id: 'mean',
            cell_num: i + 1,
            code: null,
            status: 'ok',
            ms: 12,
            err: null,
            count: i + 1,
            lines: 7,
            nb_cell: '3f2a9c10-5b7e-4a59-9d0c-2f6f3f0d1c11'
          }),
      ...(more
        ? {
            browser:
              'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36'
          }
        : {})
    }
  }));
  const json = JSON.stringify({ api_key: key, batch, sent_at: now });
  const bytes = Buffer.from(json);
  const places = batch.map((_, i) => json.indexOf(uuid(i)));
  return { bytes, places };
}

/** Drives one server from `CONNECTIONS` sockets; every event of every request has an id of its own. */
function load(server, { bytes, places }, seconds) {
  const head = Buffer.from(
    `POST /batch/ HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nContent-Type: application/json\r\nContent-Length: ${bytes.length}\r\n\r\n`
  );
  const cpuBefore = cpuSeconds(server.pid);
  const began = performance.now();
  const until = began + seconds * 1000;
  const times = [];
  let counter = 0;
  let failed;
  const run = randomBytes(4).toString('hex');

  return new Promise((resolve, reject) => {
    let open = CONNECTIONS;
    for (let n = 0; n < CONNECTIONS; n += 1) {
      const request = Buffer.concat([head, bytes]);
      const socket = connect(server.port, '127.0.0.1');
      let sentAt = 0;
      let answer = '';
      socket.setNoDelay(true);
      const send = () => {
        for (const place of places) {
          counter += 1;
          request.latin1Write(run, head.length + place, 8);
          request.latin1Write(
            counter.toString(16).padStart(12, '0'),
            head.length + place + 24,
            12
          );
        }
        sentAt = performance.now();
        socket.write(request);
      };
      socket.on('connect', send);
      socket.on('data', chunk => {
        answer += chunk.toString('latin1');
        const end = answer.indexOf('\r\n\r\n');
        if (end < 0) {
          return;
        }
        const length = Number(/content-length: (\d+)/i.exec(answer)?.[1]);
        if (answer.length < end + 4 + length) {
          return;
        }
        if (!answer.startsWith('HTTP/1.1 200') || answer.includes('rejected')) {
          failed ??= answer;
        }
        answer = '';
        times.push(performance.now() - sentAt);
        if (performance.now() < until && !failed) {
          send();
        } else {
          socket.end();
        }
      });
      socket.on('error', error => {
        failed ??= String(error);
        socket.destroy();
      });
      socket.on('close', () => {
        open -= 1;
        if (open === 0) {
          if (failed) {
            reject(new Error(`a request failed: ${failed}`));
            return;
          }
          times.sort((a, b) => a - b);
          resolve({
            events: times.length * EVENTS,
            seconds: (performance.now() - began) / 1000,
            cpuSeconds: cpuSeconds(server.pid) - cpuBefore,
            p50: times[Math.floor(times.length * 0.5)],
            p99: times[Math.floor(times.length * 0.99)]
          });
        }
      });
    }
  });
}

/** CPU time of a process so far; NaN where the system does not tell. */
function cpuSeconds(pid) {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .split(') ')[1]
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return NaN;
  }
}

/** Starts a server that prints its port as JSON. */
function start(children, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit']
    });
    children.push(child);
    let text = '';
    child.stdout.on('data', chunk => {
      text += chunk;
      if (text.includes('\n')) {
        resolve({ port: JSON.parse(text).port, pid: child.pid });
      }
    });
    child.once('exit', code =>
      reject(new Error(`a server ended with ${code}`))
    );
  });
}

function output(args) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      stdio: ['ignore', 'pipe', 'inherit']
    });
    let text = '';
    child.stdout.on('data', chunk => (text += chunk));
    child.on('exit', code =>
      code === 0
        ? resolve(text)
        : reject(new Error(`${args[1]} ended with ${code}`))
    );
  });
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

function round2(number) {
  return Math.round(number * 100) / 100;
}
