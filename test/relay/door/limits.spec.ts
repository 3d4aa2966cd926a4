/** A door that is short of memory turns requests away for a moment, and none of its memory gets lost on the way. */
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createDoor, type DoorReport } from '../../../src/relay/door/door.js';
import { createDuplicateWindow } from '../../../src/relay/door/duplicates.js';
import { waitFor } from '../../support/waitFor.js';
import { cellEvent, read } from '../support/testRelay.js';

const KEY = `nbt_${'k'.repeat(32)}`;
let server: Server;
let url: string;
let reports: DoorReport[];

beforeEach(async () => {
  reports = [];
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
  const door = createDoor({
    log: { append: () => Promise.resolve(1), flushed: () => Promise.resolve() },
    deadLetters: { put: () => Promise.resolve() },
    courses: { holderOf: () => ({ kind: 'known', key, course }) },
    duplicates: createDuplicateWindow({ days: 1 }),
    bodyLimitBytes: 100_000,
    decompressedLimitBytes: 100_000,
    bodyTimeoutMs: 5_000,
    memoryBytes: 1_000,
    state: () => 'open',
    onReport: report => reports.push(report)
  });
  server = createServer((req, res) => void door(req, res, '/e/'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/e/`;
});
afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

const body = (n: number): string =>
  JSON.stringify({
    api_key: KEY,
    batch: [cellEvent(n)],
    note: 'x'.repeat(400)
  });
const post = async (n: number): Promise<number> =>
  (await read(await fetch(url, { method: 'POST', body: body(n) }))).status;

/** A request of which all but the last byte has arrived. */
async function halfRequest(n: number): Promise<{
  finish: () => Promise<number>;
  abort: () => void;
}> {
  const text = body(n);
  const half = request(url, {
    method: 'POST',
    headers: { 'content-length': text.length }
  });
  half.on('error', () => undefined);
  await new Promise(resolve => half.write(text.slice(0, -1), resolve));
  return {
    finish: async () => {
      const answered = once(half, 'response');
      half.end(text.slice(-1));
      const [response] = (await answered) as [
        { statusCode: number; resume(): void }
      ];
      response.resume();
      return response.statusCode;
    },
    abort: () => half.destroy()
  };
}

it('while one body is held, another that does not fit beside it is to come again', async () => {
  const first = await halfRequest(1);
  await waitFor(
    'the next one is turned away',
    async () => (await post(2)) === 503
  );
  const answer = await read(
    await fetch(url, {
      method: 'POST',
      body: body(3),
      headers: { origin: 'https://x.example' }
    })
  );
  expect([answer.status, answer.json['code']]).toEqual([503, 'busy']);
  expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  expect(answer.headers.get('access-control-allow-origin')).toBe(
    'https://x.example'
  );
  expect(await first.finish()).toBe(200);
  expect(await post(4)).toBe(200);
});

it('a body larger than the memory is taken when it is alone', async () => {
  const big = JSON.stringify({
    api_key: KEY,
    batch: [1, 2, 3, 4, 5].map(n => cellEvent(n))
  });
  expect(big.length).toBeGreaterThan(1_000);
  const response = await fetch(url, { method: 'POST', body: big });
  expect(response.status).toBe(200);
});

it('whatever becomes of requests, the memory is free again after them', async () => {
  const gone = await halfRequest(1);
  await waitFor('it holds memory', async () => (await post(2)) === 503);
  gone.abort();
  await waitFor('its memory is free', async () => (await post(3)) === 200);
  expect(reports.some(({ status }) => status === 0)).toBe(true);
  for (const bad of ['', 'x', '{', '{"batch":[]}', 'x'.repeat(200_000)]) {
    await fetch(url, { method: 'POST', body: bad });
  }
  // Two thirds of the memory: they fit one after the other, and only if nothing is left behind.
  for (let n = 10; n < 20; n += 1) {
    expect(await post(n)).toBe(200);
  }
});
