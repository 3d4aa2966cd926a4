/** What the door answers, asked by a real HTTP client: to good bodies in every wrapping, and to all kinds of bad ones. */
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import {
  cellEvent,
  read,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../support/testRelay.js';

const ORIGIN = 'https://hub.example.org';

let relay: TestRelay;

beforeEach(async () => {
  relay = await startTestRelay({ properties: 'all' });
});
afterEach(async () => {
  await relay.remove();
});

const batch = (...events: unknown[]): Record<string, unknown> => ({
  api_key: relay.key,
  batch: events,
  sent_at: new Date().toISOString()
});

describe('good bodies', () => {
  it.each([
    '/batch/',
    '/batch',
    '/capture/',
    '/capture',
    '/e/',
    '/e',
    '/i/v0/e/',
    '/i/v0/e',
    '/track/',
    '/track',
    '/engage/',
    '/engage'
  ])('are taken at %s', async path => {
    const answer = await relay.post(batch(cellEvent(1)), { path });
    expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    expect((await relay.events()).map(({ uuid }) => uuid)).toEqual([uuidOf(1)]);
  });

  const wrappings: Record<
    string,
    (json: string) => {
      body: string | Uint8Array;
      path?: string;
      headers?: Record<string, string>;
    }
  > = {
    'plain JSON without a type': json => ({
      body: json,
      headers: { 'content-type': 'text/plain' }
    }),
    'gzip, announced by header': json => ({
      body: gzipSync(json),
      headers: { 'content-encoding': 'gzip' }
    }),
    'gzip, announced by query': json => ({
      body: gzipSync(json),
      path: '/e/?compression=gzip-js&ip=0&_=1'
    }),
    'gzip, announced by nothing': json => ({
      body: gzipSync(json),
      headers: { 'content-type': 'text/plain' }
    }),
    'gzip announced, plain in fact': json => ({
      body: json,
      headers: { 'content-encoding': 'gzip' }
    }),
    'a form with base64': json => ({
      body: `data=${encodeURIComponent(Buffer.from(json).toString('base64'))}`,
      path: '/e/?compression=base64',
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    }),
    'a form with base64 and its plus signs as they are': json => ({
      body: `data=${Buffer.from(json).toString('base64')}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    }),
    'a form with plain JSON': json => ({
      body: `data=${encodeURIComponent(json)}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' }
    }),
    'base64 of gzip': json => ({
      body: gzipSync(json).toString('base64'),
      headers: { 'content-type': 'text/plain' }
    }),
    'a byte order mark': json => ({ body: `\ufeff${json}` }),
    'an encoding that nobody knows': json => ({
      body: json,
      path: '/batch/?compression=zebra'
    })
  };
  it.each(Object.keys(wrappings))('are taken as %s', async name => {
    const json = JSON.stringify(
      batch(cellEvent(1, { note: 'José ? ÿ🎓 ~~~' }), cellEvent(2))
    );
    const { body, path, headers } = wrappings[name]!(json);
    const answer = await relay.post(body, {
      ...(path ? { path } : {}),
      ...(headers ? { headers } : {})
    });
    expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    const events = await relay.events();
    expect(events.map(({ uuid }) => uuid)).toEqual([uuidOf(1), uuidOf(2)]);
    expect(events[0]!.payload['note']).toBe('José ? ÿ🎓 ~~~');
  });

  it('are taken as a list and as a single event', async () => {
    const list = [
      { ...cellEvent(1), token: relay.key },
      { ...cellEvent(2), api_key: relay.key }
    ];
    expect((await relay.post(list, { path: '/e/' })).status).toBe(200);
    const inProperties = cellEvent(3, { token: relay.key });
    expect((await relay.post(inProperties, { path: '/e/' })).status).toBe(200);
    const single = { ...cellEvent(4), api_key: relay.key };
    expect((await relay.post(single, { path: '/capture/' })).status).toBe(200);
    expect(await relay.events()).toHaveLength(4);
    expect(await relay.everyByte()).not.toContain(relay.key);
  });

  it('are kept byte for byte, but for the key', async () => {
    // Blanks and order that no serializer would write again.
    const text = `{ "batch" : [ ${JSON.stringify(cellEvent(1))} ],  "api_key":"${relay.key}" }`;
    await relay.post(text);
    const [record] = await relay.records();
    expect(Buffer.from(record!.body).toString('utf8')).toBe(
      text.replace(relay.key, '*'.repeat(36))
    );
  });

  it('get an id of their own where the client gave none, the same when sent again', async () => {
    const { uuid: _none, ...event } = cellEvent(1);
    const first = batch(event);
    expect((await relay.post(first)).status).toBe(200);
    expect((await relay.post(first)).status).toBe(200);
    const found = await relay.events();
    expect(found).toHaveLength(1);
    expect(found[0]!.uuid).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('count each where they have neither id nor time', async () => {
    const { uuid: _u, timestamp: _t, ...event } = cellEvent(1);
    const body = { api_key: relay.key, batch: [event] };
    await relay.post(body);
    await relay.post(body);
    expect(await relay.events()).toHaveLength(2);
  });
});

describe('bad bodies', () => {
  it.each<[string, () => unknown, number, string]>([
    ['nothing', () => '', 400, 'empty_body'],
    ['text', () => 'hello', 400, 'not_json'],
    ['half of a body', () => '{"api_key":"x","batch":[', 400, 'not_json'],
    ['a number', () => '42', 400, 'not_events'],
    ['an empty batch', () => batch(), 400, 'not_events'],
    ['no key', () => ({ batch: [cellEvent(1)] }), 401, 'missing_key'],
    [
      'an unknown key',
      () => ({ api_key: `nbt_${'x'.repeat(32)}`, batch: [cellEvent(1)] }),
      401,
      'unknown_key'
    ],
    [
      "another service's key",
      () => ({ api_key: 'phc_test', batch: [cellEvent(1)] }),
      401,
      'unknown_key'
    ],
    [
      'different keys in one list',
      () => [
        { ...cellEvent(1), api_key: relay.key },
        { ...cellEvent(2), api_key: `nbt_${'x'.repeat(32)}` }
      ],
      401,
      'several_keys'
    ],
    [
      'nothing but bad events',
      () => batch({ event: 'cell' }, 7, null),
      400,
      'no_valid_event'
    ],
    [
      'UTF-16',
      () =>
        Buffer.from(`\ufeff${JSON.stringify(batch(cellEvent(1)))}`, 'utf16le'),
      400,
      'not_utf8'
    ],
    [
      'Latin-1',
      () =>
        Buffer.from(
          JSON.stringify(batch(cellEvent(1, { student: 'JOSÉ-X' }))),
          'latin1'
        ),
      400,
      'not_utf8'
    ],
    [
      'half of a gzip stream',
      () => gzipSync(JSON.stringify(batch(cellEvent(1)))).subarray(0, 60),
      400,
      'bad_gzip'
    ],
    ['gzip in gzip', () => gzipSync(gzipSync('{}')), 400, 'bad_gzip'],
    ['an empty form', () => 'data=', 400, 'empty_body']
  ])('%s', async (_what, body, status, code) => {
    const answer = await relay.post(body(), { headers: { origin: ORIGIN } });
    expect([answer.status, answer.json['code']]).toEqual([status, code]);
    expect(answer.json['message']).toMatch(/expected .+/);
    expect(typeof answer.json['error']).toBe('string');
    expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
    // It is alive, and nothing was kept.
    expect((await relay.post(batch(cellEvent(9)))).status).toBe(200);
    expect(await relay.events()).toHaveLength(1);
  });

  it.each([
    ['zebra', '/e/?compression=zebra', {}],
    ['br', '/e/', { 'content-encoding': 'br' }]
  ])('%s is refused by name', async (given, path, headers) => {
    const answer = await relay.post('w6Q!', {
      path,
      headers: headers as Record<string, string>
    });
    expect(answer.status).toBe(400);
    expect(answer.json['code']).toBe('unsupported_compression');
    expect(answer.json['message']).toContain(given);
  });

  it('a body of 30 MB is refused and read to its end, the connection lives', async () => {
    const answer = await relay.post(Buffer.alloc(30 * 1024 * 1024, 0x61));
    expect([answer.status, answer.json['code']]).toEqual([
      413,
      'body_too_large'
    ]);
    expect((await relay.post(batch(cellEvent(1)))).status).toBe(200);
  });

  it('a body of 30 MB without a length is refused as well', async () => {
    const chunk = new Uint8Array(1024 * 1024).fill(0x61);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        sent += 1;
        if (sent > 30) {
          controller.close();
        } else {
          controller.enqueue(chunk);
        }
      }
    });
    const answer = await read(
      await fetch(`${relay.url}/batch/`, {
        method: 'POST',
        body: stream,
        duplex: 'half'
      } as RequestInit)
    );
    expect([answer.status, answer.json['code']]).toEqual([
      413,
      'body_too_large'
    ]);
  });

  it.each([
    ['is', (bomb: Buffer) => bomb],
    [
      'says less than it is',
      (bomb: Buffer) => {
        bomb.writeUInt32LE(100, bomb.length - 4);
        return bomb;
      }
    ]
  ])(
    'a gzip bomb that %s is refused before it unfolds',
    async (_, disguise) => {
      await relay.remove();
      relay = await startTestRelay({
        flags: { 'decompressed-limit-bytes': String(4 * 1024 * 1024) }
      });
      const bomb = disguise(gzipSync(Buffer.alloc(64 * 1024 * 1024)));
      expect(bomb.length).toBeLessThan(1024 * 1024);
      const before = process.memoryUsage().rss;
      const answer = await relay.post(bomb);
      expect([answer.status, answer.json['code']]).toEqual([
        413,
        'decompressed_too_large'
      ]);
      expect(process.memoryUsage().rss - before).toBeLessThan(48 * 1024 * 1024);
      expect((await relay.post(batch(cellEvent(1)))).status).toBe(200);
    }
  );

  it('strangers do not make it parse much', async () => {
    const big = { batch: Array.from({ length: 2000 }, (_, i) => cellEvent(i)) };
    const without = await relay.post(big);
    expect([without.status, without.json['code']]).toEqual([
      401,
      'missing_key'
    ]);
    const unknown = await relay.post({
      ...big,
      api_key: `nbt_${'y'.repeat(32)}`
    });
    expect([unknown.status, unknown.json['code']]).toEqual([
      401,
      'unknown_key'
    ]);
    const known = await relay.post({ ...big, api_key: relay.key });
    expect(known.status).toBe(200);
  });

  it('more events, or more objects, than a request may have are refused', async () => {
    const many = `{"api_key":"${relay.key}","batch":[${'1,'.repeat(100_000)}1]}`;
    const events = await relay.post(many);
    expect([events.status, events.json['code']]).toEqual([
      413,
      'too_many_events'
    ]);
    const deep = `{"api_key":"${relay.key}","batch":${'['.repeat(2_100_000)}`;
    const parts = await relay.post(deep);
    expect([parts.status, parts.json['code']]).toEqual([413, 'too_complex']);
  });

  it('nesting that cannot be written again is set aside', async () => {
    const deep = `${'['.repeat(60_000)}${']'.repeat(60_000)}`;
    const event = JSON.stringify(cellEvent(1, { deep: 'HERE' })).replace(
      '"HERE"',
      deep
    );
    const answer = await relay.post(
      `{"api_key":"${relay.key}","batch":[${event},${JSON.stringify(cellEvent(2))}]}`
    );
    expect(answer.status).toBe(200);
    expect(answer.json['rejected']).toMatchObject([
      { index: 0, uuid: uuidOf(1), code: 'range', field: 'properties' }
    ]);
    expect((await relay.events()).map(({ uuid }) => uuid)).toEqual([uuidOf(2)]);
  });

  it('a body that stops halfway is given up after a while', async () => {
    await relay.remove();
    relay = await startTestRelay({ flags: { 'body-timeout-seconds': '1' } });
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(relay.relay.port, '127.0.0.1', () => {
        socket.write(
          'POST /batch/ HTTP/1.1\r\nHost: x\r\nOrigin: https://x.example\r\nContent-Length: 1000\r\n\r\n{"api'
        );
      });
      let text = '';
      socket.on('data', chunk => (text += String(chunk)));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
    });
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('"code":"body_timeout"');
    expect(answer).toContain('access-control-allow-origin: https://x.example');
  });

  it('a client that goes away in the middle does no harm', async () => {
    await new Promise<void>((resolve, reject) => {
      const socket = connect(relay.relay.port, '127.0.0.1', () => {
        socket.write(
          'POST /batch/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"api',
          () => socket.destroy()
        );
      });
      socket.on('close', () => resolve());
      socket.on('error', reject);
    });
    expect((await relay.post(batch(cellEvent(1)))).status).toBe(200);
  });
});

describe('CORS', () => {
  it('lets pages of any origin ask, with whatever headers they name', async () => {
    const response = await fetch(`${relay.url}/i/v0/e/`, {
      method: 'OPTIONS',
      headers: {
        origin: ORIGIN,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type, x-anything'
      }
    });
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-credentials': 'true',
      'access-control-allow-methods': 'GET, POST, OPTIONS',
      'access-control-allow-headers': 'content-type, x-anything',
      vary: expect.stringContaining('Origin') as string
    });
  });

  it('stands on answers of every kind', async () => {
    const answers = [
      await relay.post(batch(cellEvent(1)), { headers: { origin: ORIGIN } }),
      await relay.post('nonsense', { headers: { origin: ORIGIN } }),
      await relay.post(Buffer.alloc(21 * 1024 * 1024), {
        headers: { origin: ORIGIN }
      }),
      await read(
        await fetch(`${relay.url}/e/`, {
          method: 'PUT',
          headers: { origin: ORIGIN }
        })
      )
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 400, 413, 405]);
    for (const { headers } of answers) {
      expect(headers.get('access-control-allow-origin')).toBe(ORIGIN);
      expect(headers.get('access-control-allow-credentials')).toBe('true');
      expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]+-[0-9a-z]+$/);
    }
  });
});

describe('a batch with bad events in it', () => {
  it('loses none of the good ones', async () => {
    const events: unknown[] = Array.from({ length: 50 }, (_, i) =>
      cellEvent(i)
    );
    events[17] = cellEvent(17, { ms: 'soon', code: 'print("geheim")' });
    events[23] = 'not an event';
    const answer = await relay.post(batch(...events));
    expect(answer.status).toBe(200);
    expect(answer.json).toEqual({
      status: 'Ok',
      rejected: [
        {
          index: 17,
          uuid: uuidOf(17),
          code: 'choice',
          field: 'properties.ms',
          message: expect.stringContaining('"soon"') as string
        },
        {
          index: 23,
          uuid: null,
          code: 'type',
          field: 'event',
          message: expect.any(String) as string
        }
      ]
    });
    const kept = await relay.events();
    expect(kept.map(({ uuid }) => uuid)).toEqual(
      Array.from({ length: 50 }, (_, i) => i)
        .filter(i => i !== 17 && i !== 23)
        .map(uuidOf)
    );
    const bytes = await relay.everyByte();
    expect(bytes).not.toContain('geheim');
    expect(bytes).not.toContain(relay.key);
  });

  it('sets them aside once, however often they are sent', async () => {
    const bad = cellEvent(1, { ms: 'soon' });
    await relay.post(batch(bad, cellEvent(2)));
    await relay.post(batch(bad, cellEvent(3)));
    await relay.records();
    const letters = (await relay.everyByte()).match(/"stage":"door"/g);
    expect(letters).toHaveLength(1);
  });

  it('names a thousand at most, and says how many there are', async () => {
    const answer = await relay.post(
      batch(...Array.from({ length: 1500 }, () => 7), cellEvent(1))
    );
    expect(answer.status).toBe(200);
    expect(answer.json['rejected']).toHaveLength(1000);
    expect(answer.json['rejected_count']).toBe(1500);
  });
});

describe('what looks like an attack', () => {
  it('keys of prototypes are data like all else', async () => {
    const event = JSON.stringify(cellEvent(1)).replace(
      '"properties":{',
      '"properties":{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"hasOwnProperty":1,"toString":2,'
    );
    const more = JSON.stringify(cellEvent(2)).replace(
      '{',
      '{"__proto__":{"event":"x"},'
    );
    const body = `{"__proto__":{"api_key":"x"},"api_key":"${relay.key}","batch":[${event},${more}]}`;
    expect((await relay.post(body)).status).toBe(200);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    const [first] = await relay.events();
    expect(Object.hasOwn(first!.payload, '__proto__')).toBe(true);
  });

  it('a key in escapes, or beside the key, does not reach the disk either', async () => {
    const escaped = [...relay.key]
      .map(c => `\\u00${c.charCodeAt(0).toString(16)}`)
      .join('');
    const event = JSON.stringify(
      cellEvent(1, { note: `my key is ${relay.key}!` })
    );
    const body = `{"api_key":"${escaped}","batch":[${event}]}`;
    expect((await relay.post(body)).status).toBe(200);
    const twice = `{"api_key":"${escaped}","batch":[${JSON.stringify(cellEvent(2))}],"api_key":"${relay.key}"}`;
    expect((await relay.post(twice)).status).toBe(200);
    const bytes = await relay.everyByte();
    expect(bytes).not.toContain(relay.key);
    expect(bytes).not.toContain(escaped);
    expect((await relay.events())[0]!.payload['note']).toBe(
      `my key is ${'*'.repeat(36)}!`
    );
  });

  it('lone surrogates pass through', async () => {
    const event = JSON.stringify(cellEvent(1, { note: 'HERE' })).replace(
      'HERE',
      '\\ud83d'
    );
    const body = `{"api_key":"${relay.key}","batch":[${event}]}`;
    expect((await relay.post(body)).status).toBe(200);
    expect((await relay.events())[0]!.payload['note']).toBe('\ud83d');
  });

  it('what the log says of requests names no person, no key and no content', async () => {
    await relay.post(batch(cellEvent(1, { student: 'SECRET-STUDENT' })));
    await relay.post(batch(cellEvent(2, { ms: 'SECRET-VALUE' })));
    await relay.post(`{"api_key":"${relay.key}", SECRET-TEXT`);
    await relay.relay.close();
    expect(relay.logged()).toContain('"kept":1');
    expect(relay.logged()).toContain('properties.ms');
    expect(relay.logged()).not.toMatch(/SECRET/);
    expect(relay.logged()).not.toContain(relay.key);
  });
});
