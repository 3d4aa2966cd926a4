/** The outbox against a server that answers as scripted: nothing is lost, nothing is kept in vain. */
import fc from 'fast-check';
import type { Outcome } from '../../src/lab/outcomes.js';
import { CourseStores } from '../../src/lab/courseStores.js';
import { MemoryStore } from '../../src/lab/memoryStore.js';
import {
  ANSWER_TIMEOUT_MS,
  FLUSH_DELAY_MS,
  Outbox,
  type OutboxOptions,
  type OutboxState
} from '../../src/lab/outbox.js';
import {
  sizeOf,
  type StoreLimits,
  type UnnumberedEvent
} from '../../src/lab/store.js';
import { Clock, settle } from './clock.js';

const OK: Outcome = { kind: 'ok', rejected: [] };
const RETRY: Outcome = { kind: 'retry', reason: 'relay away', afterMs: null };

function event(uuid: string, padding = 0, name = 'cell'): UnnumberedEvent {
  return {
    event: name,
    distinct_id: 'A-B',
    uuid,
    timestamp: '2026-11-21T09:30:00.000Z',
    properties: { nb: 'n', sess: 's', code: 'x'.repeat(padding) }
  };
}

const stores = (limits?: StoreLimits) =>
  new CourseStores(() => new MemoryStore(limits));

interface Sent {
  at: number;
  uuids: string[];
  keepalive: boolean;
  bytes: number;
  signal: AbortSignal;
}

/** An outbox and everything it did. `answers` are given in turn, then `OK`. */
function outbox(
  answers: (Outcome | Promise<Outcome>)[] = [],
  {
    store = stores(),
    course = (): string | null => 'demo',
    reduce = undefined as OutboxOptions['reduce']
  } = {}
) {
  const clock = new Clock();
  const sent: Sent[] = [];
  const settled: string[] = [];
  const warnings: string[] = [];
  const states: OutboxState[] = [];
  const box: Outbox = new Outbox({
    store,
    course,
    ...(reduce ? { reduce } : {}),
    send: async (batch, keepalive, signal) => {
      sent.push({
        at: clock.now,
        uuids: batch.map(one => one.uuid),
        keepalive,
        bytes: sizeOf(batch),
        signal: signal!
      });
      const answer = answers.shift() ?? OK;
      return Promise.race([answer, aborted(signal!)]);
    },
    onSettled: events => settled.push(...events.map(one => one.uuid)),
    onChange: () => states.push(box.state),
    warn: message => warnings.push(message),
    later: clock.later,
    random: () => 0.999,
    now: () => clock.now
  });
  return { box, clock, sent, settled, warnings, states, store };
}

/** What a request comes to that is called off. */
function aborted(signal: AbortSignal): Promise<Outcome> {
  return new Promise(resolve =>
    signal.addEventListener('abort', () =>
      resolve({ kind: 'retry', reason: 'AbortError', afterMs: null })
    )
  );
}

/** An answer that comes when it is told to. */
function slow(): {
  answer: Promise<Outcome>;
  give: (outcome: Outcome) => void;
} {
  let give: (outcome: Outcome) => void = () => undefined;
  const answer = new Promise<Outcome>(resolve => (give = resolve));
  return { answer, give };
}

it('sends what comes together in one batch, within 100 ms', async () => {
  const o = outbox();
  o.box.add([event('a')]);
  o.box.add([event('b')]);
  await o.clock.pass(100);
  expect(o.sent.map(one => one.uuids)).toEqual([['a', 'b']]);
  expect(o.sent[0]!.at).toBeLessThanOrEqual(100);
  expect(o.settled).toEqual(['a', 'b']);
  expect(o.box.state).toEqual({
    waiting: 0,
    delivered: 2,
    dropped: 0,
    trouble: null,
    nextAttemptAt: null,
    off: null
  });
  expect(o.box.countsOf('s')).toEqual({ made: 2, delivered: 2, dropped: 0 });
});

it('sends, shows and notes what may leave now, and gives up what may not', async () => {
  const reduce: OutboxOptions['reduce'] = one =>
    one.event === 'focus'
      ? null
      : { ...one, properties: { ...one.properties, code: null } };
  const o = outbox([], { reduce });
  o.box.add([event('a', 9), event('b', 0, 'focus')]);
  const shown = await o.box.waiting(9);
  expect(shown.map(({ uuid }) => uuid)).toEqual(['a']);
  expect(shown[0]!.properties['code']).toBeNull();
  await o.clock.pass(100);
  expect(o.sent.map(one => one.uuids)).toEqual([['a']]);
  const noted = await o.box.journal.list(9);
  expect(noted.map(({ event: one }) => one.properties['code'])).toEqual([null]);
  expect(o.settled.sort()).toEqual(['a', 'b']);
  expect(o.box.state).toMatchObject({ waiting: 0, delivered: 1, dropped: 1 });
  o.box.add([event('c', 0, 'focus')]);
  await o.clock.pass(5000);
  expect(o.sent).toHaveLength(1);
  expect(o.box.state).toMatchObject({ waiting: 0, dropped: 2 });
});

it('sends at once what a durable store brought from before', async () => {
  const store = stores();
  store.open('demo');
  store.add([event('old')]);
  const o = outbox([], { store });
  await o.clock.pass(1);
  expect(o.sent.map(one => one.uuids)).toEqual([['old']]);
});

it('tries again with growing waits, keeps the order and the ids', async () => {
  const o = outbox([RETRY, RETRY, RETRY]);
  o.box.add([event('a')]);
  await o.clock.pass(100);
  expect(o.box.state).toMatchObject({ waiting: 1, trouble: 'relay away' });
  expect(o.box.state.nextAttemptAt).toBe(o.clock.now + o.clock.pending[0]!);
  o.box.add([event('b')]);
  await o.clock.pass(60_000);
  const waits = o.sent.slice(1).map((one, i) => one.at - o.sent[i]!.at);
  expect(o.sent.map(one => one.uuids)).toEqual([
    ['a'],
    ['a', 'b'],
    ['a', 'b'],
    ['a', 'b']
  ]);
  expect(waits[1]).toBeGreaterThan(waits[0]!);
  expect(waits[2]).toBeGreaterThan(waits[1]!);
  expect(o.box.state).toMatchObject({
    delivered: 2,
    trouble: null,
    nextAttemptAt: null
  });
});

it('waits as long as it is asked to, and never more than half a minute otherwise', async () => {
  const many = Array.from({ length: 30 }, () => RETRY);
  const o = outbox([{ kind: 'retry', reason: 'busy', afterMs: 7000 }, ...many]);
  o.box.add([event('a')]);
  await o.clock.pass(20 * 60_000);
  const waits = o.sent.slice(1).map((one, i) => one.at - o.sent[i]!.at);
  expect(waits[0]).toBeGreaterThanOrEqual(7000);
  expect(Math.max(...waits)).toBeLessThanOrEqual(30_000);
});

it('tries at once when the network comes back', async () => {
  const o = outbox([RETRY, RETRY, RETRY, RETRY, RETRY]);
  o.box.add([event('a')]);
  await o.clock.pass(5000);
  const tries = o.sent.length;
  o.box.flush();
  await o.clock.pass(1);
  expect(o.sent).toHaveLength(tries + 1);
});

it('halves a batch that is too large, and gives up one event that is', async () => {
  const o = outbox([{ kind: 'too-large' }, { kind: 'too-large' }]);
  o.box.add([event('a'), event('b'), event('c'), event('d')]);
  await o.clock.pass(1000);
  expect(o.sent.map(one => one.uuids.length)).toEqual([4, 2, 1, 3]);
  expect(o.box.state).toMatchObject({ delivered: 4, dropped: 0 });

  const single = outbox([{ kind: 'too-large' }]);
  single.box.add([event('huge'), event('b')].slice(0, 1));
  await single.clock.pass(1000);
  expect(single.box.state).toMatchObject({ waiting: 0, dropped: 1 });
  expect(single.warnings).toHaveLength(1);
});

it('sends the first event at once, and what comes soon after together', async () => {
  const o = outbox();
  o.box.add([event('a')]);
  await o.clock.pass(FLUSH_DELAY_MS);
  for (const uuid of ['b', 'c', 'd']) {
    o.box.add([event(uuid)]);
    await o.clock.pass(100);
  }
  expect(o.sent.map(one => one.uuids)).toEqual([['a']]);
  await o.clock.pass(1000);
  await o.clock.pass(5000);
  o.box.add([event('e')]);
  await o.clock.pass(FLUSH_DELAY_MS);
  expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['b', 'c', 'd'], ['e']]);
});

it('counts what the relay set aside, and says so once', async () => {
  const rejected = [{ uuid: 'b', message: 'properties.ms: expected a number' }];
  const o = outbox([
    { kind: 'ok', rejected },
    { kind: 'refused', reason: 'nothing could be kept' }
  ]);
  o.box.add([event('a'), event('b')]);
  await o.clock.pass(100);
  o.box.add([event('c')]);
  await o.clock.pass(1000);
  expect(o.box.state).toMatchObject({ waiting: 0, delivered: 1, dropped: 2 });
  expect(o.warnings).toEqual([
    expect.stringContaining('properties.ms: expected a number')
  ]);
  // The kernel need not report them either.
  expect(o.settled).toEqual(['a', 'b', 'c']);
});

it('takes and sends nothing more where nobody collects, and erases nothing', async () => {
  const o = outbox([{ kind: 'off', reason: 'no key' }]);
  o.box.add([event('a')]);
  await o.clock.pass(100);
  o.box.add([event('b')]);
  o.box.flush();
  o.box.flushBeforeHide();
  await o.clock.pass(60_000);
  expect(o.sent).toHaveLength(1);
  expect(o.box.state).toMatchObject({ waiting: 1, off: 'no key' });
  expect(o.warnings).toEqual([]);
});

it('keeps a bounded number while nothing can be delivered, and the most valuable', async () => {
  const store = stores({ events: 3, bytes: 10_000 });
  const o = outbox(
    Array.from({ length: 99 }, () => RETRY),
    { store }
  );
  o.box.add([
    event('t1', 0, 'test'),
    event('e1', 0, 'edit'),
    event('f1', 0, 'focus'),
    event('t2', 0, 'test')
  ]);
  await o.clock.pass(100);
  o.box.add([event('t3', 0, 'test')]);
  expect(o.box.state).toMatchObject({ waiting: 3, dropped: 2 });
  expect((await o.box.waiting(9)).map(one => one.uuid)).toEqual([
    't1',
    't2',
    't3'
  ]);
  expect(o.box.countsOf('s')).toEqual({ made: 5, delivered: 0, dropped: 2 });
  expect(o.warnings).toHaveLength(1);
});

describe('where the course is not known', () => {
  it('sends nothing before it is, and then with numbers', async () => {
    let course: string | null = null;
    const o = outbox([], { course: () => course });
    o.box.add([event('a')]);
    await o.clock.pass(60_000);
    o.box.flushBeforeHide();
    expect(o.sent).toEqual([]);
    expect(o.box.state.waiting).toBe(1);
    course = 'demo';
    o.box.flush();
    await o.clock.pass(100);
    expect(o.sent.map(one => one.uuids)).toEqual([['a']]);
  });

  it('sends the events of a course to no other', async () => {
    let course = 'one';
    const o = outbox([RETRY], { course: () => course });
    o.box.add([event('a')]);
    await o.clock.pass(100);
    course = 'two';
    o.box.add([event('b')]);
    await o.clock.pass(60_000);
    expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['b']]);
    course = 'one';
    o.box.flush();
    await o.clock.pass(100);
    expect(o.sent[2]!.uuids).toEqual(['a']);
  });
});

describe('paused', () => {
  it('keeps what waits and sends nothing, not even before the page is hidden', async () => {
    const o = outbox();
    o.box.pause();
    o.box.add([event('a')]);
    o.box.flush();
    o.box.flushBeforeHide();
    await o.clock.pass(60_000);
    expect(o.sent).toEqual([]);
    expect(o.box.state.waiting).toBe(1);
    o.box.resume();
    await o.clock.pass(1);
    expect(o.sent.map(one => one.uuids)).toEqual([['a']]);
  });
});

describe('cleared', () => {
  it('calls off what is under way and forgets the rest', async () => {
    const never = slow();
    const o = outbox([never.answer]);
    o.box.add([event('a')]);
    await o.clock.pass(100);
    o.box.add([event('b')]);
    const cleared = o.box.clear();
    expect(o.sent[0]!.signal.aborted).toBe(true);
    expect(await cleared).toBe(2);
    expect(o.box.state).toMatchObject({ waiting: 0, trouble: null });
    o.box.add([event('withdrawn', 0, 'consent')]);
    await o.clock.pass(60_000);
    expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['withdrawn']]);
    expect((await o.box.journal.list(9)).map(one => one.event.uuid)).toEqual([
      'withdrawn'
    ]);
  });

  it('resolves only when the request under way is over, and notes what arrived all the same', async () => {
    const late = slow();
    const clock = new Clock();
    const store = stores();
    const box = new Outbox({
      store,
      send: () => late.answer,
      later: clock.later
    });
    box.add([event('a')]);
    await clock.pass(100);
    let done = false;
    const cleared = box.clear().then(count => {
      done = true;
      return count;
    });
    await clock.pass(1000);
    expect(done).toBe(false);
    late.give(OK);
    expect(await cleared).toBe(1);
    expect((await box.journal.list(9)).map(one => one.event.uuid)).toEqual([
      'a'
    ]);
  });

  it('spares what is to be kept', async () => {
    const o = outbox([RETRY]);
    o.box.add([event('a'), event('c', 0, 'consent')]);
    await o.clock.pass(100);
    expect(await o.box.clear(one => one.event === 'consent')).toBe(1);
    await o.clock.pass(60_000);
    expect(o.sent.map(one => one.uuids)).toEqual([['a', 'c'], ['c']]);
  });
});

it('notes in the journal what arrived and what was refused', async () => {
  const o = outbox([{ kind: 'ok', rejected: [{ uuid: 'b', message: 'bad' }] }]);
  o.box.add([event('a'), event('b')]);
  await o.clock.pass(100);
  o.box.journal.add([event('k')], 'kernel');
  expect(
    (await o.box.journal.list(9)).map(({ event: { uuid }, by, outcome }) => [
      uuid,
      by,
      outcome
    ])
  ).toEqual([
    ['k', 'kernel', 'delivered'],
    ['b', 'page', 'refused'],
    ['a', 'page', 'delivered']
  ]);
});

it('does not wait for an answer forever', async () => {
  const o = outbox([slow().answer]);
  o.box.add([event('a')]);
  await o.clock.pass(ANSWER_TIMEOUT_MS + 60_000);
  expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['a']]);
});

describe('before the page is hidden', () => {
  it('one batch of what waits leaves with keepalive, within 60 kB', async () => {
    const o = outbox();
    o.box.add(Array.from({ length: 100 }, (_, i) => event(`e${i}`, 1000)));
    o.box.flushBeforeHide();
    o.box.flushBeforeHide();
    await settle();
    expect(o.sent).toHaveLength(1);
    expect(o.sent[0]).toMatchObject({ keepalive: true, at: 0 });
    const size = o.sent[0]!.uuids.length * sizeOf(event('e10', 1000));
    expect(size).toBeGreaterThan(50_000);
    expect(size).toBeLessThan(60_000);
    await o.clock.pass(1000);
    expect(o.box.state).toMatchObject({ waiting: 0, delivered: 100 });
  });

  it('what is under way outlives the page by itself and is not sent twice', async () => {
    const first = slow();
    const o = outbox([first.answer]);
    o.box.add([event('a', 20_000)]);
    await o.clock.pass(100);
    o.box.add([event('b')]);
    o.box.flushBeforeHide();
    o.box.add([event('c')]);
    o.box.flushBeforeHide();
    o.box.flushBeforeHide();
    await settle();
    expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['b'], ['c']]);
    expect(o.sent.every(one => one.keepalive)).toBe(true);
    first.give(OK);
    await o.clock.pass(1000);
    expect([...o.settled].sort()).toEqual(['a', 'b', 'c']);
    expect(o.box.state).toMatchObject({ waiting: 0, delivered: 3 });
  });

  it('bodies under way never exceed what browsers let through, all together', async () => {
    const o = outbox(Array.from({ length: 9 }, () => slow().answer));
    o.box.add([event('a', 50_000)]);
    await o.clock.pass(100);
    o.box.add([event('b', 8000), event('c', 8000)]);
    o.box.flushBeforeHide();
    o.box.flushBeforeHide();
    await settle();
    expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['b']]);
    const bytes = o.sent.reduce((sum, one) => sum + one.bytes, 0);
    expect(bytes).toBeLessThan(60_000);
  });

  it('an event that is too large for it does not keep the others', async () => {
    const o = outbox();
    o.box.add([event('huge', 70_000), event('b')]);
    o.box.flushBeforeHide();
    expect(o.sent.map(one => [one.uuids, one.keepalive])).toEqual([
      [['b'], true]
    ]);
    await o.clock.pass(1000);
    expect(o.sent[1]).toMatchObject({ uuids: ['huge'], keepalive: false });
  });
});

it('stops when disposed of', async () => {
  const o = outbox();
  o.box.add([event('a')]);
  o.box.dispose();
  await o.clock.pass(60_000);
  expect(o.sent).toEqual([]);
  expect(o.clock.pending).toEqual([]);
});

it('delivers every event exactly once, however the server behaves', async () => {
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.constant('add' as const) },
    { weight: 1, arbitrary: fc.constant('hide' as const) },
    { weight: 1, arbitrary: fc.constant('flush' as const) },
    { weight: 2, arbitrary: fc.nat(3000) }
  );
  const answer = fc.constantFrom<Outcome>(OK, OK, RETRY, {
    kind: 'retry',
    reason: 'busy',
    afterMs: 900
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 40 }),
      fc.array(answer, { maxLength: 30 }),
      async (steps, answers) => {
        const o = outbox([...answers]);
        let made = 0;
        for (const one of steps) {
          if (one === 'add') {
            o.box.add([event(`e${made++}`)]);
          } else if (one === 'hide') {
            o.box.flushBeforeHide();
          } else if (one === 'flush') {
            o.box.flush();
          } else {
            await o.clock.pass(one);
          }
        }
        await o.clock.pass(60 * 60_000);
        // A batch that left while the page was hidden may come after a later one.
        expect([...o.settled].sort()).toEqual(
          Array.from({ length: made }, (_, i) => `e${i}`).sort()
        );
        expect(o.box.state).toMatchObject({ waiting: 0, delivered: made });
      }
    ),
    { numRuns: process.env['LONG'] === '1' ? 3000 : 100 }
  );
});
