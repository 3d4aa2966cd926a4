/** The relay as a whole: readiness, a disk that fails, stopping in the middle of work, and what a start can fail of. */
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveConfig } from '../../src/relay/config/resolve.js';
import { createDoor, type DoorReport } from '../../src/relay/door/door.js';
import { createDuplicateWindow } from '../../src/relay/door/duplicates.js';
import { watchLog } from '../../src/relay/health.js';
import {
  LogUnavailableError,
  type EventLog
} from '../../src/relay/log/types.js';
import { startRelay } from '../../src/relay/relay.js';
import { Tally } from '../../src/relay/tally.js';
import { createMemorySink } from '../../src/sinks/index.js';
import type { AddressInfo } from 'node:net';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  read,
  startTestRelay,
  uuidOf,
  type TestRelay
} from './support/testRelay.js';

let relay: TestRelay | undefined;
afterEach(async () => {
  await relay?.remove();
  relay = undefined;
});

it('says that it lives, and that it is ready, with the state of log and sinks', async () => {
  relay = await startTestRelay();
  const health = await fetch(`${relay.url}/healthz`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: 'alive', version: expect.any(String) as string }
  ]);
  await relay.post({ api_key: relay.key, batch: [cellEvent(1)] });
  const ready = await waitFor('the page has the event', async () => {
    const answer = await read(await fetch(`${relay!.url}/readyz`));
    const sinks = answer.json['sinks'] as { delivered: number }[];
    return sinks[0]!.delivered === 1 && answer;
  });
  expect([ready.status, ready.json]).toMatchObject([
    200,
    {
      status: 'ready',
      log: { first: 1, last: 1, writable: true, problem: null },
      sinks: [{ name: 'insights', state: 'running', lag: 0, setAside: 0 }]
    }
  ]);
});

it('gives clients the settings of their course, and 304 where they have them', async () => {
  relay = await startTestRelay();
  const ask = (headers: Record<string, string>): Promise<Response> =>
    fetch(`${relay!.url}/api/v1/course`, { headers });
  const first = await ask({
    authorization: `Bearer ${relay.key}`,
    origin: 'https://x.example'
  });
  expect(await first.json()).toEqual({
    course: 'demo',
    title: 'Demo',
    version: 1,
    level: 'outcomes',
    consent: 'notice',
    identity: 'names',
    events: ['start', 'end', 'cell', 'test', 'notebook', 'kernel', 'focus'],
    notice: {
      version: 1,
      receiver: 'Demo',
      retention_days: 365,
      contact: null,
      text: null
    }
  });
  expect(first.headers.get('access-control-allow-origin')).toBe(
    'https://x.example'
  );
  const again = await ask({
    authorization: `bearer ${relay.key}`,
    'if-none-match': first.headers.get('etag')!
  });
  expect([again.status, await again.text()]).toEqual([304, '']);
  for (const [authorization, code] of [
    ['', 'missing_key'],
    ['Basic x', 'missing_key'],
    [`Bearer nbt_${'z'.repeat(32)}`, 'unknown_key']
  ]) {
    const refused = await read(await ask({ authorization: authorization! }));
    expect([refused.status, refused.json['code']]).toEqual([401, code]);
  }
  const preflight = await fetch(`${relay.url}/api/v1/course`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://x.example',
      'access-control-request-headers': 'authorization'
    }
  });
  expect([
    preflight.status,
    preflight.headers.get('access-control-allow-headers')
  ]).toEqual([200, 'authorization']);
});

it("passes a course's events on to its own project, the others' to the relay's, and no one's key", async () => {
  const sinks = new Map<string, ReturnType<typeof createMemorySink>>();
  relay = await startTestRelay({
    flags: { 'posthog-key': 'phc_test_relay' },
    parts: {
      env: { OWN_KEY: 'phc_test_own' },
      createPostHogSink: ({ name, apiKey }) => {
        const sink = createMemorySink({ name });
        sinks.set(apiKey, sink);
        return sink;
      }
    }
  });
  const own = await relay.addCourse('own', {
    posthog: { host: 'https://eu.i.posthog.com', apiKeyEnv: 'OWN_KEY' }
  });
  const off = await relay.addCourse('off', { posthog: 'off' });
  const simulated = await relay.addCourse('sim', { simulated: true });
  const keys = [relay.key, own, off, simulated];
  for (const [n, key] of keys.entries()) {
    const answer = await relay.post({ api_key: key, batch: [cellEvent(n)] });
    expect(answer.status).toBe(200);
  }
  const ids = (key: string): unknown[] | undefined =>
    sinks
      .get(key)
      ?.records()
      .map(({ uuid }) => uuid);
  await waitFor('both projects have theirs', () => ids('phc_test_own')?.[0]);
  await waitFor('nothing is left to deliver', () =>
    relay!.relay.readiness().sinks.every(({ lag }) => lag === 0)
  );
  expect(ids('phc_test_relay')).toEqual([uuidOf(0)]);
  expect(ids('phc_test_own')).toEqual([uuidOf(1)]);
  const readyz = await (await fetch(`${relay.url}/readyz`)).text();
  await relay.relay.close();
  for (const text of [readyz, relay.logged(), await relay.everyByte()]) {
    expect(text).not.toMatch(/phc_test/);
  }
});

describe('a disk that fails', () => {
  const course = {
    id: 'demo',
    title: 'Demo',
    level: 'outcomes' as const,
    consent: 'notice' as const,
    identity: 'names' as const,
    notice: { receiver: 'x', retention_days: 1, contact: null },
    version: 1
  };
  const key = {
    id: 'k_1',
    kind: 'write' as const,
    sha256: '',
    course: 'demo',
    created: ''
  };

  it.each([
    ['log', new LogUnavailableError('disk-full', 'no space'), null],
    ['file of dead letters', null, new Error('ENOSPC')]
  ])(
    'under the %s is answered with 503, when to come again, and CORS',
    async (_what, logError, letterError) => {
      const reports: DoorReport[] = [];
      const door = createDoor({
        log: {
          append: () =>
            logError ? Promise.reject(logError) : Promise.resolve(1),
          flushed: () => Promise.resolve()
        },
        deadLetters: {
          put: () =>
            letterError ? Promise.reject(letterError) : Promise.resolve()
        },
        courses: { holderOf: () => ({ kind: 'known', key, course }) },
        duplicates: createDuplicateWindow({ days: 1 }),
        bodyLimitBytes: 1e6,
        decompressedLimitBytes: 1e6,
        bodyTimeoutMs: 1000,
        state: () => 'open',
        onReport: report => reports.push(report)
      });
      const server = createServer((req, res) => void door(req, res, '/e/'));
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const response = await fetch(`http://127.0.0.1:${port}/e/`, {
        method: 'POST',
        headers: { origin: 'https://x.example' },
        body: JSON.stringify({
          api_key: 'k',
          batch: [cellEvent(1), 'not an event']
        })
      });
      const answer = await read(response);
      server.closeAllConnections();
      server.close();
      expect([answer.status, answer.json['code']]).toEqual([
        503,
        'log_unavailable'
      ]);
      expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
      expect(answer.headers.get('access-control-allow-origin')).toBe(
        'https://x.example'
      );
      expect(reports).toMatchObject([{ status: 503 }]);
    }
  );

  it('makes the relay unready for a while, until it works again', async () => {
    let now = 0;
    let broken = true;
    const log = {
      append: () =>
        broken
          ? Promise.reject(new LogUnavailableError('disk-full', 'no space'))
          : Promise.resolve(1)
    } as unknown as EventLog;
    const watched = watchLog(log, () => now);
    const header = {
      v: 1 as const,
      at: '',
      course: '',
      key: '',
      skew: 0,
      n: 0
    };
    const append = (): Promise<unknown> =>
      watched.append(header, Buffer.alloc(0)).catch(() => undefined);
    expect(watched.problem()).toBeNull();
    await append();
    expect(watched.problem()).toBe('no space');
    // Without traffic nobody would find out that it is over.
    now = 10_000;
    expect(watched.problem()).toBeNull();
    await append();
    expect(watched.problem()).toBe('no space');
    broken = false;
    await append();
    expect(watched.problem()).toBeNull();
  });
});

it('a stop answers the requests in flight, and then takes no more', async () => {
  relay = await startTestRelay();
  const body = JSON.stringify({ api_key: relay.key, batch: [cellEvent(1)] });
  const inFlight = request({
    port: relay.relay.port,
    path: '/batch/',
    method: 'POST',
    headers: { 'content-length': Buffer.byteLength(body) }
  });
  const answered = once(inFlight, 'response');
  await new Promise(resolve => inFlight.write(body.slice(0, 20), resolve));
  await waitFor('the door has the request', async () => {
    // It is behind this one in the same process.
    return (await fetch(`${relay!.url}/healthz`)).ok;
  });
  const closing = relay.relay.close();
  inFlight.end(body.slice(20));
  const [response] = (await answered) as [
    { statusCode: number; resume(): void }
  ];
  response.resume();
  expect(response.statusCode).toBe(200);
  await closing;
  await relay.relay.close();
  await expect(fetch(`${relay.url}/healthz`)).rejects.toThrow();
  expect((await relay.events()).map(({ uuid }) => uuid)).toEqual([uuidOf(1)]);
});

describe('a start fails with what to do', () => {
  it('where the port is taken, and leaves nothing running', async () => {
    relay = await startTestRelay();
    const { config } = resolveConfig({
      flags: {
        data: join(relay.folder, 'second'),
        port: String(relay.relay.port),
        'log-level': 'silent'
      }
    });
    await expect(startRelay(config)).rejects.toThrow(/is taken.*--port/);
    const other = await startRelay({ ...config, port: 0 });
    await other.close();
  });

  it('where another relay has the data folder', async () => {
    relay = await startTestRelay();
    const { config } = resolveConfig({
      flags: { data: relay.folder, port: '0', 'log-level': 'silent' }
    });
    await expect(startRelay(config)).rejects.toThrow(/is held by process \d+/);
    expect((await fetch(`${relay.url}/healthz`)).ok).toBe(true);
  });

  it('where the courses cannot be read', async () => {
    relay = await startTestRelay();
    const { config } = resolveConfig({
      flags: { data: relay.folder, port: '0', 'log-level': 'silent' }
    });
    await relay.relay.close();
    await writeFile(join(relay.folder, 'courses.json'), '{}');
    await expect(startRelay(config)).rejects.toThrow(/courses\.json: expected/);
  });
});

it('what happens often is said at once, then once in a while with the number', () => {
  const told: [string, number][] = [];
  const tally = new Tally((what, count) => told.push([what, count]), 60_000);
  tally.add('a');
  tally.add('a');
  tally.add('a', 3);
  tally.add('b');
  expect(told).toEqual([['a', 1]]);
  tally.flush();
  expect(told).toEqual([
    ['a', 1],
    ['a', 4],
    ['b', 1]
  ]);
  tally.flush();
});
