/** What every store of the outbox has to hold, whatever keeps the events. */
import type { JournalEntry } from '../../src/lab/journal.js';
import type { Counts } from '../../src/lab/made.js';
import {
  sizeOf,
  type CourseStore,
  type QueuedEvent,
  type StoreLimits,
  type UnnumberedEvent
} from '../../src/lab/store.js';

/** A store, here or in a browser. `keep` of `clear` is the name of an event. */
export interface StoreDriver {
  /** Resolves when they are ready to be sent. */
  add(events: readonly UnnumberedEvent[]): Promise<void>;
  next(
    maxEvents: number,
    maxBytes: number,
    except?: readonly string[]
  ): Promise<{ events: QueuedEvent[]; bytes: number }>;
  remove(
    uuids: readonly string[],
    fate: 'delivered' | 'dropped'
  ): Promise<QueuedEvent[]>;
  state(): Promise<{ size: number; dropped: number }>;
  countsOf(sess: string): Promise<Counts>;
  waiting(max: number): Promise<QueuedEvent[]>;
  clear(keep?: string): Promise<number>;
  note(
    events: readonly QueuedEvent[],
    by: 'page' | 'kernel',
    outcome?: 'delivered' | 'refused'
  ): Promise<void>;
  notes(max: number): Promise<JournalEntry[]>;
  clearNotes(): Promise<void>;
}

/** Drives a store of this process. */
export function driverOf(store: CourseStore): StoreDriver {
  return {
    add: async events => store.add(events),
    next: async (maxEvents, maxBytes, except) =>
      store.next(maxEvents, maxBytes, new Set(except)),
    remove: async (uuids, fate) => store.remove(uuids, fate),
    state: async () => ({ size: store.size, dropped: store.dropped }),
    countsOf: async sess => store.countsOf(sess),
    waiting: max => store.waiting(max),
    clear: keep => store.clear(event => event.event === keep),
    note: async (events, by, outcome) => store.journal.add(events, by, outcome),
    notes: max => store.journal.list(max),
    clearNotes: () => store.journal.clear()
  };
}

/** An event for tests. */
export function sample(
  uuid: string,
  { sess = 's', name = 'cell', text = '' } = {}
): UnnumberedEvent {
  return {
    event: name,
    distinct_id: 'A-B',
    uuid,
    properties: { sess, status: 'ok', text }
  };
}

const uuids = (events: readonly { uuid: string }[]) =>
  events.map(one => one.uuid);
const numbers = (events: readonly QueuedEvent[]) =>
  events.map(one => one.properties['seq']);

/** @param open a fresh, empty store. */
export function describeStore(
  name: string,
  open: (limits?: StoreLimits) => Promise<StoreDriver>
): void {
  describe(name, () => {
    it('numbers the events of each session from 1', async () => {
      const store = await open();
      await store.add([sample('a'), sample('b', { sess: 't' }), sample('c')]);
      await store.add([sample('d')]);
      const { events } = await store.next(9, 10_000);
      expect(uuids(events)).toEqual(['a', 'b', 'c', 'd']);
      expect(numbers(events)).toEqual([1, 1, 2, 3]);
      expect(await store.countsOf('s')).toEqual({
        made: 3,
        delivered: 0,
        dropped: 0
      });
    });

    it('leaves an event otherwise as it is', async () => {
      const store = await open();
      const event = sample('a', { text: 'Ä"\u2028\ud83d\ude00\n' });
      await store.add([event]);
      const { events } = await store.next(9, 10_000);
      expect(events).toEqual([
        { ...event, properties: { ...event.properties, seq: 1 } }
      ]);
    });

    it('leaves a number as it is, and counts on', async () => {
      const store = await open();
      const event = sample('a');
      await store.add([sample('x'), sample('y')]);
      await store.remove(['x', 'y'], 'dropped');
      await store.add([
        { ...event, properties: { ...event.properties, seq: 2 } },
        sample('b')
      ]);
      expect(numbers((await store.next(9, 10_000)).events)).toEqual([2, 3]);
    });

    it('keeps one of two events of the same id, the first, and wastes no number', async () => {
      const store = await open();
      await store.add([sample('a', { text: '1' }), sample('a', { text: '2' })]);
      await store.add([sample('a', { text: '3' }), sample('b')]);
      const { events } = await store.next(9, 10_000);
      expect(events.map(one => [one.uuid, one.properties['text']])).toEqual([
        ['a', '1'],
        ['b', '']
      ]);
      expect(numbers(events)).toEqual([1, 2]);
    });

    it('counts bytes as they go over the wire, not characters', async () => {
      const store = await open();
      await store.add([
        sample('a', { text: '日本語'.repeat(100) }),
        sample('b')
      ]);
      expect(uuids((await store.next(10, 1100)).events)).toEqual(['a']);
      const both = await store.next(10, 2000);
      expect(uuids(both.events)).toEqual(['a', 'b']);
      expect(both.bytes).toBe(sizeOf(both.events) - 1);
    });

    it('gives one event even if that alone is beyond the limit, and none of those excepted', async () => {
      const store = await open();
      await store.add([sample('a', { text: 'x'.repeat(500) }), sample('b')]);
      expect(uuids((await store.next(10, 100)).events)).toEqual(['a']);
      expect(uuids((await store.next(0, 10_000)).events)).toEqual(['a']);
      expect(uuids((await store.next(9, 10_000, ['a'])).events)).toEqual(['b']);
      expect((await store.next(9, 10_000, ['a', 'b'])).events).toEqual([]);
    });

    it('removes by id and counts what became of it', async () => {
      const store = await open();
      await store.add(['a', 'b', 'c'].map(uuid => sample(uuid)));
      expect(uuids(await store.remove(['b', 'nowhere'], 'delivered'))).toEqual([
        'b'
      ]);
      expect(uuids(await store.remove(['b', 'c'], 'dropped'))).toEqual(['c']);
      expect(await store.state()).toEqual({ size: 1, dropped: 1 });
      expect(await store.countsOf('s')).toEqual({
        made: 3,
        delivered: 1,
        dropped: 1
      });
      expect(await store.countsOf('elsewhere')).toEqual({
        made: 0,
        delivered: 0,
        dropped: 0
      });
    });

    it('gives up the least valuable first when it is full, and of those the oldest', async () => {
      const store = await open({ events: 4, bytes: 100_000 });
      await store.add([
        sample('test', { name: 'test' }),
        sample('end', { name: 'end' }),
        sample('edit 1', { name: 'edit' }),
        sample('focus', { name: 'focus' })
      ]);
      await store.add([sample('edit 2', { name: 'edit' })]);
      expect(uuids(await store.waiting(9))).toEqual([
        'test',
        'end',
        'focus',
        'edit 2'
      ]);
      await store.add([sample('c 1'), sample('c 2'), sample('c 3')]);
      expect(uuids(await store.waiting(9))).toEqual([
        'test',
        'end',
        'c 2',
        'c 3'
      ]);
      await store.add(['t 1', 't 2'].map(id => sample(id, { name: 'test' })));
      await store.add([sample('start', { name: 'start' })]);
      expect(uuids(await store.waiting(9))).toEqual([
        'end',
        't 1',
        't 2',
        'start'
      ]);
      expect((await store.state()).dropped).toBe(7);
      expect((await store.countsOf('s')).dropped).toBe(7);
    });

    it('is full by bytes too', async () => {
      const store = await open({ events: 100, bytes: 3000 });
      const text = 'x'.repeat(1000);
      await store.add(['a', 'b'].map(id => sample(id, { text })));
      await store.add([
        sample('c', { text }),
        sample('huge', { text: text.repeat(5) })
      ]);
      expect(uuids(await store.waiting(9))).toEqual([]);
      expect((await store.state()).dropped).toBe(4);
    });

    it('forgets what waits, except what is to be kept, with its number', async () => {
      const store = await open();
      await store.add([
        sample('a'),
        sample('b', { name: 'consent' }),
        sample('c')
      ]);
      expect(await store.clear('consent')).toBe(2);
      const left = await store.waiting(9);
      expect(uuids(left)).toEqual(['b']);
      expect(numbers(left)).toEqual([2]);
      expect(await store.clear()).toBe(1);
      expect(await store.state()).toEqual({ size: 0, dropped: 3 });
      await store.add([sample('d')]);
      expect(numbers(await store.waiting(9))).toEqual([4]);
    });

    it('tells what waits, the oldest first, up to a limit', async () => {
      const store = await open();
      await store.add(['a', 'b', 'c'].map(uuid => sample(uuid)));
      expect(uuids(await store.waiting(2))).toEqual(['a', 'b']);
      expect(uuids(await store.waiting(Infinity))).toEqual(['a', 'b', 'c']);
    });

    it('has a journal of what left: the newest first, the last 2000', async () => {
      const store = await open();
      const event = (i: number) => sample(`e${i}`) as QueuedEvent;
      for (let batch = 0; batch < 30; batch += 1) {
        await store.note(
          Array.from({ length: 100 }, (_, i) => event(batch * 100 + i)),
          'page'
        );
      }
      await store.note([event(3000)], 'kernel');
      await store.note([event(3001)], 'page', 'refused');
      await store.note([], 'page');
      const [newest, second, third] = await store.notes(3);
      expect(newest).toMatchObject({
        event: { uuid: 'e3001' },
        by: 'page',
        outcome: 'refused'
      });
      expect(Date.now() - Date.parse(newest!.sentAt)).toBeLessThan(60_000);
      expect(second).toMatchObject({
        event: { uuid: 'e3000' },
        by: 'kernel',
        outcome: 'delivered'
      });
      expect(third!.event).toEqual(event(2999));
      const all = await store.notes(Infinity);
      // A batch goes as a whole, and not every time.
      expect(all.length).toBeGreaterThanOrEqual(2000);
      expect(all.length).toBeLessThan(2700);
      await store.clearNotes();
      expect(await store.notes(9)).toEqual([]);
    });
  });
}
