/** The compact set of ids against the language's own. */
import fc from 'fast-check';
import { randomUUID } from 'node:crypto';
import { UuidSet } from '../../src/insights/uuidSet.js';
import { uuid } from './records.js';

it('says of each id whether it is new, as a plain set does', () => {
  const ids = fc.oneof(
    fc.uuid(),
    fc.integer({ min: 0, max: 40 }).map(uuid),
    fc.constantFrom(
      '00000000-0000-0000-0000-000000000000',
      'ffffffff-ffff-ffff-ffff-ffffffffffff',
      'no id at all',
      ''
    )
  );
  fc.assert(
    fc.property(fc.array(ids, { maxLength: 300 }), list => {
      const set = new UuidSet();
      const plain = new Set<string>();
      for (const id of list) {
        const fresh = !plain.has(id);
        plain.add(id);
        expect(set.add(id)).toBe(fresh);
        expect(set.add(id.toUpperCase())).toBe(false);
      }
    })
  );
});

it('keeps a hundred thousand apart, in a row or at random', () => {
  const set = new UuidSet();
  const ids = Array.from({ length: 100_000 }, (_, i) =>
    i % 2 === 0 ? uuid(i) : randomUUID()
  );
  expect(ids.every(id => set.add(id))).toBe(true);
  expect(ids.some(id => set.add(id))).toBe(false);
});
