/** Which events are given up first. */
import { EVENT_NAMES } from '../../src/events/schema.js';
import { rankOf } from '../../src/lab/value.js';

const rank = (event: string, status?: string) =>
  rankOf({ event, properties: { status } });

it('ranks the kinds from editing to the ends of sessions', () => {
  const ranks = [
    rank('edit'),
    rank('focus'),
    rank('notebook'),
    rank('ai_suggestion'),
    rank('my extension’s own'),
    rank('kernel'),
    rank('cell', 'ok'),
    rank('cell', 'error'),
    rank('test'),
    rank('start')
  ];
  expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
  expect(new Set(ranks).size).toBe(ranks.length);
  for (const status of ['aborted', 'interrupted', 'lost', undefined]) {
    expect(rank('cell', status)).toBe(rank('cell', 'error'));
  }
  expect(rank('end')).toBe(rank('start'));
  expect(rank('consent')).toBe(rank('start'));
  expect(rank('ai_feature')).toBe(rank('ai_suggestion'));
});

it('takes no name for more than it is', () => {
  expect(rank('constructor')).toBe(rank('anything'));
  for (const name of EVENT_NAMES) {
    expect(rank(name)).toBeGreaterThanOrEqual(0);
  }
});
