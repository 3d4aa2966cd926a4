/** The store's limits, in bytes as they go over the wire. */
import { MemoryStore, sizeOf, type QueuedEvent } from '../../src/lab/store.js';

const event = (uuid: string, text: string): QueuedEvent => ({
  event: 'cell',
  distinct_id: 'A-B',
  uuid,
  properties: { text }
});

it('counts bytes, not characters', () => {
  const store = new MemoryStore();
  const one = event('a', '日本語'.repeat(100));
  expect(sizeOf(one)).toBeGreaterThan(900);
  store.add([one, event('b', '')]);
  expect(store.oldest(10, 900).map(found => found.uuid)).toEqual(['a']);
  expect(store.oldest(10, 2000).map(found => found.uuid)).toEqual(['a', 'b']);
});

it('gives one event even if that alone is beyond the limit', () => {
  const store = new MemoryStore();
  store.add([event('a', 'x'.repeat(500))]);
  expect(store.oldest(10, 100)).toHaveLength(1);
  expect(store.oldest(0, 100)).toHaveLength(1);
});

it('keeps one of two events of the same id, and removes by id', () => {
  const store = new MemoryStore();
  store.add([event('a', '1'), event('a', '2'), event('b', '3')]);
  expect(store.size).toBe(2);
  expect(store.remove(['b', 'nowhere']).map(found => found.uuid)).toEqual([
    'b'
  ]);
  expect(store.size).toBe(1);
});
