/** The outbox against a server that answers as scripted: nothing is lost, nothing is kept in vain. */
import fc from 'fast-check';
import type { Outcome } from '../../src/lab/outcomes.js';
import { MAX_WAITING, Outbox, type OutboxState } from '../../src/lab/outbox.js';
import { MemoryStore, sizeOf, type QueuedEvent } from '../../src/lab/store.js';
import { Clock, settle } from './clock.js';

const OK: Outcome = { kind: 'ok', rejected: [] };
const RETRY: Outcome = { kind: 'retry', reason: 'relay away', afterMs: null };

function event(uuid: string, padding = 0): QueuedEvent {
  return {
    event: 'cell',
    distinct_id: 'A-B',
    uuid,
    timestamp: '2026-11-21T09:30:00.000Z',
    properties: { nb: 'n', sess: 's', code: 'x'.repeat(padding) }
  };
}

interface Sent {
  at: number;
  uuids: string[];
  keepalive: boolean;
}

/** An outbox and everything it did. `answers` are given in turn, then `OK`. */
function outbox(
  answers: (Outcome | Promise<Outcome>)[] = [],
  store = new MemoryStore()
) {
  const clock = new Clock();
  const sent: Sent[] = [];
  const settled: string[] = [];
  const warnings: string[] = [];
  const states: OutboxState[] = [];
  const box: Outbox = new Outbox({
    store,
    send: async (batch, keepalive) => {
      sent.push({
        at: clock.now,
        uuids: batch.map(one => one.uuid),
        keepalive
      });
      return answers.shift() ?? OK;
    },
    onSettled: events => settled.push(...events.map(one => one.uuid)),
    onChange: () => states.push(box.state),
    warn: message => warnings.push(message),
    later: clock.later,
    random: () => 0.999
  });
  return { box, clock, sent, settled, warnings, states, store };
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
    off: null
  });
});

it('sends at once what a durable store brought from before', async () => {
  const store = new MemoryStore();
  store.add([event('old')]);
  const o = outbox([], store);
  await o.clock.pass(1);
  expect(o.sent.map(one => one.uuids)).toEqual([['old']]);
});

it('tries again with growing waits, keeps the order and the ids', async () => {
  const o = outbox([RETRY, RETRY, RETRY]);
  o.box.add([event('a')]);
  await o.clock.pass(100);
  expect(o.box.state).toMatchObject({ waiting: 1, trouble: 'relay away' });
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
  expect(o.box.state).toMatchObject({ delivered: 2, trouble: null });
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

it('counts what the relay set aside, and says so once', async () => {
  const rejected = [{ uuid: 'b', message: 'properties.ms: expected a number' }];
  const o = outbox([
    { kind: 'ok', rejected },
    { kind: 'refused', reason: 'nothing could be kept' }
  ]);
  o.box.add([event('a'), event('b')]);
  await o.clock.pass(100);
  o.box.add([event('c')]);
  await o.clock.pass(100);
  expect(o.box.state).toMatchObject({ waiting: 0, delivered: 1, dropped: 2 });
  expect(o.warnings).toEqual([
    expect.stringContaining('properties.ms: expected a number')
  ]);
  // The kernel need not report them either.
  expect(o.settled).toEqual(['a', 'b', 'c']);
});

it('forgets everything and stays quiet where nobody collects', async () => {
  const o = outbox([{ kind: 'off', reason: 'no key' }]);
  o.box.add([event('a')]);
  await o.clock.pass(100);
  o.box.add([event('b')]);
  o.box.flush();
  o.box.flushBeforeHide();
  await o.clock.pass(60_000);
  expect(o.sent).toHaveLength(1);
  expect(o.box.state).toMatchObject({ waiting: 0, off: 'no key' });
  expect(o.warnings).toEqual([]);
});

it('keeps a bounded number while nothing can be delivered, the newest', async () => {
  const o = outbox(Array.from({ length: 99 }, () => RETRY));
  o.box.add(Array.from({ length: MAX_WAITING }, (_, i) => event(`e${i}`)));
  await o.clock.pass(100);
  o.box.add([event('last')]);
  expect(o.box.state).toMatchObject({ waiting: MAX_WAITING, dropped: 1 });
  expect(o.store.oldest(1, Infinity)[0]!.uuid).toBe('e1');
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

  it('what is under way goes along, and counts once', async () => {
    let answer: (outcome: Outcome) => void = () => undefined;
    const slow = new Promise<Outcome>(resolve => (answer = resolve));
    const o = outbox([slow]);
    o.box.add([event('a')]);
    await o.clock.pass(100);
    o.box.add([event('b')]);
    o.box.flushBeforeHide();
    await settle();
    expect(o.sent.map(one => one.uuids)).toEqual([['a'], ['a', 'b']]);
    answer(OK);
    await o.clock.pass(1000);
    expect(o.settled).toEqual(['a', 'b']);
    expect(o.box.state).toMatchObject({ waiting: 0, delivered: 2 });
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
        expect(o.settled).toEqual(
          Array.from({ length: made }, (_, i) => `e${i}`)
        );
        expect(o.box.state).toMatchObject({ waiting: 0, delivered: made });
      }
    )
  );
});
