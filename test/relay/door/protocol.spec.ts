/** PostHog's capture protocol as old and new clients speak it: what arrives is what they meant. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import * as zlib from 'node:zlib';
import lzString from 'lz-string';
import {
  cellEvent,
  read,
  startTestRelay,
  uuidOf,
  type Answer,
  type ReadEvent,
  type TestRelay
} from '../support/testRelay.js';

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

let relay: TestRelay;
beforeEach(async () => {
  relay = await startTestRelay({ level: 'full' });
});
afterEach(async () => {
  await relay.remove();
});

/** A custom event as a PostHog client makes it. */
const click = (rest: object = {}): object => ({
  event: 'click',
  distinct_id: 'ADA',
  properties: { button: 'José 🎓', token: relay.key },
  ...rest
});
const keyed = (event: object): string =>
  JSON.stringify({ api_key: relay.key, ...event });

async function onlyEvent(): Promise<ReadEvent> {
  const events = await relay.events();
  expect(events).toHaveLength(1);
  return events[0]!;
}

describe('v0', () => {
  it.each([
    ['JSON', (json: string) => json],
    ['base64', (json: string) => Buffer.from(json).toString('base64')],
    ['base64 of gzip', (json: string) => gzipSync(json).toString('base64')]
  ])('GET with %s in data=', async (_how, wrap) => {
    const query = new URLSearchParams({ data: wrap(keyed(click())) });
    const answer = await read(
      await fetch(`${relay.url}/e/?ip=1&_=1&${query.toString()}`)
    );
    expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    expect((await onlyEvent()).payload['button']).toBe('José 🎓');
  });

  it('GET with base64 whose plus signs became blanks', async () => {
    const text = Buffer.from(keyed(click({ note: '~~~>>>???' })));
    const query = `data=${text.toString('base64').replaceAll('=', '%3D')}`;
    expect(query).toContain('+');
    expect((await fetch(`${relay.url}/e?${query}`)).status).toBe(200);
    await onlyEvent();
  });

  it('GET without events', async () => {
    const answer = await read(await fetch(`${relay.url}/capture/`));
    expect([answer.status, answer.json['code']]).toEqual([400, 'empty_body']);
  });

  it.each([
    ['query', (d: string) => [`data=${d}`, '/e/?compression=lz64'] as const],
    ['form', (d: string) => [`data=${d}&compression=lz64`, '/e/'] as const],
    [
      'form, in capitals',
      (d: string) => [`data=${d}&compression=LZ-String`, '/e/'] as const
    ]
  ])('lz64, announced by the %s', async (_where, wrap) => {
    const [body, path] = wrap(
      encodeURIComponent(lzString.compressToBase64(keyed(click())))
    );
    const answer = await relay.post(body, { path, headers: FORM });
    expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    expect((await onlyEvent()).payload['button']).toBe('José 🎓');
  });

  it('lz64 with half of a character', async () => {
    const json = keyed(click({ properties: { note: 'HERE' } }));
    const body = lzString.compressToBase64(json.replace('HERE', 'x\ud83dy'));
    await relay.post(body, { path: '/e/?compression=lz64' });
    expect((await onlyEvent()).payload['note']).toBe('x\ud83dy');
  });

  it('lz64 that is something else', async () => {
    const answer = await relay.post('w6Q!', { path: '/e/?compression=lz64' });
    expect([answer.status, answer.json['code']]).toEqual([400, 'bad_lz64']);
  });

  it('lz64 that would unfold to more than is taken', async () => {
    await relay.remove();
    relay = await startTestRelay({
      flags: { 'decompressed-limit-bytes': '4096' }
    });
    const bomb = lzString.compressToBase64('a'.repeat(100_000));
    expect(bomb.length).toBeLessThan(1000);
    const answer = await relay.post(bomb, { path: '/e/?compression=lz64' });
    expect([answer.status, answer.json['code']]).toEqual([
      413,
      'decompressed_too_large'
    ]);
  });

  it.each(['zebra', 'lz64', 'gzip', 'base64'])(
    'compression=%s for what is plain JSON',
    async hint => {
      const path = `/i/v0/e/?compression=${hint}`;
      expect((await relay.post(keyed(click()), { path })).status).toBe(200);
      await onlyEvent();
    }
  );

  it('a beacon, and only a beacon, gets 204', async () => {
    const beacon = await relay.post(keyed(click({ uuid: uuidOf(1) })), {
      path: '/e/?beacon=1'
    });
    expect([beacon.status, beacon.text]).toEqual([204, '']);
    const other = await relay.post(keyed(click({ uuid: uuidOf(2) })), {
      path: '/e/?beacon=0'
    });
    expect(other.status).toBe(200);
    const bad = await relay.post('{', { path: '/e/?beacon=1' });
    expect(bad.status).toBe(400);
    expect(await relay.events()).toHaveLength(2);
  });

  it('updates of persons, as /engage takes them', async () => {
    const update = { $token: relay.key, $distinct_id: 'ADA', $set: { a: 1 } };
    const form = (body: unknown): string =>
      `data=${encodeURIComponent(Buffer.from(JSON.stringify(body)).toString('base64'))}`;
    const init = { path: '/engage/?ip=1', headers: FORM };
    expect((await relay.post(form(update), init)).status).toBe(200);
    expect(
      (await relay.post(form(update), { ...init, path: '/e/' })).status
    ).toBe(400);
    expect(await onlyEvent()).toMatchObject({
      event: '$identify',
      distinct_id: 'ADA',
      payload: { $set: { a: 1 } }
    });
  });

  it.each<[string, object, object]>([
    ['a number as id', { distinct_id: 42 }, { distinct_id: '42' }],
    ['an object as id', { distinct_id: { a: 1 } }, { distinct_id: '{"a":1}' }],
    [
      'an id among the properties',
      { distinct_id: undefined, properties: { distinct_id: 'BOB' } },
      { distinct_id: 'BOB' }
    ],
    [
      'an id by its other name',
      { distinct_id: null, $distinct_id: 'BOB' },
      { distinct_id: 'BOB' }
    ],
    ['a NUL', { distinct_id: 'A\0B' }, { distinct_id: 'A\ufffdB' }],
    [
      'an id of 300 characters',
      { distinct_id: '🎓'.repeat(300) },
      { distinct_id: '🎓'.repeat(200) }
    ],
    ['a name of 300', { event: 'e'.repeat(300) }, { event: 'e'.repeat(200) }],
    [
      'an id that is nobody',
      { distinct_id: 'Guest' },
      { distinct_id: 'Guest' }
    ],
    [
      '$set and $set_once beside the properties',
      { $set: { a: 1 }, $set_once: { b: 2 } },
      { payload: { $set: { a: 1 }, $set_once: { b: 2 }, button: 'José 🎓' } }
    ],
    [
      'nulls',
      { uuid: null, timestamp: null, $set: null, properties: null },
      { distinct_id: 'ADA' }
    ],
    [
      'an id without dashes',
      { uuid: uuidOf(1).replaceAll('-', '').toUpperCase() },
      { uuid: uuidOf(1) }
    ],
    ['an id in braces', { uuid: `{${uuidOf(1)}}` }, { uuid: uuidOf(1) }]
  ])('%s', async (_what, given, expected) => {
    const answer = await relay.post(keyed(click(given)));
    expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    expect(await onlyEvent()).toMatchObject(expected);
  });

  it.each([
    ['a blank id', { distinct_id: ' \n' }],
    ['no id at all', { distinct_id: undefined }],
    ['no name', { event: undefined }],
    ['an empty name', { event: '' }]
  ])('%s is set aside, and costs its batch nothing', async (_what, bad) => {
    const answer = await relay.post({
      api_key: relay.key,
      batch: [click(bad), click({ uuid: uuidOf(1) })]
    });
    expect(answer.status).toBe(200);
    expect(answer.json['rejected']).toMatchObject([{ index: 0 }]);
    expect((await onlyEvent()).uuid).toBe(uuidOf(1));
  });

  it('browser timings are dropped, and that is no error', async () => {
    const answer = await relay.post(
      keyed(click({ event: '$performance_event' }))
    );
    expect([answer.status, answer.json]).toEqual([
      200,
      { status: 'Ok', not_collected: 1 }
    ]);
    expect(await relay.events()).toEqual([]);
  });

  it('an event of more than 800 KB is set aside, cut, with the reason; its batch is kept', async () => {
    const big = click({ uuid: uuidOf(1), properties: parts(900) });
    const answer = await relay.post({
      api_key: relay.key,
      batch: [big, click({ uuid: uuidOf(2), properties: parts(700) })]
    });
    expect(answer.status).toBe(200);
    expect(answer.json['rejected']).toEqual([
      {
        index: 0,
        uuid: uuidOf(1),
        code: 'range',
        field: 'properties',
        message: 'properties: expected at most 800000 bytes of JSON, got more'
      }
    ]);
    expect((await onlyEvent()).uuid).toBe(uuidOf(2));
    const letter = (await relay.everyByte())
      .split('\n')
      .find(line => line.includes('"stage":"door"'))!;
    expect(letter.length).toBeGreaterThan(10_000);
    expect(letter.length).toBeLessThan(130_000);
  });
});

/** About as many kilobytes of properties. */
const parts = (kilobytes: number): Record<string, string[]> =>
  Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [
      `list${i}`,
      Array.from({ length: kilobytes / 50 }, () => 'x'.repeat(1000))
    ])
  );

describe('ids for events without one', () => {
  const send = async (path: string, body: unknown): Promise<void> => {
    expect((await relay.post(body, { path })).status).toBe(200);
  };
  const list = (...events: object[]): object[] =>
    events.map(event => ({ ...event, token: relay.key }));

  it.each<[string, object, [string, string], object?]>([
    ['a time', { timestamp: '2026-11-21T09:30:00.000Z' }, ['', '']],
    [
      'an age and the time of sending, both growing',
      { offset: 500 },
      ['?_=1795251000500', '?_=1795251003500'],
      { offset: 3500 }
    ],
    [
      'an id of its own beside an age that stays while the clock goes on',
      { offset: 500, properties: { $insert_id: 'abc' } },
      ['?_=1795251000500', '?_=1795251003500']
    ],
    [
      'a time among the properties',
      { offset: 500, properties: { $time: 1795251000.5 } },
      ['?_=1795251000500', '?_=1795251003500']
    ],
    ['an id that is no UUID', { uuid: 'abc' }, ['', '?retry_count=1']]
  ])(
    'are the same when sent again with %s',
    async (_how, event, queries, change = {}) => {
      await send(`/e/${queries[0]}`, list(click(event)));
      await send(`/e/${queries[1]}`, list(click({ ...event, ...change })));
      await onlyEvent();
    }
  );

  it('differ for two events of one body that are alike, also when sent again', async () => {
    const same = click({ timestamp: '2026-11-21T09:30:00.000Z' });
    await send('/e/', list(same, same));
    await send('/e/', list(same, same));
    const events = await relay.events();
    expect(new Set(events.map(({ uuid }) => uuid)).size).toBe(2);
    expect(events).toHaveLength(2);
  });

  it('differ for different events', async () => {
    const at = { timestamp: '2026-11-21T09:30:00.000Z' };
    await send(
      '/e/',
      list(
        click(at),
        click({ ...at, event: 'other' }),
        click({ ...at, distinct_id: 'BOB' }),
        click({ ...at, properties: { button: 2 } }),
        click({ ...at, uuid: 'abc' }),
        click({ timestamp: '2026-11-21T09:30:00.001Z' })
      )
    );
    expect(await relay.events()).toHaveLength(6);
  });
});

it('an age counts from when the client sent, by a clock that was set right', async () => {
  const sent = Date.now() + 3_600_000;
  await relay.post([click({ offset: 60_000 })], { path: `/e/?_=${sent}` });
  const event = await onlyEvent();
  const age = Date.parse(event.received_at!) - Date.parse(event.timestamp);
  expect(Math.abs(age - 60_000)).toBeLessThan(1000);
});

describe('v1', () => {
  const PATH = '/i/v1/analytics/events';
  const post = (
    body: unknown,
    headers: Record<string, string> = {},
    path = PATH
  ): Promise<Answer> =>
    relay.post(body, {
      path,
      headers: { authorization: `Bearer ${relay.key}`, ...headers }
    });
  const v1 = (n: number, rest: object = {}): object => ({
    event: 'click',
    uuid: uuidOf(n),
    distinct_id: 'ADA',
    timestamp: new Date().toISOString(),
    options: {},
    properties: { n },
    ...rest
  });
  const batch = (...events: object[]): object => ({
    created_at: new Date().toISOString(),
    batch: events
  });

  it.each([PATH, `${PATH}/`])('answers for each event at %s', async path => {
    const answer = await post(
      batch(
        v1(1),
        v1(2, { event: '' }),
        v1(3),
        v1(1),
        v1(4, { event: '$performance_event' })
      ),
      {},
      path
    );
    expect([answer.status, answer.json]).toEqual([
      200,
      {
        results: {
          [uuidOf(1)]: { result: 'ok' },
          [uuidOf(2)]: {
            result: 'drop',
            details: expect.stringContaining('event: expected text') as string
          },
          [uuidOf(3)]: { result: 'ok' },
          [uuidOf(4)]: {
            result: 'warning',
            details: 'not collected by this course'
          }
        }
      }
    ]);
    expect((await relay.events()).map(({ uuid }) => uuid)).toEqual([
      uuidOf(1),
      uuidOf(3)
    ]);
  });

  it('says so for each where all are bad: the request is not at fault', async () => {
    const answer = await post(batch(v1(1, { properties: 7 })));
    expect(answer.status).toBe(200);
    expect(answer.json).toMatchObject({
      results: { [uuidOf(1)]: { result: 'drop' } }
    });
  });

  it('keeps what it has beside the properties among them', async () => {
    await post(
      batch(
        v1(1, {
          options: {
            process_person_profile: false,
            cookieless_mode: true,
            disable_skew_correction: true,
            product_tour_id: 'tour'
          },
          session_id: 's',
          window_id: 'w'
        })
      ),
      { 'posthog-sdk-info': 'posthog-node/5.70.0' }
    );
    expect((await onlyEvent()).payload).toEqual({
      n: 1,
      course: 'demo',
      $lib: 'posthog-node',
      $lib_version: '5.70.0',
      $process_person_profile: false,
      $cookieless_mode: true,
      $ignore_sent_at: true,
      $product_tour_id: 'tour',
      $session_id: 's',
      $window_id: 'w'
    });
  });

  it('takes the time of sending from its header', async () => {
    const ahead = Date.now() + 3_600_000;
    await post(batch(v1(1, { timestamp: new Date(ahead).toISOString() })), {
      'posthog-request-timestamp': new Date(ahead).toISOString()
    });
    const { timestamp, received_at } = await onlyEvent();
    expect(
      Math.abs(Date.parse(timestamp) - Date.parse(received_at!))
    ).toBeLessThan(1000);
  });

  const zstd = (zlib as { zstdCompressSync?: (text: string) => Buffer })
    .zstdCompressSync;
  it.each<[string, (json: string) => Buffer | string]>([
    ['gzip', json => gzipSync(json)],
    ['deflate', json => deflateSync(json)],
    ['br', json => brotliCompressSync(json)],
    ['GZIP', json => gzipSync(json)],
    ['identity', json => json],
    ...(zstd ? [['zstd', zstd] as [string, typeof zstd]] : [])
  ])('takes %s', async (encoding, compress) => {
    const body = compress(JSON.stringify(batch(v1(1))));
    const answer = await post(body, { 'content-encoding': encoding });
    expect([answer.status, answer.json['results']]).toEqual([
      200,
      { [uuidOf(1)]: { result: 'ok' } }
    ]);
  });

  it.each<[string, () => Promise<Answer>, number, string]>([
    [
      'an encoding that it does not know',
      () => post('x', { 'content-encoding': zstd ? 'zebra' : 'zstd' }),
      415,
      'unsupported_media_type'
    ],
    [
      'another type',
      () => post(batch(v1(1)), { 'content-type': 'text/plain' }),
      415,
      'unsupported_media_type'
    ],
    [
      'gzip that nothing announces',
      () => post(gzipSync(JSON.stringify(batch(v1(1))))),
      400,
      'not_utf8'
    ],
    [
      'bad brotli',
      () => post('nonsense', { 'content-encoding': 'br' }),
      400,
      'bad_encoding'
    ],
    ['an empty body', () => post(''), 400, 'empty_body'],
    ['no JSON', () => post('{'), 400, 'not_json'],
    ['a list', () => post([v1(1)]), 400, 'not_events'],
    ['an empty batch', () => post(batch()), 400, 'not_events'],
    [
      'no key',
      () => post(batch(v1(1)), { authorization: '' }),
      401,
      'missing_key'
    ],
    [
      'a key in the body alone',
      () =>
        post(
          { ...batch(v1(1)), api_key: relay.key },
          { authorization: 'Basic x' }
        ),
      401,
      'missing_key'
    ],
    [
      'an unknown key',
      () =>
        post(batch(v1(1)), { authorization: `bearer nbt_${'x'.repeat(32)}` }),
      401,
      'unknown_key'
    ]
  ])('refuses %s', async (_what, ask, status, code) => {
    const answer = await ask();
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(answer.json['error_description']).toBe(answer.json['message']);
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(await relay.events()).toEqual([]);
  });

  it('refuses a brotli bomb before it unfolds', async () => {
    await relay.remove();
    relay = await startTestRelay({
      flags: { 'decompressed-limit-bytes': '65536' }
    });
    const bomb = brotliCompressSync(Buffer.alloc(10_000_000));
    expect(bomb.length).toBeLessThan(1000);
    const answer = await post(bomb, { 'content-encoding': 'br' });
    expect([answer.status, answer.json['code']]).toEqual([
      413,
      'decompressed_too_large'
    ]);
  });

  it('has no GET', async () => {
    const answer = await read(await fetch(`${relay.url}${PATH}`));
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS');
  });

  it('takes a key whatever the case of its scheme', async () => {
    const answer = await post(batch(v1(1)), {
      authorization: `bEaReR ${relay.key}`
    });
    expect(answer.status).toBe(200);
    expect(await relay.everyByte()).not.toContain(relay.key);
  });
});

it('a cell without its own id stays one, from whichever route it comes', async () => {
  const { uuid: _uuid, ...event } = cellEvent(1);
  const body = { api_key: relay.key, batch: [event] };
  expect((await relay.post(body, { path: '/batch/' })).status).toBe(200);
  expect((await relay.post(body, { path: '/track' })).status).toBe(200);
  await onlyEvent();
});
