/**
 * Requests of every shape, good and bad, through the real handler of the door: it answers each as
 * documented, keeps nothing that was not sent, and accounts for every event.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { deflateSync, gzipSync } from 'node:zlib';
import { jest } from '@jest/globals';
import fc from 'fast-check';
import lzString from 'lz-string';
import { EVENT_NAMES } from '../../../src/events/index.js';
import { newCourse } from '../../../src/relay/courses/courseFile.js';
import { createDoor, type DoorReport } from '../../../src/relay/door/door.js';
import { createDuplicateWindow } from '../../../src/relay/door/duplicates.js';
import { ERRORS } from '../../../src/relay/errors.js';
import { recordsOf } from '../../../src/relay/log/contents.js';
import type { RecordHeader } from '../../../src/relay/log/types.js';
import { openBody } from '../../support/posthog-rules.mjs';
import { uuidOf } from '../support/testRelay.js';

const REQUESTS = process.env['LONG'] ? 5_000_000 : 100_000;
const IN_A_RUN = 100;
const SEED = Number(process.env['SEED'] ?? 20261121);
jest.setTimeout(REQUESTS * 10);

type Json = Record<string, unknown>;
const KEYS = {
  full: `nbt_${'f'.repeat(32)}`,
  outcomes: `nbt_${'o'.repeat(32)}`
};
const STRANGER = `nbt_${'s'.repeat(32)}`;

/** Values that clients have sent, or somebody will. */
const value = fc.oneof(
  fc.string({ maxLength: 6 }),
  fc.constantFrom('', ' ', '\ud83d', '\0', 'José 🎓', '__proto__', KEYS.full),
  fc.double(),
  fc.maxSafeInteger(),
  fc.boolean(),
  fc.constant(null),
  fc.jsonValue({ maxDepth: 1 })
);
const eventLike = fc.record(
  {
    event: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.constantFrom(
          ...EVENT_NAMES,
          ...Array<string>(12).fill('click'),
          '$pageview',
          '$performance_event'
        )
      },
      { weight: 1, arbitrary: value }
    ),
    distinct_id: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom('ADA', 'guest', '0', 'x'.repeat(300))
      },
      { weight: 1, arbitrary: value }
    ),
    $distinct_id: value,
    uuid: fc.oneof(
      fc.uuid(),
      fc.integer({ min: 0, max: 99 }).map(uuidOf),
      fc.uuid().map(uuid => uuid.replaceAll('-', '')),
      value
    ),
    timestamp: fc.oneof(
      fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
      fc.constantFrom('2026-11-21T09:30:00', '2026-11-21', 'yesterday'),
      value
    ),
    offset: fc.oneof(fc.nat(), value),
    properties: fc.oneof(
      {
        weight: 6,
        arbitrary: fc.dictionary(
          fc.constantFrom(
            'nb',
            'sess',
            'code',
            'err',
            'ms',
            'ok',
            'ex',
            'action',
            'distinct_id',
            '$insert_id',
            '$time',
            '$set',
            '__proto__',
            'constructor',
            'anything'
          ),
          fc.oneof(
            value,
            fc.constantFrom('intro', 'aB3dE5gH', 'opened', true, 12)
          )
        )
      },
      { weight: 1, arbitrary: value }
    ),
    $set: fc.oneof(fc.dictionary(fc.string(), value, { maxKeys: 2 }), value),
    $set_once: value,
    type: value
  },
  { requiredKeys: ['event', 'distinct_id'] }
);
const POOL = fc
  .sample(
    fc.oneof(
      { weight: 20, arbitrary: eventLike },
      { weight: 1, arbitrary: value }
    ),
    {
      seed: SEED,
      numRuns: 3000
    }
  )
  .map(event => JSON.parse(JSON.stringify(event ?? null)) as unknown);

interface Made {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: Buffer;
  /** The events as sent, where the bytes say them for sure. */
  sent: unknown[] | undefined;
  engage: boolean;
  v1: boolean;
  course: 'full' | 'outcomes' | undefined;
}

const V0 = [
  '/batch/',
  '/batch',
  '/e/',
  '/e',
  '/i/v0/e/',
  '/i/v0/e',
  '/capture/',
  '/capture',
  '/track/',
  '/track',
  '/engage/',
  '/engage'
];
let fresh = 1_000_000;

/** Makes a request out of one number: generators of generators would take longer than the door. */
function make(number: number): Made {
  let state = number;
  const roll = (sides: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % sides;
  };
  const pick = <T>(...choices: readonly T[]): T =>
    choices[roll(choices.length)]!;
  const v1 = roll(6) === 0;
  const path = v1
    ? pick('/i/v1/analytics/events', '/i/v1/analytics/events/')
    : pick(...V0);
  const course = pick(
    ...(['full', 'full', 'full', 'outcomes', 'outcomes', undefined] as const)
  );
  const key = course
    ? KEYS[course]
    : pick<unknown>(STRANGER, undefined, 'phc_x', 7);
  const events = Array.from({ length: roll(8) === 0 ? 0 : 1 + roll(3) }, () => {
    const event = POOL[roll(POOL.length)];
    const isNew = roll(3) > 0;
    return isNew &&
      typeof event === 'object' &&
      event !== null &&
      !Array.isArray(event)
      ? { ...event, uuid: uuidOf((fresh += 1)) }
      : event;
  });
  const sentAt = pick<unknown>(
    undefined,
    new Date().toISOString(),
    '2020-01-01',
    'now',
    7
  );
  let value: unknown;
  let sent: unknown[] | undefined = events;
  switch (v1 ? 0 : pick(0, 0, 0, 1, 1, 2, 2, 3)) {
    case 0:
      value = {
        ...(v1 ? {} : { [pick('api_key', 'token')]: key }),
        batch: events,
        sent_at: sentAt
      };
      break;
    case 1:
      sent = events.map(event => withKey(event, key));
      value = sent;
      break;
    case 2:
      sent = [
        withKey(events[0] ?? { event: 'click', distinct_id: 'ADA' }, key)
      ];
      value = sent[0];
      break;
    default:
      sent = undefined;
      value = pick<unknown>(
        null,
        7,
        'text',
        [],
        {},
        { batch: 7, api_key: key },
        { batch: [], api_key: key }
      );
  }
  const wrapped = wrap(JSON.stringify(value), v1, roll, pick);
  if (roll(12) === 0) {
    sent = undefined;
    wrapped.body = damage(wrapped.body, roll);
  }
  const query = [
    ...wrapped.query,
    ...pick([], ['_=1795251000500'], ['beacon=1'], ['ip=1', 'ver=1.57'])
  ];
  return {
    method: roll(20) === 0 ? pick('OPTIONS', 'PUT', 'GET') : wrapped.method,
    url: path + (query.length > 0 ? `?${query.join('&')}` : ''),
    headers: {
      ...wrapped.headers,
      ...(v1 && typeof key === 'string'
        ? { authorization: `Bearer ${key}` }
        : {}),
      ...pick<Record<string, string>>({}, { origin: 'https://x.example' })
    },
    body: wrapped.body,
    sent,
    engage: path.startsWith('/engage'),
    v1,
    course
  };
}

function withKey(event: unknown, key: unknown): unknown {
  return typeof event === 'object' && event !== null && !Array.isArray(event)
    ? { ...event, token: key }
    : event;
}

function wrap(
  json: string,
  v1: boolean,
  roll: (sides: number) => number,
  pick: <T>(...choices: readonly T[]) => T
): {
  method: string;
  query: string[];
  headers: Record<string, string>;
  body: Buffer;
} {
  const plain = {
    method: 'POST',
    query: [] as string[],
    headers: {} as Record<string, string>,
    body: Buffer.from(json)
  };
  const base64 = (bytes: string | Buffer): string =>
    Buffer.from(bytes).toString('base64');
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  // The library that compresses lz64 takes longer than all the rest.
  const way = roll(100) === 0 ? 5 : pick(0, 1, 2, 3, 4, 6, 7, 7, 7, 7, 7, 7);
  if (v1) {
    return way === 0
      ? {
          ...plain,
          headers: { 'content-encoding': 'gzip' },
          body: gzipSync(json)
        }
      : way === 1
        ? {
            ...plain,
            headers: { 'content-encoding': 'deflate' },
            body: deflateSync(json)
          }
        : {
            ...plain,
            headers: pick<Record<string, string>>(
              {},
              { 'content-type': 'application/json' },
              { 'content-type': 'text/plain' },
              { 'content-encoding': 'zebra' }
            )
          };
  }
  switch (way) {
    case 0:
      return { ...plain, body: gzipSync(json) };
    case 1:
      return { ...plain, query: ['compression=gzip-js'], body: gzipSync(json) };
    case 2:
      return { ...plain, body: Buffer.from(base64(json)) };
    case 3:
      return {
        ...plain,
        headers: form,
        body: Buffer.from(`data=${encodeURIComponent(base64(json))}`)
      };
    case 4:
      return {
        ...plain,
        headers: form,
        body: Buffer.from(`data=${encodeURIComponent(json)}&ip=1`)
      };
    case 5:
      return {
        ...plain,
        headers: form,
        body: Buffer.from(
          `compression=lz64&data=${encodeURIComponent(lzString.compressToBase64(json))}`
        )
      };
    case 6:
      return {
        ...plain,
        method: 'GET',
        query: [`data=${encodeURIComponent(base64(json))}`],
        body: Buffer.alloc(0)
      };
    default:
      return {
        ...plain,
        query: pick([], [], ['compression=zebra'], ['compression=gzip'])
      };
  }
}

function damage(body: Buffer, roll: (sides: number) => number): Buffer {
  if (body.length === 0) {
    return body;
  }
  const at = roll(body.length);
  switch (roll(3)) {
    case 0:
      return body.subarray(0, at);
    case 1:
      body[at]! ^= 1 << roll(8);
      return body;
    default:
      return Buffer.concat([
        body.subarray(0, at),
        body.subarray(roll(body.length))
      ]);
  }
}

/** Members that say nothing. */
function nullsOf(raw: Json): string[] {
  return Object.keys(raw).filter(name => raw[name] === null);
}

/** What PostHog itself would make of an event; undefined where it would refuse it. */
function asPostHogReads(
  event: unknown,
  { engage, v1 }: Made
): string | undefined {
  try {
    const { uuid: _uuid, ...rest } = event as Json;
    const { options: _options, ...plain } = rest;
    const raw = {
      ...(v1 ? plain : rest),
      properties: rest['properties'] ?? {}
    };
    for (const name of ['timestamp', 'offset', ...nullsOf(raw)]) {
      delete (raw as Json)[name];
    }
    const [read] = openBody(
      { api_key: 'k', batch: [raw] },
      engage ? '/engage' : '/e'
    ).events;
    const { event: name, distinct_id, properties } = read!;
    for (const set of ['$set', '$set_once']) {
      if (properties[set] === null) {
        delete properties[set];
      }
    }
    return sorted(name, distinct_id, properties);
  } catch {
    return undefined;
  }
}

function sorted(event: string, id: string, properties: Json): string {
  const { course: _course, ...rest } = properties;
  const entries = Object.entries(rest).filter(
    ([name, inner]) => !/^\$set(_once)?$/.test(name) || inner !== null
  );
  const text = JSON.stringify([
    event,
    id,
    entries.sort(([a], [b]) => (a < b ? -1 : 1))
  ]);
  return text.replace(/nbt_[0-9A-Za-z]{32}/g, '*'.repeat(36));
}

const appended: { header: RecordHeader; body: Buffer }[] = [];
let letters = 0;
let report: DoorReport | undefined;
const door = createDoor({
  log: {
    append: (header, body) => {
      appended.push({ header, body: Buffer.from(body) });
      return Promise.resolve(appended.length);
    },
    flushed: () => Promise.resolve()
  },
  deadLetters: {
    put: some => {
      letters += some.length;
      return Promise.resolve();
    }
  },
  courses: {
    holderOf: key => {
      const id =
        key === KEYS.full
          ? 'full'
          : key === KEYS.outcomes
            ? 'outcomes'
            : undefined;
      return id === undefined
        ? { kind: 'unknown' }
        : {
            kind: 'known',
            key: {
              id: 'k_1',
              kind: 'write',
              sha256: '',
              course: id,
              created: ''
            },
            course: {
              ...newCourse(id, id),
              level: id,
              ...(id === 'full'
                ? {
                    events: [...EVENT_NAMES].filter(
                      name => name !== 'command' && name !== 'consent'
                    )
                  }
                : {})
            }
          };
    }
  },
  duplicates: createDuplicateWindow({ days: 1 }),
  bodyLimitBytes: 100_000,
  decompressedLimitBytes: 100_000,
  bodyTimeoutMs: 5_000,
  state: () => 'open',
  onReport: told => {
    report = told;
  }
});

interface Answer {
  status: number;
  /** The answer's head as it would be sent. */
  head: string;
  text: string;
}

async function ask({ method, url, headers, body }: Made): Promise<Answer> {
  const request = new IncomingMessage(null as unknown as Socket);
  Object.assign(request, { method, url });
  request.headers = { ...headers, 'content-length': String(body.length) };
  if (body.length > 0) {
    request.push(body);
  }
  request.push(null);
  const response = new ServerResponse(request);
  let text = '';
  response.end = ((chunk?: string) => {
    text = chunk ?? '';
    return response;
  }) as typeof response.end;
  await door(request, response, url.split('?')[0]!);
  request.destroy();
  const { _header: head } = response as unknown as { _header: string };
  return { status: response.statusCode, head, text };
}

const keptIds = { full: new Set<string>(), outcomes: new Set<string>() };
const tally: Record<string, number> = {};

function check(made: Made, answer: Answer): void {
  const { status, head, text } = answer;
  const { receipt, error } = report!;
  tally[status] = (tally[status] ?? 0) + 1;
  const says = `${made.method} ${made.url}: ${status} ${text.slice(0, 200)} ${String((error as Error | undefined)?.cause ?? '')}`;
  const insist = (holds: boolean, what: string): void => {
    if (!holds) {
      throw new Error(
        `${what}: ${says}\n${made.body.toString('latin1').slice(0, 2000)}`
      );
    }
  };
  insist(
    head.includes(
      `access-control-allow-origin: ${made.headers['origin'] ?? '*'}\r\n`
    ),
    'CORS'
  );
  if (status >= 400) {
    const { code } = JSON.parse(text) as { code: keyof typeof ERRORS };
    insist(
      ERRORS[code].status === status && code !== 'internal_error',
      'a documented error'
    );
    insist([400, 401, 405, 413, 415].includes(status), 'a status that fits');
    insist(status !== 415 || made.v1, '415 for v1 alone');
  } else {
    insist(
      status === 200 ||
        (status === 204 && made.url.includes('beacon=1') && !made.v1),
      '200, or 204 for a beacon'
    );
  }
  const records = appended.splice(0);
  const asides = letters;
  letters = 0;
  if (receipt === undefined) {
    insist(records.length === 0 && asides === 0, 'nothing kept');
    return;
  }
  const { kept, duplicates, rejected, notCollected } = receipt;
  insist(
    made.course === receipt.course || made.sent === undefined,
    'the course of the key'
  );
  insist(
    records.length === (kept > 0 ? 1 : 0) &&
      (records[0]?.header.n ?? 0) === kept,
    'all kept in one record'
  );
  insist(asides === rejected.length, 'a letter for each that is set aside');
  const events = records.flatMap(({ header, body }) =>
    recordsOf({ seq: 1, header, body })
  );
  insist(events.length === kept, 'read back');
  const ids = keptIds[receipt.course as 'full'];
  for (const { uuid } of events) {
    insist(!ids.has(uuid!.toLowerCase()), 'kept once');
    ids.add(uuid!.toLowerCase());
  }
  if (made.sent === undefined) {
    return;
  }
  const left = [...notCollected.values()].reduce(
    (sum, count) => sum + count,
    0
  );
  insist(
    kept + duplicates + left + rejected.length === made.sent.length,
    'every event accounted for'
  );
  if (receipt.course === 'full' && kept > 0) {
    const known = made.sent.map(event => asPostHogReads(event, made));
    for (const { event, distinct_id, payload } of events) {
      const at = known.indexOf(sorted(event, distinct_id!, payload as Json));
      insist(
        at >= 0,
        `an event that was sent, not ${sorted(event, distinct_id!, payload as Json)} beside ${known.join(' | ')}`
      );
      known.splice(at, 1);
    }
  } else {
    insist(
      events.every(
        ({ event, payload }) =>
          !['cell', 'test'].includes(event) ||
          ((payload as Json)['code'] ?? null) === null
      ),
      'no code'
    );
  }
}

// Most requests end in an error, whose stack nobody reads, and which takes as long as all the rest.
const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

it(`${REQUESTS} requests`, async () => {
  let count = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(2 ** 31 - 1), {
        minLength: IN_A_RUN,
        maxLength: IN_A_RUN
      }),
      async all => {
        for (const number of all) {
          const made = make(number);
          check(made, await ask(made));
          count += 1;
        }
      }
    ),
    {
      seed: SEED,
      numRuns: REQUESTS / IN_A_RUN,
      endOnFailure: true,
      // The numbers of a whole run are no help; the request that failed is in the cause.
      reporter: ({ failed, errorInstance, seed, counterexamplePath }) => {
        if (failed) {
          throw new Error(`seed ${seed}, path ${counterexamplePath}`, {
            cause: errorInstance
          });
        }
      }
    }
  );
  expect(count).toBe(REQUESTS);
  // It went everywhere.
  expect(tally[200]! / REQUESTS).toBeGreaterThan(0.15);
  expect(Object.keys(tally).map(Number)).toEqual([
    200, 204, 400, 401, 405, 415
  ]);
});
