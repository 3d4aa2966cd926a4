/**
 * What a destination can do to the relay, against a stand-in that behaves like PostHog, with the
 * real sink and feeder over a real log. Pauses pass in simulated time.
 */
import { afterAll, afterEach, describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { createServer, connect, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as realPause } from 'node:timers/promises';
import type { SinkStatus } from '../../../src/api/index.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { memoryCursor } from '../../../src/relay/pipeline/cursor.js';
import { openDeadLetters } from '../../../src/relay/pipeline/deadLetters.js';
import { startFeeder } from '../../../src/relay/pipeline/feeder.js';
import { createPostHogSink } from '../../../src/sinks/index.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../../support/posthogStandIn.js';
import { waitFor } from '../../support/waitFor.js';
import { folders, header } from '../log/support.js';
import { uuidOf } from '../support/testRelay.js';

const HOUR = 3_600_000;
const temporary = folders();
const closing: (() => Promise<unknown> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});
afterAll(() => temporary.remove());

interface Scenario {
  what: string;
  /** Makes the trouble. */
  trouble(posthog: PostHogStandIn, line: Line): void | Promise<void>;
  /** Ends it, once this much simulated time has passed. */
  healAfterMs?: number;
  heal?(posthog: PostHogStandIn, line: Line): void | Promise<void>;
  /** Properties of one event in the middle. */
  odd?: Record<string, unknown>;
  /** What the status says meanwhile. */
  shows?: Partial<Record<'state' | 'circuit' | 'lastError', string | RegExp>>[];
  /** Events that end among the dead letters; none by default. */
  setAside?: number;
  /** Most requests that the trouble may cost. */
  requests?: number;
  /** The shortest pause between two attempts. */
  pause?: number;
  /** How long an answer is waited for. */
  timeoutMs?: number;
  /** Without the line between. */
  direct?: boolean;
  /** Whether events may arrive more than once (and are merged). */
  copies?: boolean;
}

const ok = (posthog: PostHogStandIn): void => posthog.behave({ mode: 'ok' });

const SCENARIOS: Scenario[] = [
  {
    what: 'nothing at all',
    trouble: ok,
    requests: 2
  },
  {
    what: '503 for an hour',
    trouble: posthog => posthog.behave({ mode: 'answer', status: 503 }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [
      { state: 'retrying', lastError: /answered 503/ },
      { circuit: 'open' },
      { circuit: 'half-open' }
    ],
    // Half a minute on average between two of them.
    requests: 250
  },
  {
    what: '429 for an hour, asking for two minutes each time',
    trouble: posthog =>
      posthog.behave({ mode: 'answer', status: 429, retryAfter: 120 }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [{ state: 'retrying', lastError: /answered 429/ }],
    requests: 45,
    pause: 120_000
  },
  {
    what: '503 that names the time when it is over',
    trouble: posthog =>
      posthog.behave({
        mode: 'answer',
        status: 503,
        retryAfter: new Date(Date.now() + 10 * 60_000).toUTCString(),
        times: 1
      }),
    shows: [{ state: 'retrying' }],
    requests: 4,
    pause: 9 * 60_000
  },
  {
    what: '413 for requests of more than 40 events',
    trouble: posthog => posthog.behave({ mode: 'limit', events: 40 }),
    copies: false
  },
  {
    what: '413 for requests of more than 6,000 bytes',
    trouble: posthog => posthog.behave({ mode: 'limit', bytes: 6000 })
  },
  {
    what: '413 for one event that is too big by itself',
    trouble: posthog => posthog.behave({ mode: 'limit', bytes: 20_000 }),
    odd: { fill: randomBytes(30_000).toString('base64') },
    setAside: 1,
    copies: true
  },
  {
    what: '400 for one poison event',
    trouble: posthog => posthog.behave({ mode: 'refuse' }),
    odd: { poison: true },
    setAside: 1
  },
  {
    what: '400 for everything for an hour, as of a proxy',
    trouble: posthog =>
      posthog.behave({ mode: 'answer', status: 400, body: 'Bad Request' }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [
      { state: 'stopped', lastError: /^everything is refused: 3 events/ }
    ],
    requests: 45
  },
  {
    what: '413 for everything for an hour, as of a proxy',
    trouble: posthog => posthog.behave({ mode: 'limit', bytes: 10 }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [{ state: 'stopped', lastError: /^everything is refused/ }],
    requests: 1100
  },
  {
    what: '401 for an hour',
    trouble: posthog => posthog.behave({ mode: 'answer', status: 401 }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [{ state: 'stopped', lastError: /does not know the project key/ }],
    requests: 25
  },
  {
    what: 'a login page with status 200 for an hour',
    trouble: posthog =>
      posthog.behave({ mode: 'answer', status: 200, body: '<html>Log in' }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [{ state: 'stopped', lastError: /no answer of PostHog's/ }],
    requests: 25
  },
  {
    what: 'a redirect for an hour',
    trouble: posthog =>
      posthog.behave({ mode: 'answer', status: 302, location: '/login' }),
    healAfterMs: HOUR,
    heal: ok,
    shows: [{ state: 'stopped', lastError: /Is the host right/ }],
    requests: 25
  },
  {
    what: 'silence',
    trouble: posthog => posthog.behave({ mode: 'hang', times: 7 }),
    timeoutMs: 300,
    copies: true,
    shows: [
      { state: 'retrying', lastError: /gave no answer within/ },
      { circuit: 'open' }
    ]
  },
  {
    what: 'a refused connection for an hour',
    trouble: posthog => posthog.down(),
    healAfterMs: HOUR,
    heal: posthog => posthog.up(),
    direct: true,
    shows: [{ state: 'retrying', lastError: /ECONNREFUSED/ }]
  },
  {
    what: 'slowness',
    trouble: posthog => posthog.behave({ mode: 'slow', ms: 50 }),
    requests: 2
  },
  {
    what: 'cut connections',
    trouble: posthog => posthog.behave({ mode: 'drop', times: 6 }),
    shows: [{ state: 'retrying', lastError: /cannot reach/ }],
    requests: 20
  },
  {
    what: 'events stored, and the connection cut before the answer',
    trouble: posthog => posthog.behave({ mode: 'reset', times: 6 }),
    shows: [{ state: 'retrying', lastError: /cannot reach/ }],
    copies: true,
    requests: 20
  },
  {
    what: 'a line that takes everything and brings nothing on, half open',
    trouble: (_posthog, line) => line.be('swallowing'),
    timeoutMs: 300,
    copies: true,
    healAfterMs: 2000,
    heal: (_posthog, line) => line.be('open'),
    shows: [{ state: 'retrying', lastError: /gave no answer within/ }]
  },
  {
    what: 'a line that dies in the middle of the answer',
    trouble: (_posthog, line) => line.be('half an answer'),
    timeoutMs: 300,
    healAfterMs: 2000,
    heal: (_posthog, line) => line.be('open'),
    shows: [{ state: 'retrying', lastError: /gave no answer within/ }],
    copies: true
  }
];

/** Students take turns; each one's events have an order of their own. */
const STUDENTS = ['ADA-LOVELACE', 'ALAN-TURING', 'GRACE-HOPPER'];

describe('nothing is lost, nothing counts twice, and each student’s order stays', () => {
  it.each(SCENARIOS)('by $what', async scenario => {
    const posthog = await startPostHogStandIn();
    closing.push(() => posthog.stop());
    const line = await startLine(posthog.port);
    closing.push(() => line.close());
    const log = await openSegmentLog({ dir: await temporary.make() });
    closing.push(() => log.close());
    const deadLetters = await openDeadLetters(
      join(await temporary.make(), 'dead-letters.jsonl')
    );
    closing.push(() => deadLetters.close());
    const total = 8 * 37;
    for (let record = 0; record < 8; record += 1) {
      await log.append(header(37), bodyFrom(record * 37, 37, scenario.odd));
    }
    const sink = createPostHogSink({
      name: 'posthog',
      host: scenario.direct === true ? posthog.url : line.url,
      apiKey: 'phc_test',
      requestTimeoutMs: scenario.timeoutMs ?? 10_000,
      maxBatch: 200
    });
    closing.push(() => sink.close());

    await scenario.trouble(posthog, line);
    let clock = 0;
    let healed = scenario.heal === undefined;
    const pauses: number[] = [];
    const seen: SinkStatus[] = [];
    const feeder = startFeeder({
      log,
      sink,
      cursor: memoryCursor(),
      deadLetters,
      onStatus: status => seen.push(status),
      sleep: async (ms, signal) => {
        seen.push(feeder.status());
        pauses.push(ms);
        clock += ms;
        if (!healed && clock >= (scenario.healAfterMs ?? 0)) {
          healed = true;
          await scenario.heal!(posthog, line);
        }
        if (!signal.aborted) {
          await new Promise(resolve => setImmediate(resolve));
        }
      }
    });
    closing.push(() => feeder.stop());
    await waitFor(
      () => `all is delivered: ${JSON.stringify(feeder.status())}`,
      () => feeder.status().lag === 0,
      25_000
    );

    const aside = (await deadLetters.list()).map(({ uuid }) => uuid);
    expect(aside).toHaveLength(scenario.setAside ?? 0);
    const stored = posthog.stored();
    expect(stored.map(({ uuid }) => uuid)).toEqual(
      Array.from({ length: total }, (_, n) => uuidOf(n)).filter(
        uuid => !aside.includes(uuid)
      )
    );
    if (scenario.copies !== true && scenario.setAside === undefined) {
      expect(Math.max(...stored.map(({ copies }) => copies))).toBe(1);
    }
    for (const shown of scenario.shows ?? []) {
      expect(seen).toContainEqual(expect.objectContaining(matchers(shown)));
    }
    if (scenario.pause !== undefined) {
      expect(Math.min(...pauses)).toBeGreaterThanOrEqual(scenario.pause);
    }
    expect(posthog.requests().length).toBeLessThanOrEqual(
      scenario.requests ?? Infinity
    );
    expect(feeder.status()).toMatchObject({
      state: 'running',
      circuit: 'closed',
      delivered: total - aside.length,
      setAside: aside.length
    });
  });
});

function matchers(
  shown: Record<string, string | RegExp>
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(shown).map(([name, value]) => [
      name,
      value instanceof RegExp ? expect.stringMatching(value) : value
    ])
  );
}

/** A body of `count` events from number `first` on; event 150 is `odd`. */
function bodyFrom(
  first: number,
  count: number,
  odd: Record<string, unknown> = {}
): Buffer {
  const batch = Array.from({ length: count }, (_, index) => {
    const n = first + index;
    return {
      event: 'cell',
      distinct_id: STUDENTS[n % STUDENTS.length],
      uuid: uuidOf(n),
      timestamp: new Date(1_800_000_000_000 + n * 10).toISOString(),
      properties: {
        nb: 'intro',
        sess: 's',
        seq: n,
        salt: randomBytes(30).toString('hex'),
        ...(n === 150 ? odd : {})
      }
    };
  });
  return Buffer.from(JSON.stringify({ batch }));
}

/** A line to the stand-in that can die without a word, as when a router forgets a connection. */
interface Line {
  url: string;
  be(how: 'open' | 'swallowing' | 'half an answer'): void;
  close(): Promise<void>;
}

async function startLine(port: number): Promise<Line> {
  let mode: 'open' | 'swallowing' | 'half an answer' = 'open';
  const sockets = new Set<Socket>();
  const server = createServer(near => {
    const far = connect(port, '127.0.0.1');
    // A connection stays what it was: it does not heal.
    const dead = mode;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.once('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on('data', chunk => {
      if (dead !== 'swallowing') {
        far.write(chunk);
      }
    });
    far.on('data', chunk => {
      near.write(dead === 'open' ? chunk : (chunk as Buffer).subarray(0, 60));
    });
    far.once('end', () => near.end());
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    be: how => {
      mode = how;
    },
    async close() {
      sockets.forEach(socket => socket.destroy());
      await new Promise(resolve => server.close(resolve));
      await realPause(0);
    }
  };
}
