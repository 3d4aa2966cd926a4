/** The stand-in PostHog answers as PostHog is known to: a test that trusts it must not be fooled. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { startPostHogStandIn, type PostHogStandIn } from './posthogStandIn.js';
import { waitFor } from './waitFor.js';

let posthog: PostHogStandIn;

beforeEach(async () => {
  posthog = await startPostHogStandIn();
});

afterEach(() => posthog.stop());

const event = (more: object = {}): object => ({
  event: 'cell',
  distinct_id: 'JOHN-DOE',
  uuid: randomUUID(),
  timestamp: new Date().toISOString(),
  properties: {},
  ...more
});

const batch = (events: unknown[], more: object = {}): string =>
  JSON.stringify({ api_key: 'phc_test', batch: events, ...more });

const post = (
  body: string | Uint8Array,
  path = '/batch/',
  headers: Record<string, string> = {}
): Promise<Response> =>
  fetch(posthog.url + path, {
    method: 'POST',
    body: body as RequestInit['body'],
    headers
  });

describe('bodies', () => {
  const good = batch([event()]);
  const base64 = Buffer.from(good).toString('base64');
  it.each<[string, string | Uint8Array, string, Record<string, string>]>([
    ['JSON', good, '/batch', {}],
    [
      'an array',
      `[${JSON.stringify(event({ token: 'phc_test' }))}]`,
      '/e/',
      {}
    ],
    [
      'a single event',
      JSON.stringify(event({ api_key: 'phc_test' })),
      '/capture/',
      {}
    ],
    [
      'gzip by header',
      gzipSync(good),
      '/batch/',
      { 'content-encoding': 'gzip' }
    ],
    ['gzip by its first bytes', gzipSync(good), '/i/v0/e/', {}],
    ['gzip by query', gzipSync(good), '/e/?compression=gzip-js', {}],
    ['base64', base64, '/e/', {}],
    [
      'a form with base64',
      new URLSearchParams({ data: base64 }).toString(),
      '/e/?compression=base64',
      { 'content-type': 'application/x-www-form-urlencoded' }
    ]
  ])('%s: understood', async (_name, body, path, headers) => {
    const response = await post(body, path, headers);
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'Ok' }
    ]);
    expect(posthog.stored()).toHaveLength(1);
  });

  it.each<[string, string | Uint8Array, number]>([
    ['nothing', '', 400],
    ['no JSON', '{', 400],
    ['no UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 400],
    ['half a gzip', gzipSync(good).subarray(0, 30), 400],
    ['no events', batch([]), 400],
    ['21 MB', 'x'.repeat(21 * 1024 * 1024), 413],
    ['a bomb', gzipSync(Buffer.alloc(101 * 1024 * 1024)), 413],
    [
      'one event above the limit',
      batch([event({ properties: { a: 'x'.repeat(1e6) } })]),
      413
    ]
  ])('%s: refused', async (_name, body, status) => {
    expect((await post(body)).status).toBe(status);
    expect(posthog.stored()).toEqual([]);
  });
});

describe('one bad event', () => {
  it.each([
    ['without a name', { event: undefined }],
    ['with an empty name', { event: '' }],
    ['without a student', { distinct_id: null }],
    ['with a blank student', { distinct_id: ' ' }],
    ['with a uuid that is none', { uuid: '42' }],
    ['with a timestamp that is no text', { timestamp: 12 }],
    ['with properties that are no object', { properties: [] }]
  ])('%s fails the whole batch', async (_name, fault) => {
    const response = await post(batch([event(), event(fault), event()]));
    expect(response.status).toBe(400);
    expect(posthog.stored()).toEqual([]);
  });
});

describe('tokens', () => {
  it.each([
    [undefined, 401],
    ['', 401],
    ['x'.repeat(65), 401],
    ['schlüssel', 401],
    ['phx_personal', 401],
    ['of no project', 200]
  ])('%j gets %i', async (api_key, status) => {
    expect((await post(batch([event()], { api_key }))).status).toBe(status);
  });

  it('two in one request get 401', async () => {
    const events = ['phc_one', 'phc_two'].map(token => event({ token }));
    expect((await post(JSON.stringify(events))).status).toBe(401);
  });

  it('unknown ones get 401 where tokens are checked', async () => {
    const strict = await startPostHogStandIn({ knownTokens: ['phc_known'] });
    const status = async (key: string): Promise<number> =>
      (
        await fetch(`${strict.url}/batch/`, {
          method: 'POST',
          body: batch([event()], { api_key: key })
        })
      ).status;
    expect(await status('phc_known')).toBe(200);
    expect(await status('phc_test')).toBe(401);
    await strict.stop();
  });
});

describe('the table', () => {
  const uuid = randomUUID();
  const at = '2026-11-20T23:59:59.900Z';

  it('merges what is equal in day, name, student and uuid', async () => {
    const sure = event({ uuid, timestamp: at, properties: { n: 1 } });
    await post(batch([sure, { ...sure, properties: { n: 2 } }]));
    await post(batch([sure]));
    await post(batch([{ ...sure, distinct_id: 'JANE-ROE' }]));
    expect(posthog.stored().map(row => [row.distinct_id, row.copies])).toEqual([
      ['JOHN-DOE', 3],
      ['JANE-ROE', 1]
    ]);
  });

  it('shifts times by what the client’s clock seems to be off, and so keeps a resend over midnight twice', async () => {
    const sentAt = (ms: number): object => ({
      sent_at: new Date(Date.now() + ms).toISOString()
    });
    const shifted = event({ uuid, timestamp: at });
    await post(batch([shifted], sentAt(0)));
    await post(batch([shifted], sentAt(-5000)));
    expect(posthog.stored()).toHaveLength(2);
    posthog.reset();
    const fixed = { ...shifted, properties: { $ignore_sent_at: true } };
    await post(batch([fixed], sentAt(0)));
    await post(batch([fixed], sentAt(-5000)));
    expect(posthog.stored()).toEqual([
      expect.objectContaining({ timestamp: at, copies: 2 })
    ]);
  });

  it('puts its own clock on times it cannot use', async () => {
    const far = new Date(Date.now() + 24 * 3600_000).toISOString();
    for (const more of [
      { timestamp: 'yesterday' },
      { timestamp: undefined },
      { timestamp: far },
      { timestamp: at, offset: 0 }
    ]) {
      await post(batch([event(more)]));
    }
    for (const row of posthog.stored()) {
      expect(Math.abs(Date.parse(row.timestamp) - Date.now())).toBeLessThan(
        5000
      );
    }
    expect(posthog.stored()).toHaveLength(4);
  });

  it('cuts ids at 200 characters, moves person properties in, and notes the address', async () => {
    await post(
      batch([event({ distinct_id: '🙂'.repeat(300), $set: { a: 1 } })]),
      '/batch/',
      { 'x-forwarded-for': '192.0.2.1, 192.0.2.2' }
    );
    expect(posthog.stored()[0]).toMatchObject({
      distinct_id: '🙂'.repeat(200),
      properties: { $set: { a: 1 }, $ip: '192.0.2.1' }
    });
  });
});

describe('troubles', () => {
  const status = async (): Promise<number | string> => {
    try {
      return (await post(batch([event()]))).status;
    } catch (error) {
      const { cause } = error as { cause?: { code?: string } };
      return cause?.code ?? String(error);
    }
  };

  it('come one after the other, each for as long as it was told', async () => {
    posthog.behave([
      { mode: 'answer', status: 503, times: 2 },
      { mode: 'drop', times: 1 },
      { mode: 'reset', times: 1 }
    ]);
    expect([await status(), await status()]).toEqual([503, 503]);
    expect(await status()).toBe('UND_ERR_SOCKET');
    expect(posthog.stored()).toHaveLength(0);
    expect(await status()).toBe('UND_ERR_SOCKET');
    expect(posthog.stored()).toHaveLength(1);
    expect(await status()).toBe(200);
    expect(posthog.requests().map(seen => seen.status)).toEqual([
      503, 503, 0, 0, 200
    ]);
  });

  it('include a closed port, and the same port again', async () => {
    await posthog.down();
    expect(await status()).toBe('ECONNREFUSED');
    await posthog.up();
    expect(await status()).toBe(200);
    await posthog.down(20);
    await waitFor('it is back', async () => (await status()) === 200);
  });
});

it('runs by itself and is steered over HTTP', async () => {
  const child = spawn(
    process.execPath,
    [fileURLToPath(new URL('posthog-stand-in.mjs', import.meta.url))],
    { stdio: ['ignore', 'pipe', 'inherit'] }
  );
  try {
    const [url] = (await once(createInterface(child.stdout), 'line')) as [
      string
    ];
    const call = async (path: string, body?: string): Promise<Response> =>
      fetch(url + path, body === undefined ? {} : { method: 'POST', body });
    await call('/_behaviour', '{"mode":"answer","status":429,"times":1}');
    expect((await call('/batch/', batch([event()]))).status).toBe(429);
    expect((await call('/batch/', batch([event()]))).status).toBe(200);
    expect(await (await call('/_stored')).json()).toHaveLength(1);
    expect(await (await call('/_requests')).json()).toHaveLength(2);
    await call('/_behaviour', '{"mode":"down","ms":500}');
    await waitFor('it went down and came back', async () => {
      try {
        await call('/_stored');
        return false;
      } catch {
        return true;
      }
    });
    await waitFor('it is back', () =>
      call('/_stored').then(
        () => true,
        () => false
      )
    );
    await call('/_reset', '');
    expect(await (await call('/_stored')).json()).toEqual([]);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
  expect(child.exitCode).toBe(0);
});
