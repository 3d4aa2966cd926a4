/** What holds of the fold for any class: order of arrival and repeats change nothing, and counts equal a recount. */
import fc from 'fast-check';
import { createClassState } from '../../src/insights/index.js';
import type { TelemetryRecord } from '../../src/events/types.js';
import { gridKey, sessionKey, type Snapshot } from '../../src/api/index.js';
import { at, record } from './records.js';

const NOW = new Date(at(3600));

const payloads = fc.oneof(
  fc.record({
    event: fc.constant('cell'),
    payload: fc.record({
      status: fc.constantFrom('ok', 'error', 'aborted', 'interrupted', 'lost'),
      err: fc.constantFrom(null, 'NameError', 'ValueError: why')
    })
  }),
  fc.record({
    event: fc.constant('test'),
    payload: fc.record({
      ex: fc.constantFrom('a', 'b', 'c'),
      ok: fc.boolean(),
      err: fc.constantFrom(null, 'AssertionError'),
      status: fc.constantFrom(undefined, 'failed', 'skipped', 'interrupted')
    })
  }),
  fc.constant({ event: 'start', payload: {} }),
  fc.constant({ event: 'end', payload: { src: 'kernel' } })
);

/** Few students and few seconds, so that ties and meetings are the rule. */
const classes = fc
  .array(
    fc.record({
      s: fc.integer({ min: 0, max: 12 }),
      late: fc.integer({ min: -3, max: 30 }),
      student: fc.constantFrom('A', 'B', 'C'),
      sess: fc.constantFrom('one', 'two', null),
      nb: fc.constantFrom('week1', 'week2'),
      what: payloads
    }),
    { maxLength: 60 }
  )
  .map(list =>
    list.map(({ what, late, ...given }, i) =>
      record({ ...given, ...what, n: i + 1, received: given.s + late })
    )
  );

/** A class, and the same records in another order, some of them again. */
const shuffled = classes.chain(records =>
  fc.tuple(
    fc.constant(records),
    fc.shuffledSubarray(records, { minLength: records.length }),
    fc.subarray(records)
  )
);

function fold(records: TelemetryRecord[]): Snapshot {
  const state = createClassState({ course: 'demo', title: 'Demo' });
  records.forEach(each => state.apply(each));
  return state.snapshot(NOW);
}

it('gives the same snapshot for any order, and for repeats', () => {
  fc.assert(
    fc.property(shuffled, ([records, others, again]) => {
      expect(fold([...others, ...again])).toEqual(fold(records));
    }),
    { numRuns: 500 }
  );
});

it('counts attempts as a plain recount of the sorted results does', () => {
  fc.assert(
    fc.property(classes, records => {
      const pairs = new Map<string, boolean[]>();
      const results = records
        .filter(each => each.event === 'test' && each.session !== null)
        .filter(
          each =>
            !['skipped', 'interrupted'].includes(
              each.payload['status' as never]
            )
        )
        .map(each => ({
          order: `${each.timestamp} ${each.uuid}`,
          ok: each.payload['ok' as never] as boolean,
          key: gridKey({
            student: each.student ?? '',
            notebook: each.notebook ?? '',
            exercise: each.payload['ex' as never]
          })
        }))
        .sort((a, b) => (a.order < b.order ? -1 : 1));
      for (const { key, ok } of results) {
        pairs.set(key, [...(pairs.get(key) ?? []), ok]);
      }
      const expected = [...pairs].map(([key, oks]) => {
        const pass = oks.indexOf(true);
        return pass < 0
          ? [key, 'failing', oks.length]
          : [key, 'passed', pass + 1];
      });
      expect(
        fold(records).grid.map(cell => [
          gridKey(cell),
          cell.state,
          cell.attempts
        ])
      ).toEqual(expected.sort(([a], [b]) => (a! < b! ? -1 : 1)));
    }),
    { numRuns: 500 }
  );
});

it('reaches the snapshot by changes, wherever they are taken', () => {
  fc.assert(
    fc.property(
      classes,
      fc.array(fc.nat(), { maxLength: 10 }),
      (records, cuts) => {
        const state = createClassState({ course: 'demo', title: 'Demo' });
        const grid = new Map<string, unknown>();
        const sessions = new Map<string, unknown>();
        const students = new Map<string, unknown>();
        let exercises: unknown[] = [];
        let coverage: unknown = null;
        const take = (): void => {
          const change = state.takeChange(NOW);
          change?.grid.forEach(row => grid.set(gridKey(row), row));
          change?.sessions.forEach(row => sessions.set(sessionKey(row), row));
          change?.students.forEach(row => students.set(row.student, row));
          exercises = change?.exercises ?? exercises;
          coverage = change?.coverage ?? coverage;
        };
        const at = new Set(cuts.map(cut => cut % (records.length + 1)));
        records.forEach((each, i) => {
          if (at.has(i)) {
            take();
          }
          state.apply(each);
        });
        take();
        const snapshot = state.snapshot(NOW);
        const byJson = (a: unknown, b: unknown): number =>
          JSON.stringify(a) < JSON.stringify(b) ? -1 : 1;
        const same = (got: Iterable<unknown>, want: unknown[]): void =>
          expect([...got].sort(byJson)).toEqual([...want].sort(byJson));
        same(grid.values(), snapshot.grid);
        same(sessions.values(), snapshot.sessions);
        same(students.values(), snapshot.students);
        expect(exercises).toEqual(snapshot.exercises);
        if (records.length > 0) {
          expect(coverage).toEqual(snapshot.coverage);
        }
      }
    ),
    { numRuns: 300 }
  );
});

it('costs the same per event late in a term as early', () => {
  const state = createClassState({ course: 'demo', title: 'Demo' });
  const make = (n: number): TelemetryRecord =>
    record({
      n,
      s: n,
      student: `S${n % 200}`,
      sess: `s${n % 200}`,
      event: 'test',
      payload: { ex: `e${n % 7}`, ok: n % 50 === 49, err: 'ValueError' }
    });
  const events = 200_000;
  const block = (from: number): number => {
    const records = Array.from({ length: 20_000 }, (_, i) => make(from + i));
    const start = performance.now();
    records.forEach(each => state.apply(each));
    return performance.now() - start;
  };
  block(0); // Warms up.
  const early = block(20_000);
  for (let from = 40_000; from < events - 20_000; from += 20_000) {
    block(from);
  }
  const late = block(events - 20_000);
  // A scan of what is there would make it ten times as much.
  expect(late).toBeLessThan(early * 4 + 50);
  expect(state.snapshot(NOW).coverage.events).toBe(events);
});
