/** The stores that need no browser: memory against the conformance suite, and the turns of courses. */
import fc from 'fast-check';
import { CourseStores } from '../../src/lab/courseStores.js';
import { MemoryStore } from '../../src/lab/memoryStore.js';
import { chooseStore, type QueuedEvent } from '../../src/lab/store.js';
import { describeStore, driverOf, sample } from './storeConformance.js';

const uuids = (events: readonly { uuid: string }[]) =>
  events.map(one => one.uuid);

describeStore('in memory', async limits => driverOf(new MemoryStore(limits)));

it('is what a page without a database gets', async () => {
  const store = await chooseStore('http://127.0.0.1:8888/');
  store.open('demo');
  store.add([sample('a')]);
  expect(store.next(1, 1000).events[0]!.properties['seq']).toBe(1);
  store.dispose();
});

describe('the stores of courses', () => {
  const stores = () => new CourseStores(() => new MemoryStore());

  it('hold everything until the first course is known', async () => {
    const store = stores();
    let changes = 0;
    store.listen({ changed: () => (changes += 1), dropped: () => {} });
    store.add([sample('a'), sample('b')]);
    store.journal.add([sample('k') as QueuedEvent], 'kernel');
    expect(store.size).toBe(2);
    expect(store.next(9, 9999)).toEqual({ events: [], bytes: 0 });
    expect(await store.clear(event => event.uuid === 'b')).toBe(1);
    store.open('demo');
    expect(uuids(await store.waiting(9))).toEqual(['b']);
    expect(uuids((await store.journal.list(9)).map(one => one.event))).toEqual([
      'k'
    ]);
    expect(changes).toBe(2);
  });

  it('give a course nothing that another one made', async () => {
    const store = stores();
    store.open('one');
    store.add([sample('a')]);
    store.open('two');
    store.add([sample('b')]);
    expect(uuids(await store.waiting(9))).toEqual(['b']);
    expect(store.countsOf('s').made).toBe(1);
    store.open('one');
    expect(uuids(await store.waiting(9))).toEqual(['a']);
  });
});

it('keeps every event once and every number, whatever is added, removed and cleared', () => {
  const step = fc.oneof(
    fc.record({
      do: fc.constant('add' as const),
      sess: fc.constantFrom('s', 't'),
      name: fc.constantFrom('edit', 'cell', 'test'),
      again: fc.boolean()
    }),
    fc.record({ do: fc.constant('remove' as const), count: fc.nat(4) }),
    fc.record({ do: fc.constant('clear' as const) })
  );
  return fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async steps => {
      const store = new MemoryStore({ events: 5, bytes: 100_000 });
      const given = new Map<string, number[]>();
      const waiting = new Set<string>();
      const fates: string[] = [];
      let made = 0;
      for (const one of steps) {
        if (one.do === 'add') {
          const again = one.again && waiting.size > 0;
          const uuid = again ? [...waiting][0]! : `e${made++}`;
          const before = new Set(uuids(await store.waiting(99)));
          store.add([sample(uuid, one)]);
          const after = await store.waiting(99);
          const fresh = after.find(event => !before.has(event.uuid));
          const { made: last } = store.countsOf(one.sess);
          if (!again) {
            given.set(one.sess, [...(given.get(one.sess) ?? []), last]);
            expect(fresh?.properties['seq'] ?? last).toBe(last);
          }
          [...before, uuid]
            .filter(id => !uuids(after).includes(id))
            .forEach(id => fates.push(id));
        } else if (one.do === 'remove') {
          const batch = uuids(store.next(one.count, 9999).events);
          expect(uuids(store.remove(batch, 'delivered'))).toEqual(batch);
          fates.push(...batch);
        } else {
          fates.push(...uuids(await store.waiting(99)));
          await store.clear();
        }
        waiting.clear();
        uuids(await store.waiting(99)).forEach(id => waiting.add(id));
      }
      const all = [...fates, ...waiting];
      expect(new Set(all).size).toBe(all.length);
      expect(all.length).toBe(made);
      for (const [sess, numbers] of given) {
        expect(numbers).toEqual(numbers.map((_, i) => i + 1));
        const { delivered, dropped, made: last } = store.countsOf(sess);
        const left = (await store.waiting(99)).filter(
          event => event.properties['sess'] === sess
        );
        expect(delivered + dropped + left.length).toBe(last);
      }
    }),
    { numRuns: 200 }
  );
});
