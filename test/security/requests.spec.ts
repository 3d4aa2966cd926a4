/** Attacks by what a request consists of: its path, its size, its pace, its wrapping and its content. */
import { setTimeout as pause } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import LZString from 'lz-string';
import type { Snapshot } from '../../src/api/index.js';
import { createPostHogSink } from '../../src/sinks/index.js';
import { recordsOf } from '../../src/relay/log/contents.js';
import { startPostHogStandIn } from '../support/posthogStandIn.js';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type Answer,
  type TestRelay
} from '../relay/support/testRelay.js';
import { getRaw, sendRaw } from './raw.js';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

async function start(flags: Record<string, string> = {}): Promise<void> {
  relay = await startTestRelay({ level: 'full', flags });
}

async function stillWorks(): Promise<void> {
  const answer = await relay.post({
    api_key: relay.key,
    batch: [cellEvent(999_999)]
  });
  expect(answer.status).toBe(200);
}

const codeOf = ({ status, json }: Answer): unknown[] => [status, json['code']];

it('Paths that point out of the page', async () => {
  await start({ 'public-url': 'https://hub.example.org/telemetry' });
  const { port } = relay.relay;
  for (const path of [
    '/../../../../etc/passwd',
    '/%2e%2e/%2e%2e/etc/passwd',
    '/..%2f..%2f..%2fetc%2fpasswd',
    '/assets/..%5c..%5ccourses.json',
    '/%252e%252e/etc/passwd',
    '/assets/%2e%2e%2f%2e%2e%2fpackage.json',
    '/telemetry/telemetry/../../etc/passwd',
    '/courses.json',
    '/log/00000000000000000001.log',
    '//etc/passwd',
    '/%00',
    '/%',
    '/%ff%fe'
  ]) {
    const answer = await getRaw(port, path);
    expect([path, answer.slice(0, 12)]).toEqual([path, 'HTTP/1.1 404']);
    expect(answer).not.toMatch(/root:|sha256|"keys"/);
  }
});

it('A route behind the login, written in another way', async () => {
  await start({ 'public-url': 'https://hub.example.org/telemetry' });
  for (const path of [
    '/api/v1/snapshot?course=demo',
    '/telemetry/api/v1/snapshot?course=demo',
    '/telemetry/telemetry/api/v1/snapshot?course=demo',
    '//api/v1/snapshot?course=demo',
    '/api//v1/snapshot?course=demo',
    '/%61pi/v1/snapshot?course=demo',
    '/api%2fv1%2fsnapshot?course=demo',
    '/API/V1/SNAPSHOT?course=demo',
    '/api/v1/snapshot/?course=demo',
    '/batch/../api/v1/snapshot?course=demo',
    '/login/../api/v1/snapshot?course=demo'
  ]) {
    const answer = await getRaw(relay.relay.port, path);
    expect([path, answer]).toEqual([
      path,
      expect.stringMatching(/^HTTP\/1\.1 (401|404) /)
    ]);
    expect(answer).not.toContain('"students"');
  }
});

it('An oversized body', async () => {
  await start({ 'body-limit-bytes': '2048' });
  const big = await relay.post('x'.repeat(2049));
  expect(codeOf(big)).toEqual([413, 'body_too_large']);
  // Without saying so beforehand.
  const chunk = `800\r\n${'x'.repeat(0x800)}\r\n`;
  const answer = await sendRaw(
    relay.relay.port,
    `POST /batch/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}${chunk}0\r\n\r\n`
  );
  expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  // And to the routes of the page.
  const login = await fetch(`${relay.url}/login`, {
    method: 'POST',
    headers: { origin: relay.url },
    body: new URLSearchParams({ key: 'x'.repeat(5000) })
  });
  expect(login.status).toBe(413);
  await stillWorks();
});

it('A body that comes byte by byte', async () => {
  await start({ 'body-timeout-seconds': '1' });
  const { port } = relay.relay;
  const answer = sendRaw(
    port,
    'POST /batch/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"api_key"'
  );
  await stillWorks();
  expect(await answer).toMatch(/^HTTP\/1\.1 408 [^]*"code":"body_timeout"/);
});

it('A decompression bomb', async () => {
  await start({ 'decompressed-limit-bytes': '100000' });
  const bomb = Buffer.from(`{"batch":[${' '.repeat(20_000_000)}]}`);
  const gzip = gzipSync(bomb);
  expect(gzip.length).toBeLessThan(50_000);
  const bodies: [string, BodyInit, string?, Record<string, string>?][] = [
    ['gzip', gzip],
    ['gzip in base64', gzip.toString('base64')],
    [
      'gzip in a form',
      new URLSearchParams({ data: gzip.toString('base64') }).toString()
    ],
    [
      'lz64',
      LZString.compressToBase64(bomb.subarray(0, 1_000_000).toString()),
      '/batch/?compression=lz64'
    ],
    ...(
      [
        ['gzip', gzip],
        ['br', brotliCompressSync(bomb)],
        ['deflate', deflateSync(bomb)]
      ] as const
    ).map(
      ([name, bytes]): [string, BodyInit, string, Record<string, string>] => [
        `${name} by v1`,
        bytes,
        '/i/v1/analytics/events',
        {
          'content-encoding': name,
          'content-type': 'application/json',
          authorization: `Bearer ${relay.key}`
        }
      ]
    )
  ];
  for (const [name, body, path = '/batch/', headers = {}] of bodies) {
    const response = await fetch(relay.url + path, {
      method: 'POST',
      body,
      headers
    });
    const { code } = (await response.json()) as { code: string };
    expect([name, response.status, code]).toEqual([
      name,
      413,
      'decompressed_too_large'
    ]);
  }
  // Nor one within another.
  const twice = await relay.post(gzipSync(gzip));
  expect(codeOf(twice)).toEqual([400, 'bad_gzip']);
  await stillWorks();
});

it('A body of millions of brackets', async () => {
  await start();
  for (const [count, status] of [
    [1_000_000, 400],
    [3_000_000, 413]
  ] as const) {
    const deep = `{"api_key":"${relay.key}","batch":${'['.repeat(count)}${']'.repeat(count)}}`;
    expect((await relay.post(deep)).status).toBe(status);
  }
  await stillWorks();
});

it('Prototype pollution', async () => {
  await start();
  const posthog = await startPostHogStandIn();
  const sink = createPostHogSink({
    name: 'p',
    host: posthog.url,
    apiKey: 'phc_x'
  });
  try {
    const evil =
      '"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"prototype":{"polluted":1}';
    const event = JSON.stringify(cellEvent(1)).replace(
      '"nb":',
      `${evil},"nb":`
    );
    const test = JSON.stringify(
      cellEvent(
        2,
        { status: 'failed', ex: '__proto__', ok: false, try: 1 },
        { event: 'test', distinct_id: '__proto__' }
      )
    ).replace('"student":"ADA-LOVELACE"', '"student":"__proto__"');
    const answer = await relay.post(
      `{${evil},"api_key":"${relay.key}","batch":[${event},${test}]}`
    );
    expect(answer.status).toBe(200);

    // The page's fold.
    const cookie = await logIn();
    const snapshot = await waitFor('the page knows both', async () => {
      const response = await fetch(`${relay.url}/api/v1/snapshot?course=demo`, {
        headers: { cookie }
      });
      const seen = (await response.json()) as Snapshot;
      return seen.coverage.events === 2 && seen;
    });
    expect(snapshot.students.map(({ student }) => student).sort()).toEqual([
      'ADA-LOVELACE',
      '__proto__'
    ]);
    // The log, and PostHog.
    const records = (await relay.records()).flatMap(record =>
      recordsOf(record)
    );
    expect(records).toHaveLength(2);
    expect((await sink.deliver(records)).kind).toBe('ok');
    expect(posthog.stored()).toHaveLength(2);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(Object.keys(Object.prototype)).toEqual([]);
  } finally {
    await sink.close();
    await posthog.stop();
  }
});

async function logIn(): Promise<string> {
  const response = await fetch(await relay.relay.loginLink(), {
    redirect: 'manual'
  });
  return response.headers.get('set-cookie')!.split(';')[0]!;
}

it('Line breaks in headers', async () => {
  await start();
  const { port } = relay.relay;
  // What a client calls its request is not repeated.
  const named = await getRaw(port, '/healthz', [
    'X-Request-Id: a%0d%0aSet-Cookie: evil=1'
  ]);
  expect(named).not.toMatch(/evil/i);
  // A parser that took a bare line feed for a line's end would see two headers.
  const origin = await sendRaw(
    port,
    'OPTIONS /batch/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://a.example\rSet-Cookie: evil=1\r\n\r\n'
  );
  expect(origin).toMatch(/^HTTP\/1\.1 400 /);
  const asked = await getRaw(
    port,
    '/login?token=%0d%0aSet-Cookie:%20evil=1&next=%0d%0aLocation:%20https://evil.example'
  );
  expect(asked).not.toMatch(/evil/i);
  const [head] = (await getRaw(port, '/%0d%0aSet-Cookie:%20evil=1')).split(
    '\r\n\r\n'
  );
  expect(head).not.toMatch(/evil/i);
});

it('Two requests smuggled as one', async () => {
  await start();
  const answer = await sendRaw(
    relay.relay.port,
    'POST /batch/ HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: x\r\n\r\n'
  );
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(answer).not.toContain('"sinks"');
});

it('Lines written into the log', async () => {
  await start();
  const evil = 'x\n{"level":50,"msg":"forged"}\r\n\u001b[2J';
  await relay.post(
    {
      api_key: relay.key,
      batch: [
        cellEvent(1, { student: evil }, { event: evil, distinct_id: evil }),
        cellEvent(2, { ms: evil })
      ]
    },
    { path: `/batch/?${encodeURIComponent(evil)}` }
  );
  await relay.post({ api_key: evil, batch: [cellEvent(3)] });
  await getRaw(relay.relay.port, `/${encodeURIComponent(evil)}`);
  await pause(0);
  await relay.relay.close();
  const lines = relay.logged().trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(2);
  for (const line of lines) {
    expect(JSON.parse(line)).not.toMatchObject({ msg: 'forged' });
  }
  expect(relay.logged()).not.toContain('\u001b');
});

it('A key among the events', async () => {
  await start();
  const reading = `nbi_${'b'.repeat(32)}`;
  await relay.post({
    api_key: relay.key,
    batch: [
      cellEvent(1, { code: `KEY = "${relay.key}"; OTHER = "${reading}"` }),
      { ...cellEvent(2), uuid: `not an id, but ${relay.key}` }
    ]
  });
  const kept = await relay.everyByte();
  for (const secret of [relay.key, reading]) {
    expect(kept).not.toContain(secret);
    expect(relay.logged()).not.toContain(secret);
  }
});
