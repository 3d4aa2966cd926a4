/** The page's view of a class: what a snapshot and the changes after it come to. */
import fc from 'fast-check';
import type {
  Change,
  Exercise,
  GridCell,
  SessionRow,
  Snapshot
} from '../../src/api/index.js';
import {
  activeStudents,
  announcement,
  fromSnapshot,
  FRESH_MS,
  isActive,
  matching,
  passes,
  withChange,
  withoutStale,
  type ClassView
} from '../../src/dashboard/model/view.js';
import { createClassState } from '../../src/insights/index.js';
import { record } from '../insights/records.js';

const AT = '2026-11-21T14:00:00.000Z';
const NOW = Date.parse(AT);

const coverage = {
  events: 1,
  students: 1,
  sessions: 1,
  lastEventAt: AT,
  setAside: 0
};

function cell(
  student: string,
  exercise: string,
  state: GridCell['state'],
  attempts = 1
): GridCell {
  return {
    student,
    notebook: 'nb',
    exercise,
    state,
    attempts,
    firstPassAt: state === 'passed' ? AT : null,
    lastAt: AT,
    lastError: state === 'passed' ? null : 'ValueError'
  };
}

function change(given: Partial<Change> = {}): Change {
  return {
    at: AT,
    exercises: null,
    students: [],
    sessions: [],
    grid: [],
    coverage,
    ...given
  };
}

function columns(...names: string[]): Exercise[] {
  return names.map(name => ({ notebook: 'nb', name }));
}

function snapshot(given: Partial<Snapshot> = {}): Snapshot {
  return {
    course: 'demo',
    title: 'Demo',
    ...change(),
    exercises: columns('a', 'b'),
    students: [
      { student: 'BEN', lastAt: AT },
      { student: 'ADA', lastAt: AT }
    ],
    grid: [cell('ADA', 'a', 'passed'), cell('BEN', 'a', 'failing', 2)],
    ...given
  } as Snapshot;
}

function session(id: string, lastAt: string): SessionRow {
  return {
    session: id,
    student: 'ADA',
    notebook: 'nb',
    startedAt: AT,
    lastAt,
    endedAt: null,
    runs: 0,
    errors: 0,
    tests: 0,
    passes: 0,
    exercise: null,
    lastError: null
  };
}

const totals = (view: ClassView): unknown[] =>
  view.columns.map(({ name, passed, failing }) => [name, passed, failing]);

describe('a snapshot', () => {
  it('becomes rows by name and columns with totals', () => {
    const view = fromSnapshot(snapshot(), NOW);
    expect(view.names).toEqual(['ADA', 'BEN']);
    expect(totals(view)).toEqual([
      ['a', 1, 1],
      ['b', 0, 0]
    ]);
    expect(passes(view)).toBe(1);
    expect(view.lines.get('ADA')?.passed).toBe(1);
  });

  it('marks nothing as new', () => {
    const view = fromSnapshot(snapshot(), NOW);
    expect(view.news).toEqual([]);
    expect(view.lines.get('ADA')?.fresh.size).toBe(0);
  });

  it('sorts names as people do', () => {
    const students = ['Student 10', 'student 9', 'Émile', 'Zoe', 'Eva'].map(
      student => ({ student, lastAt: AT })
    );
    expect(fromSnapshot(snapshot({ students }), NOW).names.slice(-5)).toEqual([
      'Émile',
      'Eva',
      'student 9',
      'Student 10',
      'Zoe'
    ]);
  });

  it('is read by the clock of the relay', () => {
    const view = fromSnapshot(snapshot(), NOW - 3_600_000);
    expect(view.skew).toBe(3_600_000);
  });
});

describe('a change', () => {
  const view = fromSnapshot(snapshot(), NOW);

  it('moves a student from failing to passed, and marks the cell', () => {
    const next = withChange(
      view,
      change({ grid: [cell('BEN', 'a', 'passed', 3)] }),
      NOW
    );
    expect(totals(next)).toEqual([
      ['a', 2, 0],
      ['b', 0, 0]
    ]);
    expect(next.news).toHaveLength(1);
    expect([...(next.lines.get('BEN')?.fresh.values() ?? [])]).toEqual([NOW]);
  });

  it('does not take a re-run for a pass', () => {
    const next = withChange(
      view,
      change({ grid: [cell('ADA', 'a', 'passed')] }),
      NOW
    );
    expect(next.news).toEqual([]);
    expect(totals(next)).toEqual(totals(view));
  });

  it('leaves alone what it does not speak of', () => {
    const next = withChange(
      view,
      change({ grid: [cell('BEN', 'a', 'failing', 3)] }),
      NOW
    );
    expect(next.lines.get('ADA')).toBe(view.lines.get('ADA'));
    expect(next.names).toBe(view.names);
    expect(next.sessions).toBe(view.sessions);
    expect(view.lines.get('BEN')?.cells.size).toBe(1);
  });

  it('brings new students and new columns to their places', () => {
    const next = withChange(
      view,
      change({
        exercises: columns('a', 'new', 'b'),
        students: [{ student: 'BEA', lastAt: AT }],
        grid: [cell('BEA', 'new', 'failing')]
      }),
      NOW
    );
    expect(next.names).toEqual(['ADA', 'BEA', 'BEN']);
    expect(totals(next)).toEqual([
      ['a', 1, 1],
      ['new', 0, 1],
      ['b', 0, 0]
    ]);
  });

  it('keeps sessions latest first, each once', () => {
    const one = withChange(
      view,
      change({
        sessions: [
          session('x', '2026-11-21T14:00:01.000Z'),
          session('y', '2026-11-21T14:00:02.000Z')
        ]
      }),
      NOW
    );
    const two = withChange(
      one,
      change({ sessions: [session('x', '2026-11-21T14:00:03.000Z')] }),
      NOW
    );
    expect(one.sessions.map(row => row.session)).toEqual(['y', 'x']);
    expect(two.sessions.map(row => row.session)).toEqual(['x', 'y']);
  });

  it('is marked for a while and then no more', () => {
    const next = withChange(
      view,
      change({ grid: [cell('BEN', 'a', 'passed')] }),
      NOW
    );
    expect(withoutStale(next, NOW + FRESH_MS - 1)).toBe(next);
    const later = withoutStale(next, NOW + FRESH_MS);
    expect(later.lines.get('BEN')?.fresh.size).toBe(0);
    expect(later.lines.get('ADA')).toBe(next.lines.get('ADA'));
  });
});

it('comes to the same by changes as by a snapshot', () => {
  const events = fc.array(
    fc.record({
      student: fc.constantFrom('A', 'B', 'C'),
      nb: fc.constantFrom('one', 'two'),
      ex: fc.constantFrom('x', 'y'),
      ok: fc.boolean(),
      take: fc.boolean(),
      s: fc.integer({ min: 0, max: 30 })
    }),
    { maxLength: 40 }
  );
  fc.assert(
    fc.property(events, list => {
      const state = createClassState({ course: 'demo', title: 'Demo' });
      const now = new Date(AT);
      let view = fromSnapshot(state.snapshot(now), NOW);
      const take = (): void => {
        const next = state.takeChange(now);
        view = next ? withChange(view, next, NOW) : view;
      };
      list.forEach(({ student, nb, ex, ok, take: cut, s }, n) => {
        state.apply(
          record({ s, n, student, nb, event: 'test', payload: { ex, ok } })
        );
        if (cut) {
          take();
        }
      });
      take();
      const whole = fromSnapshot(state.snapshot(now), NOW);
      const plain = (each: ClassView): unknown => ({
        ...each,
        news: [],
        lines: new Map(
          each.names.map(name => {
            const line = each.lines.get(name);
            return [
              name,
              { ...line, fresh: 0, cells: new Map([...line!.cells].sort()) }
            ];
          })
        )
      });
      expect(plain(view)).toEqual(plain(whole));
    }),
    { numRuns: 300 }
  );
});

describe('students', () => {
  it('are active for fifteen minutes after their last event', () => {
    const view = fromSnapshot(snapshot(), NOW);
    const quarter = 15 * 60_000;
    expect(activeStudents(view, NOW + quarter - 1)).toBe(2);
    expect(activeStudents(view, NOW + quarter)).toBe(0);
    const ada = view.lines.get('ADA');
    expect(ada && isActive(ada, NOW)).toBe(true);
  });

  it('are found by any part of their names', () => {
    expect(matching(['ADA-LEE', 'BEN'], ' lee ')).toEqual(['ADA-LEE']);
    expect(matching(['ADA-LEE', 'BEN'], '')).toEqual(['ADA-LEE', 'BEN']);
    expect(matching(['ADA-LEE', 'BEN'], '.*')).toEqual([]);
  });
});

describe('an announcement', () => {
  it('names three passes and counts the rest', () => {
    const news = ['A', 'B', 'C', 'D', 'E'].map(name =>
      cell(name, 'add', 'passed')
    );
    expect(announcement(news.slice(0, 1))).toBe('A passed add');
    expect(announcement(news)).toBe(
      'A passed add, B passed add, C passed add and 2 more'
    );
    expect(announcement([])).toBe('');
  });
});
