/** The feeder between a real log and sinks that answer in every way a destination can. */
import { afterAll, afterEach, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { join } from 'node:path';
import type { TelemetryRecord } from '../../../src/events/index.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type { EventLog } from '../../../src/relay/log/types.js';
import {
  memoryCursor,
  openCursor,
  type Cursor
} from '../../../src/relay/pipeline/cursor.js';
import {
  openDeadLetters,
  type DeadLetter,
  type DeadLetters
} from '../../../src/relay/pipeline/deadLetters.js';
import {
  startFeeder,
  STOPPED_PAUSE_MS,
  type Feeder,
  type FeederOptions
} from '../../../src/relay/pipeline/feeder.js';
import { withoutEvents } from '../../../src/relay/privacy/stored.js';
import type { Outcome, Sink } from '../../../src/sinks/types.js';
import { folders, header } from '../log/support.js';

jest.setTimeout(60_000);
const temporary = folders();
const open: { stop?(): Promise<void>; close?(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) {
    await one.stop?.();
    await one.close?.();
  }
});
afterAll(() => temporary.remove());

/** Events are numbered over the whole log: their uuid is their number. */
let made = 0;

/** A body of `count` events. */
function body(count: number, fill = 0): Buffer {
  return Buffer.from(
    JSON.stringify({
      batch: Array.from({ length: count }, () => ({
        event: 'cell',
        distinct_id: 'ADA-LOVELACE',
        uuid: String((made += 1)),
        timestamp: '2026-11-21T09:30:00.000Z',
        properties: { nb: 'n', sess: 's', fill: 'x'.repeat(fill) }
      }))
    })
  );
}

async function newLog(records: number[] = [], fill = 0): Promise<EventLog> {
  made = 0;
  const log = await openSegmentLog({ dir: await temporary.make() });
  open.push(log);
  for (const count of records) {
    await log.append(header(count), body(count, fill));
  }
  return log;
}

const numbers = (records: readonly TelemetryRecord[]): number[] =>
  records.map(record => Number(record.uuid));
const upTo = (last: number, first = 1): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

/** A sink that answers as it is told and keeps what it was given. */
class ScriptedSink implements Sink {
  readonly name = 'posthog';
  /** Every delivery, whatever came of it. */
  readonly tried: number[][] = [];
  /** Of the confirmed ones. */
  readonly taken: number[] = [];
  running = 0;

  constructor(
    private readonly answer: (
      events: number[],
      records: readonly TelemetryRecord[]
    ) => Outcome | Promise<Outcome> = () => ({ kind: 'ok' }),
    readonly maxBatch = 500
  ) {}

  async deliver(records: readonly TelemetryRecord[]): Promise<Outcome> {
    const events = numbers(records);
    this.tried.push(events);
    this.running += 1;
    expect(this.running).toBe(1);
    expect(events.length).toBeGreaterThan(0);
    expect(events.length).toBeLessThanOrEqual(this.maxBatch);
    try {
      const outcome = await this.answer(events, records);
      if (outcome.kind === 'ok') {
        this.taken.push(...events);
      }
      return outcome;
    } finally {
      this.running -= 1;
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

async function newDeadLetters(): Promise<DeadLetters> {
  const letters = await openDeadLetters(
    join(await temporary.make(), 'dead-letters.jsonl')
  );
  open.push(letters);
  return letters;
}

type Setup = Omit<FeederOptions, 'cursor' | 'deadLetters'> &
  Partial<FeederOptions>;

/** Starts a feeder that waits for nothing, unless told otherwise. */
async function feed(setup: Setup): Promise<Feeder> {
  const feeder = startFeeder({
    cursor: memoryCursor(),
    deadLetters: await newDeadLetters(),
    sleep: () => new Promise(resolve => setImmediate(resolve)),
    ...setup
  });
  open.push(feeder);
  return feeder;
}

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > deadline) {
      throw new Error(`Waited in vain for ${condition.toString()}`);
    }
    await new Promise(resolve => setImmediate(resolve));
  }
}

describe('the feeder', () => {
  it('delivers all in order, several log records in one delivery', async () => {
    const log = await newLog([1, 2, 3, 1, 5]);
    const sink = new ScriptedSink();
    const cursor = memoryCursor();
    const feeder = await feed({ log, sink, cursor });
    await until(() => feeder.status().lag === 0);
    expect(sink.tried).toEqual([upTo(12)]);
    expect(cursor.position()).toEqual({ seq: 6, skip: 0 });
    expect(feeder.status()).toEqual({
      name: 'posthog',
      state: 'running',
      circuit: 'closed',
      lag: 0,
      seq: 6,
      delivered: 12,
      setAside: 0,
      retries: 0,
      lastError: null
    });
  });

  it('keeps to the sink’s batch size, also within a log record', async () => {
    const log = await newLog([3, 25, 1, 20, 4]);
    const sink = new ScriptedSink(undefined, 10);
    const feeder = await feed({ log, sink });
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(53));
    expect(sink.tried.map(events => events.length)).toEqual([
      10, 10, 10, 10, 10, 3
    ]);
  });

  it('keeps to the size in bytes, and sends a longer event alone', async () => {
    const log = await newLog([50], 1000);
    await log.append(header(3), body(3, 40_000));
    await log.append(header(20), body(20, 1000));
    const sizes: number[] = [];
    const sink = new ScriptedSink((events, records) => {
      sizes.push(Buffer.byteLength(JSON.stringify(records)) / events.length);
      if (events.length > 1) {
        const bytes = Buffer.byteLength(JSON.stringify(records));
        expect(bytes).toBeLessThan(20_000 * 1.3);
      }
      return { kind: 'ok' };
    });
    const feeder = await feed({ log, sink, maxBytes: 20_000 });
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(73));
    const longest = sink.tried.filter(
      events => events[0]! >= 51 && events[0]! <= 53
    );
    expect(longest).toEqual([[51], [52], [53]]);
    expect(sink.tried.length).toBeLessThan(15);
  });

  it('delivers what is appended later, and soon', async () => {
    const log = await newLog();
    const sink = new ScriptedSink();
    const feeder = await feed({ log, sink });
    for (let round = 1; round <= 20; round += 1) {
      await log.append(header(2), body(2));
      await until(() => sink.taken.length === 2 * round);
    }
    expect(sink.taken).toEqual(upTo(40));
    expect(feeder.status().lag).toBe(0);
  });

  it('gathers for a slow sink and never calls it twice at once', async () => {
    const log = await newLog([1]);
    let release: () => void = () => undefined;
    let held: Promise<void> | undefined = new Promise(
      resolve => (release = resolve)
    );
    const sink = new ScriptedSink(async () => {
      await held;
      return { kind: 'ok' };
    });
    const feeder = await feed({ log, sink });
    await until(() => sink.running === 1);
    for (let count = 0; count < 30; count += 1) {
      await log.append(header(1), body(1));
    }
    expect(sink.tried).toEqual([[1]]);
    expect(feeder.status().lag).toBe(31);
    held = undefined;
    release();
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(31));
    expect(sink.tried.length).toBeLessThanOrEqual(3);
  });

  it('passes over courses that the sink does not get', async () => {
    const log = await newLog();
    for (const course of ['a', 'b', 'a', 'b', 'b']) {
      await log.append({ ...header(2), course }, body(2));
    }
    const sink = new ScriptedSink();
    const cursor = memoryCursor();
    const feeder = await feed({
      log,
      sink,
      cursor,
      accepts: course => course === 'a',
      simulated: course => course === 'a'
    });
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual([1, 2, 5, 6]);
    expect(cursor.position()).toEqual({ seq: 6, skip: 0 });
    expect(feeder.status().delivered).toBe(4);
  });

  it('marks what comes from a simulated course', async () => {
    const log = await newLog([1]);
    const channels: string[] = [];
    const sink = new ScriptedSink((_, records) => {
      channels.push(...records.map(record => record.channel));
      return { kind: 'ok' };
    });
    await feed({ log, sink, simulated: course => course === 'demo' });
    await until(() => sink.taken.length === 1);
    expect(channels).toEqual(['simulation']);
  });
});

describe('a failing delivery', () => {
  it('is repeated with growing pauses, and nothing is lost or out of order', async () => {
    const log = await newLog([4, 4]);
    let failures = 0;
    const sink = new ScriptedSink(() => {
      failures += 1;
      return failures <= 10
        ? { kind: 'retry', reason: '503: not now' }
        : { kind: 'ok' };
    }, 5);
    const pauses: number[] = [];
    const states: string[] = [];
    const feeder = await feed({
      log,
      sink,
      random: () => 1,
      sleep: async ms => void pauses.push(ms),
      onStatus: ({ state, lastError }) => states.push(`${state} ${lastError}`)
    });
    await until(() => feeder.status().lag === 0);
    expect(pauses).toEqual([
      500, 1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000
    ]);
    expect(sink.tried.slice(0, 11)).toEqual(Array(11).fill(upTo(5)));
    expect(sink.taken).toEqual(upTo(8));
    expect(new Set(states)).toEqual(
      new Set(['retrying 503: not now', 'running null'])
    );
  });

  it('waits anywhere between nothing and the bound', async () => {
    const log = await newLog([1]);
    const rolls = [0, 0.25, 0.5];
    let failures = 0;
    const sink = new ScriptedSink(() =>
      (failures += 1) <= 3 ? { kind: 'retry', reason: 'x' } : { kind: 'ok' }
    );
    const pauses: number[] = [];
    await feed({
      log,
      sink,
      random: () => rolls.shift()!,
      sleep: async ms => void pauses.push(ms)
    });
    await until(() => sink.taken.length === 1);
    expect(pauses).toEqual([0, 250, 1000]);
  });

  it('starts from a short pause again after a success', async () => {
    const log = await newLog([2]);
    let calls = 0;
    const sink = new ScriptedSink(
      () =>
        (calls += 1) % 4 === 0
          ? { kind: 'ok' }
          : { kind: 'retry', reason: 'x' },
      1
    );
    const pauses: number[] = [];
    await feed({
      log,
      sink,
      random: () => 1,
      sleep: async ms => void pauses.push(ms)
    });
    await until(() => sink.taken.length === 2);
    expect(pauses).toEqual([500, 1000, 2000, 500, 1000, 2000]);
  });

  it('waits as long as the destination asks, within reason', async () => {
    const log = await newLog([1]);
    const asked = [7000, 10, 1e12];
    const sink = new ScriptedSink(() => {
      const afterMs = asked.shift();
      return afterMs === undefined
        ? { kind: 'ok' }
        : { kind: 'retry', reason: '429', afterMs };
    });
    const pauses: number[] = [];
    await feed({
      log,
      sink,
      random: () => 1,
      sleep: async ms => void pauses.push(ms)
    });
    await until(() => sink.taken.length === 1);
    expect(pauses).toEqual([7000, 1000, 3_600_000]);
  });

  it('may be an exception, though sinks promise not to throw', async () => {
    const log = await newLog([1]);
    let thrown = false;
    const sink = new ScriptedSink(() => {
      if (!thrown) {
        thrown = true;
        throw new Error('bug in the sink');
      }
      return { kind: 'ok' };
    });
    const errors: (string | null)[] = [];
    await feed({
      log,
      sink,
      onStatus: status => errors.push(status.lastError)
    });
    await until(() => sink.taken.length === 1);
    expect(errors).toEqual(['bug in the sink', null]);
  });
});

describe('a destination that takes nothing', () => {
  it('is said to be stopped, and tried again after five minutes or when woken', async () => {
    const log = await newLog([2]);
    let right = false;
    const sink = new ScriptedSink(() =>
      right ? { kind: 'ok' } : { kind: 'stop', reason: '401: wrong key' }
    );
    const pauses: number[] = [];
    const cursor = memoryCursor();
    const feeder = await feed({
      log,
      sink,
      cursor,
      sleep: (ms, signal) => {
        pauses.push(ms);
        return new Promise(resolve => {
          signal.addEventListener('abort', resolve);
        });
      }
    });
    await until(() => pauses.length === 1);
    expect(feeder.status()).toMatchObject({
      state: 'stopped',
      lag: 1,
      lastError: '401: wrong key'
    });
    feeder.wake();
    await until(() => pauses.length === 2);
    expect(pauses).toEqual([STOPPED_PAUSE_MS, STOPPED_PAUSE_MS]);
    expect(cursor.position()).toEqual({ seq: 1, skip: 0 });
    right = true;
    feeder.wake();
    await until(() => feeder.status().lag === 0);
    expect(feeder.status()).toMatchObject({
      state: 'running',
      lastError: null
    });
    expect(sink.taken).toEqual([1, 2]);
  });
});

describe('a refused batch', () => {
  const refusing =
    (poison: Set<number>) =>
    (events: number[]): Outcome =>
      events.some(event => poison.has(event))
        ? { kind: 'refused', reason: '400: bad event' }
        : { kind: 'ok' };

  for (const poison of [1, 250, 251, 500]) {
    it(`of 500 gives up event ${poison} alone`, async () => {
      const log = await newLog([100, 150, 250, 3]);
      const sink = new ScriptedSink(refusing(new Set([poison])));
      const deadLetters = await newDeadLetters();
      const cursor = memoryCursor();
      const feeder = await feed({ log, sink, deadLetters, cursor });
      await until(() => feeder.status().lag === 0);
      expect(sink.taken).toEqual(upTo(503).filter(n => n !== poison));
      expect(await deadLetters.list()).toMatchObject([
        {
          course: 'demo',
          stage: 'posthog',
          code: 'refused',
          reason: '400: bad event',
          uuid: String(poison),
          event: { event: 'cell', uuid: String(poison) }
        }
      ]);
      expect(sink.tried.length).toBeLessThan(22);
      expect(cursor.position()).toEqual({ seq: 5, skip: 0 });
      expect(feeder.status()).toMatchObject({
        state: 'running',
        delivered: 502,
        setAside: 1
      });
    });
  }

  it('with several culprits, or nothing else, sets aside exactly these', async () => {
    for (const poison of [[3, 4, 77], upTo(40), [100]]) {
      const log = await newLog([100]);
      const sink = new ScriptedSink(refusing(new Set(poison)));
      const deadLetters = await newDeadLetters();
      const feeder = await feed({ log, sink, deadLetters });
      await until(() => feeder.status().lag === 0);
      expect(sink.taken).toEqual(upTo(100).filter(n => !poison.includes(n)));
      const uuids = (await deadLetters.list()).map(({ uuid }) => Number(uuid));
      expect(uuids).toEqual(poison);
    }
  });

  it('moves on only once the dead letter is durable', async () => {
    const log = await newLog([3]);
    const sink = new ScriptedSink(refusing(new Set([2])), 1);
    const cursor = memoryCursor();
    let full = true;
    const put: DeadLetter[] = [];
    const feeder = await feed({
      log,
      sink,
      cursor,
      deadLetters: {
        put: async letters => {
          if (full) {
            throw new Error('disk is full');
          }
          put.push(...letters);
        }
      }
    });
    await until(() => feeder.status().lastError === 'disk is full');
    expect(cursor.position()).toEqual({ seq: 1, skip: 1, of: 3 });
    expect(feeder.status()).toMatchObject({ state: 'retrying', setAside: 0 });
    full = false;
    await until(() => feeder.status().lag === 0);
    expect(put.map(({ uuid }) => uuid)).toEqual(['2']);
    expect(sink.taken).toEqual([1, 3]);
  });

  it('keeps its confirmed parts over a restart', async () => {
    const log = await newLog([8]);
    let down = false;
    const sink = new ScriptedSink(events => {
      if (down) {
        return { kind: 'retry', reason: 'down' };
      }
      const outcome = refusing(new Set([7]))(events);
      // Goes away in the middle of the halving.
      down = outcome.kind === 'ok';
      return outcome;
    });
    const cursor = memoryCursor();
    const deadLetters = await newDeadLetters();
    const first = await feed({ log, sink, cursor, deadLetters });
    await until(() => first.status().state === 'retrying');
    await first.stop();
    expect(cursor.position()).toEqual({ seq: 1, skip: 4, of: 8 });
    const next = new ScriptedSink(refusing(new Set([7])));
    const second = await feed({ log, sink: next, cursor, deadLetters });
    await until(() => second.status().lag === 0);
    expect([...sink.taken, ...next.taken]).toEqual([1, 2, 3, 4, 5, 6, 8]);
  });
});

describe('a restart', () => {
  it('goes on where the cursor stands, in the middle of a log record', async () => {
    const log = await newLog([3, 25, 2]);
    const file = join(await temporary.make(), 'cursors', 'posthog.json');
    let deliveries = 0;
    const sink = new ScriptedSink(
      () =>
        (deliveries += 1) <= 2
          ? { kind: 'ok' }
          : { kind: 'retry', reason: 'x' },
      5
    );
    const first = await feed({ log, sink, cursor: await openCursor(file) });
    await until(() => deliveries > 2);
    await first.stop();
    const cursor = await openCursor(file);
    expect(cursor.position()).toEqual({ seq: 2, skip: 7, of: 25 });
    const next = new ScriptedSink(undefined, 5);
    const second = await feed({ log, sink: next, cursor });
    await until(() => second.status().lag === 0);
    expect([...sink.taken, ...next.taken]).toEqual(upTo(30));
    expect((await openCursor(file)).position()).toEqual({ seq: 4, skip: 0 });
  });

  it('leaves out nothing of a record that has lost events since', async () => {
    const log = await newLog([5, 1]);
    const file = join(await temporary.make(), 'cursors', 'posthog.json');
    let deliveries = 0;
    const sink = new ScriptedSink(
      () =>
        (deliveries += 1) <= 1
          ? { kind: 'ok' }
          : { kind: 'retry', reason: 'x' },
      2
    );
    const first = await feed({ log, sink, cursor: await openCursor(file) });
    await until(() => deliveries > 1);
    await first.stop();
    expect(sink.taken).toEqual([1, 2]);
    await log.rewrite(record =>
      withoutEvents(
        record,
        ({ uuid }) => uuid === '1' || uuid === '3' || uuid === '5',
        () => undefined
      )
    );
    const next = new ScriptedSink(undefined, 2);
    const cursor = await openCursor(file);
    const second = await feed({ log, sink: next, cursor });
    await until(() => second.status().lag === 0);
    expect(next.taken).toEqual([2, 4, 6]);
  });

  it('repeats what was delivered but not noted', async () => {
    const log = await newLog([2, 2]);
    const cursor = memoryCursor();
    const broken: Cursor = {
      ...cursor,
      move: () => Promise.reject(new Error('no space'))
    };
    const sink = new ScriptedSink(undefined, 2);
    const feeder = await feed({ log, sink, cursor: broken });
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(4));
    await feeder.stop();
    const again = new ScriptedSink(undefined, 2);
    const second = await feed({ log, sink: again, cursor });
    await until(() => second.status().lag === 0);
    expect(again.taken).toEqual(upTo(4));
  });

  it('with a log that was removed starts at the new log’s start', async () => {
    const log = await newLog();
    const sink = new ScriptedSink();
    await feed({ log, sink, cursor: memoryCursor({ seq: 900, skip: 3 }) });
    await log.append(header(2), body(2));
    await until(() => sink.taken.length === 2);
  });
});

describe('stopping', () => {
  it('lets the delivery in flight end, notes it, and begins no other', async () => {
    const log = await newLog([2, 2]);
    let release: () => void = () => undefined;
    const sink = new ScriptedSink(async () => {
      await new Promise<void>(resolve => (release = resolve));
      return { kind: 'ok' };
    }, 2);
    const cursor = memoryCursor();
    const feeder = await feed({ log, sink, cursor });
    await until(() => sink.running === 1);
    const stopping = [feeder.stop(), feeder.stop()];
    release();
    await Promise.all(stopping);
    expect(sink.tried).toEqual([[1, 2]]);
    expect(cursor.position()).toEqual({ seq: 2, skip: 0 });
    expect(feeder.status().state).toBe('stopped');
    await log.append(header(1), body(1));
    await new Promise(resolve => setTimeout(resolve, 20));
    expect(sink.tried).toEqual([[1, 2]]);
  });

  it('abandons a delivery that does not end, and writes nothing later', async () => {
    const log = await newLog([2]);
    let release: () => void = () => undefined;
    const sink = new ScriptedSink(async () => {
      await new Promise<void>(resolve => (release = resolve));
      return { kind: 'ok' };
    });
    const cursor = memoryCursor();
    const feeder = await feed({ log, sink, cursor, stopGraceMs: 30 });
    await until(() => sink.running === 1);
    await feeder.stop();
    release();
    await until(() => sink.running === 0);
    await new Promise(resolve => setTimeout(resolve, 10));
    expect(cursor.position()).toEqual({ seq: 1, skip: 0 });
  });

  it('does not wait for a pause to end, nor for new records', async () => {
    const log = await newLog([1]);
    const failing = await feed({
      log,
      sink: new ScriptedSink(() => ({
        kind: 'retry',
        reason: 'x',
        afterMs: 60_000
      })),
      sleep: undefined
    });
    const idle = await feed({ log, sink: new ScriptedSink() });
    await until(
      () => failing.status().state === 'retrying' && idle.status().lag === 0
    );
    const start = performance.now();
    await Promise.all([failing.stop(), idle.stop()]);
    // The grace for a delivery in flight would be 5000.
    expect(performance.now() - start).toBeLessThan(4000);
  });
});

describe('a record that cannot be read', () => {
  it('is set aside with the reason, and the others go on', async () => {
    const log = await newLog([2]);
    await log.append(header(1), Buffer.from('{"batch":['));
    await log.append(header(2), body(2));
    const sink = new ScriptedSink();
    const deadLetters = await newDeadLetters();
    const cursor = memoryCursor();
    const feeder = await feed({ log, sink, deadLetters, cursor });
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(4));
    expect(await deadLetters.list()).toMatchObject([
      { code: 'unreadable', course: 'demo', uuid: null, event: { seq: 2 } }
    ]);
    expect(cursor.position()).toEqual({ seq: 4, skip: 0 });
  });

  it('because it is damaged is passed, also at the log’s end, without spinning', async () => {
    const log = await newLog([1, 1, 1]);
    let reads = 0;
    // The log counts three records, and reading finds the first only.
    const damaged: EventLog = {
      append: (...args) => log.append(...args),
      flushed: () => log.flushed(),
      onDurable: listener => log.onDurable(listener),
      status: () => log.status(),
      parts: () => log.parts(),
      release: below => log.release(below),
      rewrite: (...args) => log.rewrite(...args),
      close: () => log.close(),
      async *read(seq) {
        reads += 1;
        for await (const record of log.read(seq)) {
          if (record.seq === 1 || record.seq > 3) {
            yield record;
          }
        }
      }
    };
    const sink = new ScriptedSink();
    const feeder = await feed({ log: damaged, sink });
    await until(() => feeder.status().lag === 0);
    await new Promise(resolve => setTimeout(resolve, 30));
    expect(reads).toBeLessThan(3);
    await log.append(header(1), body(1));
    await until(() => sink.taken.length === 2);
    expect(sink.taken).toEqual([1, 4]);
  });

  it('because the disk fails is tried again', async () => {
    const log = await newLog([2]);
    let failing = true;
    const broken: EventLog = {
      append: (...args) => log.append(...args),
      flushed: () => log.flushed(),
      onDurable: listener => log.onDurable(listener),
      status: () => log.status(),
      parts: () => log.parts(),
      release: below => log.release(below),
      rewrite: (...args) => log.rewrite(...args),
      close: () => log.close(),
      read: seq => {
        if (failing) {
          failing = false;
          throw new Error('EMFILE');
        }
        return log.read(seq);
      }
    };
    const sink = new ScriptedSink();
    const errors: (string | null)[] = [];
    await feed({
      log: broken,
      sink,
      onStatus: status => errors.push(status.lastError)
    });
    await until(() => sink.taken.length === 2);
    expect(errors).toContain('EMFILE');
  });
});

describe('what is taken out of the log', () => {
  const drop = (log: EventLog, gone: readonly number[]): Promise<unknown> =>
    log.rewrite(record =>
      withoutEvents(
        record,
        ({ uuid }) => gone.includes(Number(uuid)),
        () => undefined
      )
    );

  it('is not delivered any more, although it was read before', async () => {
    const log = await newLog(
      Array.from({ length: 400 }, () => 1),
      2000
    );
    let down = true;
    const sink = new ScriptedSink(
      () => (down ? { kind: 'retry', reason: 'away' } : { kind: 'ok' }),
      10
    );
    const feeder = await feed({ log, sink });
    await until(() => feeder.status().retries > 1);
    const gone = upTo(400).filter(number => number % 3 === 0);
    await drop(log, gone);
    down = false;
    await until(() => feeder.status().lag === 0);
    expect(sink.taken).toEqual(upTo(400).filter(number => number % 3 !== 0));
  });

  it('is not set aside any more, although it was refused before', async () => {
    const log = await newLog([3]);
    let probes = 0;
    let dropped = false;
    const sink = Object.assign(
      new ScriptedSink(events =>
        events.includes(2)
          ? { kind: 'refused', reason: 'ADA-LOVELACE' }
          : { kind: 'ok' }
      ),
      {
        probe: (): Promise<Outcome> => {
          probes += 1;
          return Promise.resolve({ kind: 'retry', reason: 'away' });
        }
      }
    );
    const deadLetters = await newDeadLetters();
    // Refused alone, and last: only the probe can tell whose fault it is.
    await drop(log, [3]);
    const feeder = await feed({
      log,
      sink,
      deadLetters,
      sleep: async () => {
        if (probes > 0 && !dropped) {
          dropped = true;
          await drop(log, [2]);
        }
        await new Promise(resolve => setImmediate(resolve));
      }
    });
    await until(() => feeder.status().lag === 0);
    expect(probes).toBe(1);
    expect(await deadLetters.list()).toEqual([]);
    expect(new Set(sink.taken)).toEqual(new Set([1]));
  });

  it('is not set aside any more, although the disk of the dead letters took it only later', async () => {
    const log = await newLog([2]);
    const put: DeadLetter[] = [];
    let attempts = 0;
    const feeder = await feed({
      log,
      sink: new ScriptedSink(events =>
        events.includes(2) ? { kind: 'refused', reason: 'no' } : { kind: 'ok' }
      ),
      deadLetters: {
        put: async letters => {
          attempts += 1;
          if (attempts === 1) {
            await drop(log, [2]);
            throw new Error('disk is full');
          }
          put.push(...letters);
        }
      }
    });
    await until(() => feeder.status().lag === 0);
    expect(put).toEqual([]);
  });
});

describe('whatever destination and restarts do', () => {
  it('each event is confirmed or set aside, in order, and none is left out', async () => {
    const outcome = fc.constantFrom('ok', 'ok', 'ok', 'retry', 'stop', 'throw');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 12 }),
        fc.integer({ min: 1, max: 20 }),
        fc.uniqueArray(fc.integer({ min: 1, max: 150 }), { maxLength: 6 }),
        fc.array(fc.array(outcome, { maxLength: 12 }), { maxLength: 4 }),
        async (records, maxBatch, poison, runs) => {
          const log = await newLog(records);
          const total = made;
          const cursor = memoryCursor();
          const deadLetters = await newDeadLetters();
          const settled: number[] = [];
          for (const script of [...runs, null]) {
            const rest = [...(script ?? [])];
            const sink = new ScriptedSink(events => {
              const next = rest.shift() ?? 'ok';
              if (next === 'throw') {
                throw new Error('x');
              }
              if (next !== 'ok') {
                return { kind: next, reason: 'x' } as Outcome;
              }
              return events.some(event => poison.includes(event))
                ? { kind: 'refused', reason: 'no' }
                : { kind: 'ok' };
            }, maxBatch);
            const feeder = await feed({ log, sink, deadLetters, cursor });
            await until(
              () =>
                feeder.status().lag === 0 ||
                (script !== null && rest.length === 0)
            );
            await feeder.stop();
            settled.push(...sink.taken);
          }
          const aside = (await deadLetters.list()).map(({ uuid }) =>
            Number(uuid)
          );
          expect(settled).toEqual(
            upTo(total).filter(number => !poison.includes(number))
          );
          expect(aside).toEqual(
            [...poison].filter(n => n <= total).sort((a, b) => a - b)
          );
          for (const one of open.splice(0).reverse()) {
            await one.stop?.();
            await one.close?.();
          }
        }
      ),
      { numRuns: process.env['LONG'] === '1' ? 500 : 60 }
    );
  });
});
