/** The store in memory, against what every store has to hold. */
import { MemoryStore } from '../../src/lab/memoryStore.js';
import { sizeOf, type UnnumberedEvent } from '../../src/lab/store.js';

const event = (uuid: string, text: string): UnnumberedEvent => ({
  event: 'cell',
  distinct_id: 'A-B',
  uuid,
  properties: { sess: 's', text }
});

function store(): MemoryStore {
  const one = new MemoryStore();
  one.open('demo');
  return one;
}

const uuids = (events: readonly { uuid: string }[]) =>
  events.map(one => one.uuid);

it('counts bytes, not characters', () => {
  const subject = store();
  const one = event('a', '日本語'.repeat(100));
  expect(sizeOf(one)).toBeGreaterThan(900);
  subject.add([one, event('b', '')]);
  expect(uuids(subject.next(10, 900).events)).toEqual(['a']);
  expect(uuids(subject.next(10, 2000).events)).toEqual(['a', 'b']);
});
