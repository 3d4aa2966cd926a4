/** The PostHog sink against a stand-in that answers as PostHog does. */
import { v7 } from 'uuid';
import { createPostHogSink, type Sink } from '../../src/sinks/index.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { deepFreeze, makeRecord, makeRecords } from '../support/records.js';
import { waitFor } from '../support/waitFor.js';
import { describeSink } from './conformance.js';

const apiKey = 'phc_test_of_the_sink';

const sinkTo = (
  posthog: PostHogStandIn,
  more: Partial<Parameters<typeof createPostHogSink>[0]> = {}
): Sink =>
  createPostHogSink({
    name: 'posthog-demo',
    host: posthog.url,
    apiKey,
    requestTimeoutMs: 2000,
    ...more
  });

describeSink('PostHog', async () => {
  const posthog = await startPostHogStandIn();
  return {
    sink: sinkTo(posthog),
    count: () => posthog.stored().length,
    uuids: () => posthog.stored().map(({ uuid }) => uuid),
    provoke: {
      retry: () => posthog.behave({ mode: 'answer', status: 503 }),
      refused: () => posthog.behave({ mode: 'answer', status: 400 }),
      stop: () => posthog.behave({ mode: 'answer', status: 401 })
    },
    heal: () => posthog.behave({ mode: 'ok' }),
    poison: () => posthog.behave({ mode: 'refuse' }),
    reopen: () => sinkTo(posthog),
    hang: () => {
      posthog.behave({ mode: 'hang' });
      return async () => {
        await waitFor('a request hangs', () => posthog.requests().length > 0);
      };
    },
    teardown: () => posthog.stop()
  };
});

describe('the PostHog sink', () => {
  let posthog: PostHogStandIn;
  let sink: Sink;

  beforeEach(async () => {
    posthog = await startPostHogStandIn();
    sink = sinkTo(posthog);
  });

  afterEach(async () => {
    await sink.close();
    await posthog.stop();
  });

  describe('sends', () => {
    it('a record as an event of the same name, student, id and time', async () => {
      const record = makeRecord({ seq: 42 });
      expect(await sink.deliver([record])).toEqual({ kind: 'ok' });
      const [stored, ...others] = posthog.stored();
      expect(others).toEqual([]);
      expect(stored).toMatchObject({
        token: apiKey,
        event: 'test',
        distinct_id: 'JOHN-DOE',
        uuid: record.uuid,
        timestamp: '2026-11-21T09:30:00.250Z',
        copies: 1
      });
      const { $ip: _relay, ...properties } = stored?.properties ?? {};
      expect(properties).toEqual({
        ...record.payload,
        course: 'demo',
        $lib: 'ipynb-telemetry',
        $lib_version: '0.1.0',
        $ignore_sent_at: true,
        $geoip_disable: true
      });
    });

    it('one gzipped request a batch', async () => {
      await sink.deliver(makeRecords(500));
      expect(posthog.requests()).toEqual([
        expect.objectContaining({ path: '/batch/', status: 200, gzip: true })
      ]);
      expect(posthog.stored()).toHaveLength(500);
    });

    it('the library that made the event, where the event says so', async () => {
      await sink.deliver([
        makeRecord({ properties: { $lib: 'web', $lib_version: '1.449.0' } })
      ]);
      expect(posthog.stored()[0]?.properties).toMatchObject({
        $lib: 'web',
        $lib_version: '1.449.0'
      });
    });

    it('no IP address and asks for no place, unless the course wants it and the event has one', async () => {
      const record = makeRecord({ properties: { $ip: '192.0.2.7' } });
      await sink.deliver([record]);
      expect(posthog.stored()[0]?.properties).toMatchObject({
        $ip: '127.0.0.1',
        $geoip_disable: true
      });
      const asked = sinkTo(posthog, { places: ['demo'] });
      await asked.deliver([
        record,
        makeRecord({ course: 'other', properties: { $ip: '192.0.2.8' } }),
        makeRecord()
      ]);
      await asked.close();
      const [demo, other, without] = posthog.stored();
      expect(demo?.properties['$ip']).toBe('192.0.2.7');
      expect(demo?.properties).not.toHaveProperty('$geoip_disable');
      for (const row of [other, without]) {
        expect(row?.properties).toMatchObject({
          $ip: '127.0.0.1',
          $geoip_disable: true
        });
      }
    });

    it('what is older than two days as a replay, and what is not as it happens', async () => {
      const at = (hours: number) => new Date(Date.now() - hours * 3_600_000);
      for (const [first, second] of [
        [47, 1],
        [72, 47],
        [72, 49]
      ] as const) {
        await sink.deliver([
          makeRecord({ at: at(first) }),
          makeRecord({ at: at(second) })
        ]);
      }
      expect(posthog.requests().map(({ historical }) => historical)).toEqual([
        false,
        false,
        true
      ]);
    });

    it('no two events of a request with one name, student and time, at every attempt the same', async () => {
      const at = new Date('2026-11-21T23:59:59.998Z');
      const records = [
        makeRecord({ at }),
        makeRecord({ at }),
        makeRecord({ at, student: 'JANE-DOE' }),
        makeRecord({ at: new Date('2026-11-21T23:59:59.999Z') }),
        makeRecord({ at })
      ];
      const prepared = sink.prepare!(records);
      expect(prepared.map(({ timestamp }) => timestamp)).toEqual([
        '2026-11-21T23:59:59.998Z',
        '2026-11-21T23:59:59.999Z',
        '2026-11-21T23:59:59.998Z',
        '2026-11-22T00:00:00.000Z',
        '2026-11-22T00:00:00.001Z'
      ]);
      expect(sink.prepare!(deepFreeze(records))).toEqual(prepared);
      expect(prepared.map(({ uuid }) => uuid)).toEqual(
        records.map(({ uuid }) => uuid)
      );
      const counted = [7, 8].map(seq => makeRecord({ at, seq }));
      expect(sink.prepare!(counted)).toEqual(counted);
      const odd = [1, 2].map(() => ({ ...makeRecord(), timestamp: 'never' }));
      expect(sink.prepare!(odd)).toEqual(odd);
    });

    it('a probe that PostHog takes and of which it keeps nothing', async () => {
      expect(await sink.probe!()).toEqual({ kind: 'ok' });
      expect(posthog.requests()).toHaveLength(1);
      expect(posthog.stored()).toEqual([]);
      posthog.behave({ mode: 'answer', status: 400 });
      expect(await sink.probe!()).toMatchObject({ kind: 'refused' });
    });

    it('the same uuid and time at every attempt, so that resends merge, even over midnight', async () => {
      const records = makeRecords(3, {
        at: new Date('2026-11-20T23:59:59.999Z')
      });
      posthog.behave({ mode: 'reset', times: 2 });
      expect((await sink.deliver(records)).kind).toBe('retry');
      expect((await sink.deliver(records)).kind).toBe('retry');
      expect(await sink.deliver(records)).toEqual({ kind: 'ok' });
      expect(posthog.stored().map(({ copies }) => copies)).toEqual([3, 3, 3]);
      expect(posthog.stored()[0]?.timestamp).toBe('2026-11-20T23:59:59.999Z');
      const [first, second] = posthog.requests();
      expect(first?.sentAt).not.toBe(second?.sentAt);
    });

    it('different microseconds for two results in the same millisecond', async () => {
      const sent: string[] = [];
      const original = globalThis.fetch;
      globalThis.fetch = async (url, init) => {
        const { gunzipSync } = await import('node:zlib');
        const body = JSON.parse(
          gunzipSync(init?.body as Uint8Array).toString()
        ) as { batch: { timestamp: string }[] };
        sent.push(...body.batch.map(({ timestamp }) => timestamp));
        return original(url, init);
      };
      try {
        await sink.deliver([makeRecord({ seq: 7 }), makeRecord({ seq: 8 })]);
      } finally {
        globalThis.fetch = original;
      }
      expect(sent).toEqual([
        '2026-11-21T09:30:00.250007Z',
        '2026-11-21T09:30:00.250008Z'
      ]);
    });

    it.each([
      ['guest', 'student:guest'],
      ['GUEST', 'student:GUEST'],
      ['0', 'student:0'],
      [' User ', 'student: User '],
      ['"null"', 'student:"null"'],
      ['GUEST-STAR', 'GUEST-STAR'],
      ['USERA', 'USERA']
    ])(
      'student %j under the id %j, so that PostHog keeps a person',
      async (student, id) => {
        await sink.deliver([makeRecord({ student })]);
        expect(posthog.stored()[0]?.distinct_id).toBe(id);
        expect(posthog.stored()[0]?.properties['student']).toBe(student);
      }
    );

    it('in several requests what is too much for one', async () => {
      const records = makeRecords(20, {
        properties: { output: 'x'.repeat(700_000) }
      });
      expect(await sink.deliver(records)).toEqual({ kind: 'ok' });
      expect(posthog.stored()).toHaveLength(20);
      expect(posthog.requests()).toHaveLength(3);
    });

    it('one batch at a time, whatever the caller does', async () => {
      posthog.behave({ mode: 'slow', ms: 30 });
      const records = makeRecords(30);
      const outcomes = await Promise.all(
        [0, 10, 20].map(at => sink.deliver(records.slice(at, at + 10)))
      );
      expect(outcomes).toEqual(Array(3).fill({ kind: 'ok' }));
      expect(posthog.requests().map(({ uuids }) => uuids.length)).toEqual([
        10, 10, 10
      ]);
    });
  });

  describe('judges', () => {
    it.each([
      [408, 'retry'],
      [429, 'retry'],
      [500, 'retry'],
      [502, 'retry'],
      [503, 'retry'],
      [504, 'retry'],
      [400, 'refused'],
      [413, 'refused'],
      [401, 'stop'],
      [403, 'stop'],
      [301, 'stop'],
      [402, 'stop'],
      [404, 'stop'],
      [405, 'stop']
    ])('an answer of %i as %s', async (status, kind) => {
      posthog.behave({ mode: 'answer', status, location: `${posthog.url}/_x` });
      const outcome = await sink.deliver(makeRecords(2));
      expect(outcome).toMatchObject({
        kind,
        reason: expect.stringContaining(String(status))
      });
      expect(posthog.stored()).toEqual([]);
    });

    it('a 429 or 503 with its Retry-After', async () => {
      posthog.behave({ mode: 'answer', status: 429, retryAfter: 7 });
      expect(await sink.deliver(makeRecords(1))).toMatchObject({
        kind: 'retry',
        afterMs: 7000
      });
      posthog.behave({ mode: 'answer', status: 503 });
      expect(await sink.deliver(makeRecords(1))).not.toHaveProperty('afterMs');
    });

    it('a Retry-After that is a date', async () => {
      const now = Date.parse('2026-11-21T09:30:00.000Z');
      const dated = sinkTo(posthog, { now: () => now });
      for (const [retryAfter, afterMs] of [
        ['Sat, 21 Nov 2026 09:31:30 GMT', 90_000],
        ['Sat, 21 Nov 2026 09:00:00 GMT', 0],
        ['2.5', 2500],
        ['soon', undefined],
        ['-1', undefined]
      ] as const) {
        posthog.behave({ mode: 'answer', status: 503, retryAfter });
        const outcome = await dated.deliver(makeRecords(1));
        expect(outcome.kind).toBe('retry');
        expect((outcome as { afterMs?: number }).afterMs).toBe(afterMs);
      }
      await dated.close();
    });

    it.each([
      ['', 'ok'],
      ['{"status":1}', 'ok'],
      ['{"status":"Ok"}', 'ok'],
      ['<html><body>Please log in</body></html>', 'stop'],
      ['OK', 'stop']
    ])('a 200 that says %j as %s', async (body, kind) => {
      posthog.behave({ mode: 'answer', status: 200, body });
      expect(await sink.deliver(makeRecords(1))).toMatchObject({ kind });
    });

    it('a refused connection as a retry that says where', async () => {
      await posthog.down();
      expect(await sink.deliver(makeRecords(1))).toEqual({
        kind: 'retry',
        reason: `cannot reach ${posthog.url}: ECONNREFUSED`
      });
      await posthog.up();
      expect(await sink.deliver(makeRecords(1))).toEqual({ kind: 'ok' });
    });

    it('a host that nobody knows as a retry', async () => {
      const lost = sinkTo(posthog, { host: 'http://posthog.invalid' });
      expect(await lost.deliver(makeRecords(1))).toMatchObject({
        kind: 'retry',
        reason: expect.stringMatching(/posthog\.invalid: E/)
      });
      await lost.close();
    });

    it('silence as a retry, after the time it was given', async () => {
      const hasty = sinkTo(posthog, { requestTimeoutMs: 200 });
      posthog.behave({ mode: 'hang' });
      expect(await hasty.deliver(makeRecords(1))).toEqual({
        kind: 'retry',
        reason: `${posthog.url} gave no answer within 0.2 s`
      });
      await hasty.close();
    });

    it('one bad event as the refusal of its batch, with what PostHog said', async () => {
      posthog.behave({ mode: 'refuse' });
      const records = makeRecords(5);
      const poison = makeRecord({ properties: { poison: true } });
      expect(await sink.deliver([...records, poison])).toEqual({
        kind: 'refused',
        reason: 'PostHog answered 400: failed to parse request: poison'
      });
      expect(posthog.stored()).toEqual([]);
      expect(await sink.deliver(records)).toEqual({ kind: 'ok' });
      expect((await sink.deliver([poison])).kind).toBe('refused');
    });

    it('an event above 800 KB as refused, without asking', async () => {
      const big = makeRecord({ properties: { big: 'x'.repeat(800_001) } });
      expect(await sink.deliver([big])).toMatchObject({
        kind: 'refused',
        reason: expect.stringMatching(
          new RegExp(`${big.uuid}: it is 800\\d{3} bytes`)
        )
      });
      expect(posthog.requests()).toEqual([]);
    });

    it('a 413 by sending halves, and asks for whole batches afterwards', async () => {
      posthog.behave({ mode: 'limit', events: 30 });
      expect(await sink.deliver(makeRecords(100))).toEqual({ kind: 'ok' });
      expect(posthog.stored()).toHaveLength(100);
      posthog.behave({ mode: 'ok' });
      const before = posthog.requests().length;
      await sink.deliver(makeRecords(100));
      expect(posthog.requests().slice(before)).toHaveLength(1);
    });

    it('an event that is too big for PostHog on its own as refused', async () => {
      posthog.behave({ mode: 'limit', bytes: 10 });
      expect(await sink.deliver(makeRecords(4))).toMatchObject({
        kind: 'refused',
        reason: expect.stringContaining('413')
      });
    });
  });

  describe('never', () => {
    it('mixes a failed batch into the next one', async () => {
      for (const status of [503, 400, 413, 401]) {
        posthog.behave({ mode: 'answer', status, times: 9 });
        await sink.deliver(makeRecords(3));
        posthog.behave({ mode: 'ok' });
        const next = makeRecords(2);
        const before = posthog.requests().length;
        expect(await sink.deliver(next)).toEqual({ kind: 'ok' });
        expect(posthog.requests().slice(before)).toEqual([
          expect.objectContaining({ uuids: next.map(({ uuid }) => uuid) })
        ]);
      }
    });

    it('tells the key, whatever PostHog says, nor writes anything to the console', async () => {
      const said: unknown[] = [];
      const methods = ['log', 'info', 'warn', 'error', 'debug'] as const;
      const originals = methods.map(method => console[method]);
      methods.forEach(method => {
        console[method] = (...args: unknown[]) => said.push(args);
      });
      try {
        for (const status of [400, 401, 404, 413, 429, 503]) {
          posthog.behave({
            mode: 'answer',
            status,
            body: `no project has ${apiKey}\nas its key`
          });
          const outcome = await sink.deliver(makeRecords(2));
          expect(JSON.stringify(outcome)).not.toContain(apiKey);
          expect(JSON.stringify(outcome)).not.toContain('\\n');
        }
        await posthog.down();
        await sink.deliver(makeRecords(2));
      } finally {
        methods.forEach((method, at) => {
          console[method] = originals[at] as typeof console.log;
        });
      }
      expect(said).toEqual([]);
    });

    it('starts with options that cannot work', () => {
      const host = posthog.url;
      const make = (more: { host?: string; apiKey?: string }) => () =>
        createPostHogSink({ name: 'p', host, apiKey, ...more });
      expect(make({ apiKey: ' ' })).toThrow('sink p: the project key is empty');
      expect(make({ host: 'us.i.posthog.com' })).toThrow('expected an address');
      expect(make({ host: 'ftp://us.i.posthog.com' })).toThrow(
        'expected an address'
      );
      expect(make({ host: `https://me:${apiKey}@x.org` })).toThrow(
        /^(?!.*phc_).*expected an address/
      );
    });
  });

  it('keeps the order and the ids of page clients (UUIDv7) and kernels (UUIDv5)', async () => {
    const uuids = [v7(), '886313e1-3b8a-5372-9b90-0c9aee199e5d', v7()];
    await sink.deliver(uuids.map(uuid => makeRecord({ uuid })));
    expect(posthog.stored().map(({ uuid }) => uuid)).toEqual(uuids);
  });
});
