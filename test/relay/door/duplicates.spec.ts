/** What is sent again counts once: in memory, at the door, across a restart, and when the disk fails in between. */
import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { createDuplicateWindow } from '../../../src/relay/door/duplicates.js';
import { takeIn, type IntakeParts } from '../../../src/relay/door/intake.js';
import { UuidTable } from '../../../src/relay/door/uuidTable.js';
import { LogUnavailableError } from '../../../src/relay/log/types.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../support/testRelay.js';

const DAY_MS = 86_400_000;

describe('UuidTable', () => {
  it('behaves as a set does, whatever is added and taken out', () => {
    const word = fc.integer({ min: 0, max: 3 });
    const id = fc.tuple(word, word, word, fc.integer({ min: 1, max: 6 }));
    const step = fc.tuple(fc.constantFrom('add', 'delete', 'has'), id);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 400 }), steps => {
        const table = new UuidTable();
        const model = new Set<string>();
        for (const [what, member] of steps) {
          const key = JSON.stringify(member);
          const known = model.has(key);
          if (what === 'add') {
            expect(table.add(...member)).toBe(!known);
            model.add(key);
          } else if (what === 'delete') {
            expect(table.delete(...member)).toBe(known);
            model.delete(key);
          } else {
            expect(table.has(...member)).toBe(known);
          }
          expect(table.size).toBe(model.size);
        }
      }),
      { numRuns: 200 }
    );
  });

  it('keeps 100,000 ids, in less than 50 bytes each', () => {
    const table = new UuidTable();
    const ids = Array.from(
      { length: 100_000 },
      (_, i) => [i, 7, 7, 7] as const
    );
    ids.forEach(id => table.add(...id));
    expect(ids.every(id => table.has(...id))).toBe(true);
    ids.filter((_, i) => i % 2 === 0).forEach(id => table.delete(...id));
    expect(ids.filter(id => table.has(...id))).toHaveLength(50_000);
    expect(table.bytes / 100_000).toBeLessThan(50);
  });
});

describe('the window', () => {
  it('tells courses apart, and not upper from lower case', () => {
    const window = createDuplicateWindow({ days: 7 });
    const uuid = randomUUID();
    expect(window.add('a', uuid, 0)).toBe(true);
    expect(window.add('b', uuid, 0)).toBe(true);
    expect(window.add('a', uuid.toUpperCase(), 0)).toBe(false);
    window.remove('a', uuid);
    expect(window.add('a', uuid, 0)).toBe(true);
  });

  it('tells ids apart that differ in one digit, wherever it is', () => {
    const window = createDuplicateWindow({ days: 7 });
    const zero = '00000000-0000-0000-0000-000000000000';
    expect(window.add('a', zero, 0)).toBe(true);
    for (let at = 0; at < zero.length; at += 1) {
      if (zero[at] === '0') {
        const other = `${zero.slice(0, at)}f${zero.slice(at + 1)}`;
        expect([other, window.add('a', other, 0)]).toEqual([other, true]);
        expect([other, window.add('a', other, 0)]).toEqual([other, false]);
      }
    }
    expect(window.add('a', zero, 0)).toBe(false);
  });

  it('remembers for its days at least, and for twice as long at most', () => {
    const window = createDuplicateWindow({ days: 7 });
    const [first, other] = [randomUUID(), randomUUID()];
    window.add('a', first, 0);
    expect(window.add('a', first, 7 * DAY_MS - 1)).toBe(false);
    window.add('a', other, 7 * DAY_MS);
    expect(window.add('a', first, 14 * DAY_MS - 1)).toBe(false);
    expect(window.add('a', first, 14 * DAY_MS)).toBe(true);
  });

  it('keeps to its bound, and remembers the latest', () => {
    const window = createDuplicateWindow({ days: 7, maxIds: 1000 });
    const ids = Array.from({ length: 5000 }, () => randomUUID());
    ids.forEach(id => window.add('a', id, 0));
    expect(window.status().ids).toBeLessThanOrEqual(2000);
    expect(ids.slice(-1000).some(id => window.add('a', id, 0))).toBe(false);
  });
});

describe('at the door', () => {
  let relay: TestRelay;
  beforeEach(async () => {
    relay = await startTestRelay();
  });
  afterEach(async () => {
    await relay.remove();
  });
  const batch = (...ids: number[]): object => ({
    api_key: relay.key,
    batch: ids.map(n => cellEvent(n))
  });

  it('an event counts once within a batch, across batches and after a restart', async () => {
    for (const body of [batch(1, 2, 1), batch(2, 3), batch(1, 2, 3)]) {
      const answer = await relay.post(body);
      expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
    }
    await relay.restart();
    expect((await relay.post(batch(1, 2, 3, 4))).status).toBe(200);
    expect((await relay.events()).map(({ uuid }) => uuid)).toEqual(
      [1, 2, 3, 4].map(uuidOf)
    );
  });

  it('an event that is sent many times at once counts once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => relay.post(batch(1, 2, 3)))
    );
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    expect(await relay.events()).toHaveLength(3);
  });

  it('ids that the door made are remembered across a restart', async () => {
    const { uuid: _none, ...event } = cellEvent(1);
    const body = { api_key: relay.key, batch: [event] };
    await relay.post(body);
    await relay.restart();
    await relay.post(body);
    expect(await relay.events()).toHaveLength(1);
  });

  it('the same id in another course is another event', async () => {
    const other = await relay.addCourse('other');
    await relay.post(batch(1));
    await relay.post({ ...batch(1), api_key: other });
    expect((await relay.events()).map(({ course }) => course)).toEqual([
      'demo',
      'other'
    ]);
  });
});

describe('while the first copy is on its way', () => {
  const course = {
    id: 'demo',
    title: 'Demo',
    level: 'outcomes' as const,
    consent: 'notice' as const,
    identity: 'names' as const,
    notice: { receiver: 'x', retention_days: 1, contact: null },
    version: 1
  };
  const key = {
    id: 'k_1',
    kind: 'write' as const,
    sha256: '',
    course: 'demo',
    created: ''
  };
  const arrival = (
    ...ids: number[]
  ): { bytes: Buffer; receivedMs: number } => ({
    bytes: Buffer.from(
      JSON.stringify({
        api_key: `nbt_${'k'.repeat(32)}`,
        batch: ids.map(n => cellEvent(n))
      })
    ),
    receivedMs: Date.now()
  });

  /** An intake whose log settles its appends when the test says so, in whatever way. */
  function slowIntake(): {
    parts: IntakeParts;
    /** Settles the nth append, from 0; all that are pending where none is named. */
    settle: (n?: number, error?: Error) => void;
    appends: () => number;
  } {
    const pending = new Map<
      number,
      { done: Promise<number>; settle: (error?: Error) => void }
    >();
    let appends = 0;
    return {
      parts: {
        log: {
          append: () => {
            const n = appends;
            appends += 1;
            let settle!: (error?: Error) => void;
            const done = new Promise<number>((resolve, reject) => {
              settle = error => (error ? reject(error) : resolve(n));
            });
            pending.set(n, { done, settle });
            return done;
          },
          flushed: async () => {
            await Promise.all([...pending.values()].map(({ done }) => done));
          }
        },
        deadLetters: { put: () => Promise.resolve() },
        courses: { holderOf: () => ({ kind: 'known', key, course }) },
        duplicates: createDuplicateWindow({ days: 7 })
      },
      settle: (n, error) => {
        for (const [number, one] of pending) {
          if (n === undefined || n === number) {
            pending.delete(number);
            one.settle(error);
          }
        }
      },
      appends: () => appends
    };
  }
  const turn = (): Promise<void> =>
    new Promise(resolve => setImmediate(resolve));

  it('the second one is not answered before the first is durable', async () => {
    const { parts, settle, appends } = slowIntake();
    const order: string[] = [];
    const first = takeIn(arrival(1), parts).then(() => order.push('first'));
    const second = takeIn(arrival(1), parts).then(() => order.push('second'));
    await turn();
    expect(order).toEqual([]);
    settle();
    await Promise.all([first, second]);
    expect([order.sort(), appends()]).toEqual([['first', 'second'], 1]);
  });

  it('a first one that fails takes the second along, and may then come again', async () => {
    const { parts, settle, appends } = slowIntake();
    const both = Promise.allSettled([
      takeIn(arrival(1), parts),
      takeIn(arrival(1), parts)
    ]);
    await turn();
    settle(0, new LogUnavailableError('disk-full', 'full'));
    expect(
      (await both).map(result =>
        result.status === 'rejected'
          ? (result.reason as { code: string }).code
          : 'ok'
      )
    ).toEqual(['log_unavailable', 'log_unavailable']);
    const again = takeIn(arrival(1), parts);
    await turn();
    settle();
    expect(await again).toMatchObject({ kept: 1, duplicates: 0 });
    expect(appends()).toBe(2);
  });

  it('a first one that fails is not made up for by what came with the second', async () => {
    const { parts, settle } = slowIntake();
    const first = takeIn(arrival(1), parts);
    const second = takeIn(arrival(1, 2), parts);
    const both = Promise.allSettled([first, second]);
    await turn();
    settle(0, new LogUnavailableError('flush-failed', 'broken'));
    await turn();
    settle(1);
    expect((await both).map(({ status }) => status)).toEqual([
      'rejected',
      'rejected'
    ]);
    const again = takeIn(arrival(1, 2), parts);
    await turn();
    settle();
    expect(await again).toMatchObject({ kept: 1, duplicates: 1 });
  });
});
