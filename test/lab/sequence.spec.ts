/** `seq` across reloads, and where the browser keeps nothing. */
import { Sequence, type KeyValueStorage } from '../../src/lab/sequence.js';

function storage(initial: Record<string, string> = {}): KeyValueStorage & {
  values: Map<string, string>;
} {
  const values = new Map(Object.entries(initial));
  return {
    values,
    getItem: key => values.get(key) ?? null,
    setItem: (key, value) => void values.set(key, value)
  };
}

it('goes on after a reload, and in a second tab', () => {
  const shared = storage();
  const first = new Sequence(shared);
  const second = new Sequence(shared);
  expect([first.next('s'), second.next('s'), first.next('s')]).toEqual([
    1, 2, 3
  ]);
  expect(new Sequence(shared).next('s')).toBe(4);
  expect(new Sequence(shared).next('other')).toBe(1);
});

it('forgets sessions of long ago only', () => {
  const shared = storage();
  const sequence = new Sequence(shared);
  sequence.next('kept');
  for (let i = 0; i < 49; i++) {
    sequence.next(`s${i}`);
  }
  sequence.next('kept');
  sequence.next('one more');
  expect(new Sequence(shared).next('kept')).toBe(3);
  expect(new Sequence(shared).next('s0')).toBe(1);
});

it.each([
  ['nothing is kept', null],
  [
    'reading is forbidden',
    {
      getItem: () => {
        throw new Error('SecurityError');
      },
      setItem: () => undefined
    }
  ],
  [
    'the disk is full',
    {
      getItem: () => null,
      setItem: () => {
        throw new Error('QuotaExceededError');
      }
    }
  ],
  ['the value is damaged', storage({ 'ipynb-telemetry:seq': '{not json' })]
])('counts in memory where %s', (_why, broken) => {
  const sequence = new Sequence(broken);
  expect([sequence.next('s'), sequence.next('s'), sequence.next('t')]).toEqual([
    1, 2, 1
  ]);
});
