/** The fold of a class against answers worked out by hand. */
import { createClassState } from '../../src/insights/index.js';
import type { TelemetryRecord } from '../../src/events/types.js';
import type { Snapshot } from '../../src/api/index.js';
import { at, end, record, result, run, uuid } from './records.js';

const NOW = new Date(at(3600));

function fold(records: TelemetryRecord[]): Snapshot {
  const state = createClassState({ course: 'demo', title: 'Demo' });
  records.forEach(each => state.apply(each));
  return state.snapshot(NOW);
}

describe('a course without events', () => {
  it('is empty, and has no last event', () => {
    expect(fold([])).toEqual({
      course: 'demo',
      title: 'Demo',
      at: at(3600),
      exercises: [],
      students: [],
      sessions: [],
      grid: [],
      coverage: {
        events: 0,
        students: 0,
        sessions: 0,
        lastEventAt: null,
        setAside: 0
      }
    });
  });
});

describe('a session', () => {
  it('counts runs, errors and tests, and knows when it began and was last seen', () => {
    const { sessions } = fold([
      record({ s: 0, n: 1, event: 'start' }),
      run({ s: 5, n: 2 }),
      run({ s: 9, n: 3, err: 'NameError' }),
      result({ s: 20, n: 4, ex: 'add', err: 'AssertionError' }),
      run({ s: 21, n: 5, err: 'AssertionError' }),
      result({ s: 30, n: 6, ex: 'mean' }),
      run({ s: 31, n: 7 })
    ]);
    expect(sessions).toEqual([
      {
        session: 'sess-ada',
        student: 'ADA-LOVELACE',
        notebook: 'week1',
        startedAt: at(0),
        lastAt: at(31),
        endedAt: null,
        runs: 4,
        errors: 2,
        tests: 2,
        passes: 1,
        exercise: 'mean',
        lastError: null
      }
    ]);
  });

  it('takes no aborted run for a run or an error, yet was seen then', () => {
    const [session] = fold([
      run({ s: 1, n: 1, err: 'KeyError' }),
      run({ s: 2, n: 2, status: 'aborted' }),
      run({ s: 2, n: 3, status: 'aborted' })
    ]).sessions;
    expect(session).toMatchObject({
      runs: 1,
      errors: 1,
      lastAt: at(2),
      lastError: 'KeyError'
    });
  });

  it('counts interrupted and lost runs, and a run that tells no outcome', () => {
    const [session] = fold([
      run({ s: 1, n: 1, status: 'interrupted', err: 'KeyboardInterrupt' }),
      run({ s: 2, n: 2, status: 'lost' }),
      record({ s: 3, n: 3, payload: { cell_id: 'a', cell_num: 3 } })
    ]).sessions;
    expect(session).toMatchObject({ runs: 3, errors: 0, lastError: null });
  });

  it('shows a failing test though its cell ended well', () => {
    const caught = [
      result({ s: 1, n: 1, ex: 'add', err: 'ValueError' }),
      run({ s: 2, n: 2 })
    ];
    expect(fold(caught).sessions[0]).toMatchObject({
      errors: 0,
      exercise: 'add',
      lastError: 'ValueError'
    });
    expect(
      fold([...caught, result({ s: 3, n: 3, ex: 'add' })]).sessions[0]
    ).toMatchObject({ lastError: null });
  });

  it('shows the later of a failed run and a failed test', () => {
    const failed = result({ s: 5, n: 1, ex: 'add', err: 'ValueError' });
    const lastError = (s: number): string | null | undefined =>
      fold([failed, run({ s, n: 2, err: 'NameError' })]).sessions[0]?.lastError;
    expect(lastError(4)).toBe('ValueError');
    expect(lastError(6)).toBe('NameError');
  });

  it('never repeats an error message', () => {
    const { sessions, grid } = fold([
      result({ s: 1, n: 1, ex: 'add', err: 'ValueError: my secret' }),
      run({ s: 2, n: 2, err: 'KeyError: "secret"' }),
      result({ s: 3, n: 3, ex: 'add', err: 'secret words' })
    ]);
    expect(sessions[0]?.lastError).toBe('Error');
    expect(grid[0]?.lastError).toBe('Error');
    expect(JSON.stringify([sessions, grid])).not.toContain('secret');
  });

  it('does not show the future of a clock that runs ahead, and keeps its order', () => {
    const { sessions, grid, coverage } = fold([
      result({ s: 9000, n: 9, received: 10, ex: 'add', err: 'ValueError' }),
      result({ s: 9001, n: 1, received: 10, ex: 'add' })
    ]);
    expect(sessions[0]).toMatchObject({ lastAt: at(10), lastError: null });
    expect(grid[0]).toMatchObject({ attempts: 2, firstPassAt: at(10) });
    expect(coverage.lastEventAt).toBe(at(10));
  });

  it('is not shared by students or notebooks that claim the same id', () => {
    const { sessions, coverage } = fold([
      run({ s: 1, n: 1 }),
      run({ s: 2, n: 2, student: 'EVE-MALLORY' }),
      run({ s: 3, n: 3, nb: 'week2' })
    ]);
    expect(sessions.map(row => [row.student, row.notebook, row.runs])).toEqual([
      ['ADA-LOVELACE', 'week2', 1],
      ['EVE-MALLORY', 'week1', 1],
      ['ADA-LOVELACE', 'week1', 1]
    ]);
    expect(coverage).toMatchObject({ students: 2, sessions: 3 });
  });

  it('may be begun by the page, before the kernel says anything', () => {
    const { sessions } = fold([
      run({ s: 40, n: 3 }),
      record({ s: 2, n: 2, event: 'notebook', payload: { action: 'opened' } }),
      record({ s: 1, n: 1, event: 'start', payload: { client: 'lab' } })
    ]);
    expect(sessions).toHaveLength(1);
    expect(sessions[0]).toMatchObject({
      startedAt: at(1),
      lastAt: at(40),
      endedAt: null,
      runs: 1
    });
  });

  it('is over at the later of its ends, which are no work of the student', () => {
    const { sessions, students } = fold([
      run({ s: 10, n: 1 }),
      end({ s: 300, n: 3, src: 'kernel', reason: 'exit' }),
      end({ s: 299, n: 2, reason: 'shutdown' })
    ]);
    expect(sessions[0]).toMatchObject({ lastAt: at(10), endedAt: at(300) });
    expect(students).toEqual([{ student: 'ADA-LOVELACE', lastAt: at(10) }]);
  });

  it('goes on if something is run or tested after an end', () => {
    const ended = [run({ s: 10, n: 1 }), end({ s: 20, n: 2 })];
    const endedAt = (...more: TelemetryRecord[]): unknown =>
      fold([...more, ...ended]).sessions[0]?.endedAt;
    expect(endedAt(run({ s: 30, n: 3 }))).toBeNull();
    expect(endedAt(result({ s: 30, n: 3, ex: 'add' }))).toBeNull();
    expect(endedAt(run({ s: 30, n: 3 }), end({ s: 40, n: 4 }))).toBe(at(40));
    // These come with the end, not after it.
    expect(endedAt(run({ s: 21, n: 3, status: 'lost' }))).toBe(at(20));
    expect(endedAt(run({ s: 21, n: 3, status: 'aborted' }))).toBe(at(20));
    expect(endedAt(run({ s: 20, n: 3 }))).toBe(at(20));
    expect(
      endedAt(
        record({
          s: 21,
          n: 3,
          event: 'notebook',
          payload: { action: 'closed' }
        })
      )
    ).toBe(at(20));
  });

  it('of which only the end arrived was seen then', () => {
    const { sessions, students } = fold([end({ s: 7, n: 1 })]);
    expect(sessions[0]).toMatchObject({
      startedAt: at(7),
      lastAt: at(7),
      endedAt: at(7),
      runs: 0
    });
    expect(students).toEqual([{ student: 'ADA-LOVELACE', lastAt: at(7) }]);
  });

  it('stands before those seen earlier; of one time, by key', () => {
    const { sessions } = fold([
      run({ s: 5, n: 1, sess: 'b' }),
      run({ s: 5, n: 2, sess: 'a' }),
      run({ s: 9, n: 3, sess: 'c' })
    ]);
    expect(sessions.map(row => row.session)).toEqual(['c', 'a', 'b']);
  });
});

describe('an exercise', () => {
  it('counts attempts up to and with the first pass; re-runs change neither', () => {
    const { grid } = fold([
      result({ s: 1, n: 1, ex: 'add', err: 'TypeError' }),
      result({ s: 2, n: 2, ex: 'add', err: 'ValueError' }),
      result({ s: 3, n: 3, ex: 'add' }),
      result({ s: 4, n: 4, ex: 'add' }),
      result({ s: 5, n: 5, ex: 'add', err: 'IndexError' })
    ]);
    expect(grid).toEqual([
      {
        student: 'ADA-LOVELACE',
        notebook: 'week1',
        exercise: 'add',
        state: 'passed',
        attempts: 3,
        firstPassAt: at(3),
        lastAt: at(5),
        lastError: 'IndexError'
      }
    ]);
  });

  it('is not attempted by tests that were skipped or stopped', () => {
    const skipped = result({ s: 1, n: 1, ex: 'add', status: 'skipped' });
    const stopped = result({
      s: 2,
      n: 2,
      ex: 'add',
      status: 'interrupted',
      err: 'KeyboardInterrupt'
    });
    const before = fold([skipped, stopped]);
    expect(before.grid).toEqual([]);
    expect(before.exercises).toEqual([]);
    expect(before.sessions[0]).toMatchObject({
      tests: 0,
      passes: 0,
      exercise: null,
      lastError: null,
      lastAt: at(2)
    });

    const { grid, exercises, sessions } = fold([
      result({ s: 3, n: 3, ex: 'mean', err: 'ValueError', status: 'error' }),
      skipped,
      result({
        s: 4,
        n: 4,
        ex: 'add',
        err: 'AssertionError',
        status: 'failed'
      }),
      stopped,
      result({ s: 5, n: 5, ex: 'add', err: 'TimeoutError', status: 'timeout' }),
      result({ s: 6, n: 6, ex: 'add', status: 'interrupted' }),
      result({ s: 7, n: 7, ex: 'add', status: 'passed' }),
      result({ s: 8, n: 8, ex: 'add', status: 'skipped' })
    ]);
    expect(exercises.map(({ name }) => name)).toEqual(['mean', 'add']);
    expect(grid[0]).toMatchObject({
      exercise: 'add',
      state: 'passed',
      attempts: 3, // at 4, 5 and 7
      firstPassAt: at(7),
      lastAt: at(7),
      lastError: 'TimeoutError'
    });
    expect(sessions[0]).toMatchObject({ tests: 4, passes: 1, lastError: null });
  });

  it('takes a pass that arrives late for the first one it is', () => {
    const late = [
      result({ s: 1, n: 1, ex: 'add', err: 'TypeError' }),
      result({ s: 6, n: 4, ex: 'add', err: 'TypeError' }),
      result({ s: 9, n: 5, ex: 'add' }),
      result({ s: 3, n: 3, received: 20, ex: 'add' }),
      result({ s: 2, n: 2, received: 21, ex: 'add', err: 'KeyError' })
    ];
    expect(fold(late).grid[0]).toMatchObject({
      state: 'passed',
      attempts: 3, // at 1, 2 and 3
      firstPassAt: at(3),
      lastAt: at(9),
      lastError: 'TypeError' // at 6
    });
  });

  it('orders results of one time by their ids', () => {
    const tied = (pass: number, fail: number): number | undefined =>
      fold([
        result({ s: 7, n: pass, ex: 'add' }),
        result({ s: 7, n: fail, ex: 'add', err: 'ValueError' })
      ]).grid[0]?.attempts;
    expect(tied(1, 2)).toBe(1);
    expect(tied(2, 1)).toBe(2);
    const upper = {
      ...result({ s: 7, n: 0xb, ex: 'add' }),
      uuid: uuid(0xb).toUpperCase()
    };
    const lower = result({ s: 7, n: 0xa, ex: 'add', err: 'ValueError' });
    expect(fold([upper, lower]).grid[0]?.attempts).toBe(2);
  });

  it('adds up over the sessions of a student', () => {
    const { grid } = fold([
      result({ s: 1, n: 1, sess: 'one', ex: 'add', err: 'ValueError' }),
      result({ s: 2, n: 2, sess: 'two', ex: 'add', err: 'KeyError' })
    ]);
    expect(grid).toHaveLength(1);
    expect(grid[0]).toMatchObject({
      state: 'failing',
      attempts: 2,
      firstPassAt: null,
      lastError: 'KeyError'
    });
  });

  it('is another one in another notebook, whatever its name', () => {
    const { grid, exercises } = fold([
      result({ s: 1, n: 1, ex: 'add', err: 'ValueError' }),
      result({ s: 2, n: 2, nb: 'week2', ex: 'add' })
    ]);
    expect(exercises).toEqual([
      { notebook: 'week1', name: 'add' },
      { notebook: 'week2', name: 'add' }
    ]);
    expect(grid.map(cell => [cell.notebook, cell.state])).toEqual([
      ['week1', 'failing'],
      ['week2', 'passed']
    ]);
  });

  it('is not mixed up with another by names that run into each other', () => {
    const { grid } = fold([
      result({ s: 1, n: 1, student: 'A', nb: 'BC', ex: 'D' }),
      result({ s: 1, n: 2, student: 'AB', nb: 'C', ex: 'D' }),
      result({ s: 1, n: 3, student: 'A', nb: 'B', ex: 'CD' })
    ]);
    expect(grid).toHaveLength(3);
  });

  it('stands where the class first tried it, within its notebook', () => {
    const { exercises } = fold([
      result({ s: 5, n: 9, nb: 'week2', ex: 'x' }),
      result({ s: 5, n: 2, nb: 'week1', ex: 'b' }),
      result({ s: 12, n: 3, nb: 'week1', ex: 'c' }),
      result({ s: 6, n: 4, nb: 'week1', ex: 'a', student: 'ALAN-TURING' }),
      result({ s: 4, n: 5, nb: 'week1', ex: 'c', student: 'ALAN-TURING' })
    ]);
    expect(exercises.map(({ name }) => name)).toEqual(['c', 'b', 'a', 'x']);
  });

  it('of `constructor` and `__proto__` is an exercise like any other', () => {
    const { grid } = fold([
      result({ s: 1, n: 1, student: '__proto__', ex: 'constructor' }),
      result({ s: 2, n: 2, student: 'constructor', ex: '__proto__' })
    ]);
    expect(grid.map(cell => cell.attempts)).toEqual([1, 1]);
  });
});

describe('coverage', () => {
  it('counts each id once, however often and in whichever case it comes', () => {
    const once = result({ s: 1, n: 0xabc, ex: 'add', err: 'ValueError' });
    const { coverage, grid, sessions } = fold([
      once,
      once,
      { ...once, uuid: uuid(0xabc).toUpperCase() }
    ]);
    expect(coverage.events).toBe(1);
    expect(grid[0]?.attempts).toBe(1);
    expect(sessions[0]?.tests).toBe(1);
  });

  it('counts events without a session and nothing else of them', () => {
    const snapshot = fold([
      record({ s: 50, n: 1, event: 'deployed', student: 'ci', sess: null }),
      run({ s: 10, n: 2 })
    ]);
    expect(snapshot.coverage).toEqual({
      events: 2,
      students: 1,
      sessions: 1,
      lastEventAt: at(50),
      setAside: 0
    });
    expect(snapshot.students).toEqual([
      { student: 'ADA-LOVELACE', lastAt: at(10) }
    ]);
  });

  it('knows students who tested nothing yet', () => {
    const { students, grid } = fold([
      record({ s: 2, n: 1, event: 'start', student: 'B', sess: 'b' }),
      record({ s: 1, n: 2, event: 'start', student: 'A', sess: 'a' })
    ]);
    expect(students).toEqual([
      { student: 'A', lastAt: at(1) },
      { student: 'B', lastAt: at(2) }
    ]);
    expect(grid).toEqual([]);
  });

  it('counts events that lack a student or a notebook, and nothing else of them', () => {
    const { coverage, students, sessions, grid } = fold([
      { ...result({ s: 1, n: 1, ex: 'add' }), student: null },
      { ...result({ s: 2, n: 2, ex: 'add' }), notebook: null },
      { ...result({ s: 3, n: 3, ex: 'add' }), student: '' }
    ]);
    expect(coverage).toMatchObject({ events: 3, students: 0, sessions: 0 });
    expect([...students, ...sessions, ...grid]).toEqual([]);
  });

  it('survives records whose fields say nothing', () => {
    const odd = [
      { ...run({ s: 1, n: 1 }), timestamp: 'yesterday', received_at: 'soon' },
      { ...result({ s: 1, n: 2, ex: '' }) },
      record({ s: 2, n: 3, event: 'test', payload: { ex: 7, ok: 'yes' } }),
      record({ s: 2, n: 4, payload: { status: 12, err: {} } })
    ];
    const { coverage, grid } = fold(odd);
    expect(coverage).toMatchObject({ events: 4, sessions: 1 });
    expect(grid).toEqual([]);
  });
});

describe('a change', () => {
  it('holds what became different since the last one, and then nothing', () => {
    const state = createClassState({ course: 'demo', title: 'Demo' });
    state.apply(result({ s: 1, n: 1, ex: 'add', err: 'ValueError' }));
    state.apply(run({ s: 2, n: 2, student: 'ALAN-TURING', sess: 'alan' }));
    const first = state.takeChange(NOW);
    expect(first?.exercises).toEqual([{ notebook: 'week1', name: 'add' }]);
    expect(first?.students).toHaveLength(2);
    expect(state.takeChange(NOW)).toBeNull();

    state.apply(result({ s: 3, n: 3, ex: 'add' }));
    expect(state.takeChange(NOW)).toMatchObject({
      at: at(3600),
      exercises: null,
      students: [{ student: 'ADA-LOVELACE', lastAt: at(3) }],
      sessions: [{ session: 'sess-ada', tests: 2, passes: 1 }],
      grid: [{ state: 'passed', attempts: 2 }],
      coverage: { events: 3 }
    });
  });

  it('is none for an event that was there already', () => {
    const state = createClassState({ course: 'demo', title: 'Demo' });
    state.apply(run({ s: 1, n: 1 }));
    state.takeChange(NOW);
    state.apply(run({ s: 1, n: 1 }));
    expect(state.takeChange(NOW)).toBeNull();
  });
});
