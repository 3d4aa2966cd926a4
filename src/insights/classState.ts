/** What is true of a class now, folded event by event: sessions, and where each student is with each exercise. */
import {
  gridKey,
  sessionKey,
  type Change,
  type Coverage,
  type GridCell,
  type SessionRow,
  type Snapshot,
  type StudentRow
} from '../api/index.js';
import type { TelemetryRecord } from '../events/types.js';
import { Attempts } from './attempts.js';
import { Columns } from './columns.js';
import { momentOf, type Moment } from './moment.js';
import { errorTypeOf, exerciseOf, isAttempt, payloadOf } from './payload.js';
import { Session } from './session.js';
import { UuidSet } from './uuidSet.js';

/** Sessions in a snapshot at most; a page has no use for all of a term's. */
export const MAX_SESSIONS = 1000;

/** The state of one course. */
export interface ClassState {
  /**
   * Takes in one record, at a cost that does not grow with those before it. Any order
   * of records gives the same state; one that was there already changes nothing.
   */
  apply(record: TelemetryRecord): void;
  /** Everything as it stands. */
  snapshot(now?: Date): Snapshot;
  /** What became different since the last call; null if nothing did. */
  takeChange(now?: Date): Change | null;
}

/** Latest events of a student, ms since 1970; ends of sessions apart: servers stop idle kernels, too. */
interface LastSeen {
  work: number;
  end: number;
}

interface StudentExercise {
  name: Pick<GridCell, 'student' | 'notebook' | 'exercise'>;
  attempts: Attempts;
}

/** An empty class. */
export function createClassState(options: {
  course: string;
  title: string;
}): ClassState {
  const seen = new UuidSet();
  const students = new Map<string, LastSeen>();
  const sessions = new Map<string, Session>();
  const grid = new Map<string, StudentExercise>();
  const columns = new Columns();
  let events = 0;
  let lastEventAt = -Infinity;
  let changed = emptyChanges();

  function apply(record: TelemetryRecord): void {
    if (record.uuid !== undefined && !seen.add(record.uuid)) {
      return;
    }
    events += 1;
    changed.any = true;
    const moment = momentOf(record);
    if (moment === null) {
      return;
    }
    lastEventAt = Math.max(lastEventAt, moment.seen);
    const { student, session, notebook } = record;
    if (!student || !session || !notebook) {
      return; // Some other program's event: counted, and nobody's work.
    }
    noteStudent(student, record.event === 'end', moment);
    changed.students.add(student);
    addToSession({ session, student, notebook }, record, moment);
    if (record.event === 'test') {
      addResult({ student, notebook }, record, moment);
    }
  }

  function noteStudent(
    student: string,
    isEnd: boolean,
    { seen }: Moment
  ): void {
    let last = students.get(student);
    if (!last) {
      last = { work: -Infinity, end: -Infinity };
      students.set(student, last);
    }
    const kind = isEnd ? 'end' : 'work';
    last[kind] = Math.max(last[kind], seen);
  }

  function addToSession(
    name: Pick<SessionRow, 'session' | 'student' | 'notebook'>,
    record: TelemetryRecord,
    moment: Moment
  ): void {
    const key = sessionKey(name);
    let session = sessions.get(key);
    if (!session) {
      session = new Session(name);
      sessions.set(key, session);
    }
    session.add(record, moment);
    changed.sessions.add(session);
  }

  function addResult(
    { student, notebook }: { student: string; notebook: string },
    record: TelemetryRecord,
    moment: Moment
  ): void {
    const payload = payloadOf(record);
    const exercise = exerciseOf(payload);
    if (exercise === null || !isAttempt(payload)) {
      return;
    }
    const name = { student, notebook, exercise };
    const key = gridKey(name);
    let cell = grid.get(key);
    if (!cell) {
      cell = { name, attempts: new Attempts() };
      grid.set(key, cell);
    }
    cell.attempts.add({
      moment,
      ok: payload['ok'] === true,
      error: errorTypeOf(payload)
    });
    changed.cells.add(cell);
    if (columns.note({ notebook, name: exercise }, moment)) {
      changed.columns = true;
    }
  }

  function coverage(): Coverage {
    return {
      events,
      students: students.size,
      sessions: sessions.size,
      lastEventAt: events > 0 ? iso(lastEventAt) : null,
      setAside: 0
    };
  }

  const studentRow = (student: string): StudentRow => {
    const { work, end } = students.get(student)!;
    return { student, lastAt: iso(work > -Infinity ? work : end) ?? '' };
  };

  return {
    apply,
    snapshot: (now = new Date()) => ({
      ...options,
      at: now.toISOString(),
      exercises: columns.list(),
      students: [...students.keys()].sort(ascending).map(studentRow),
      sessions: latestFirst([...sessions.values()]).slice(0, MAX_SESSIONS),
      grid: [...grid.entries()]
        .sort(([a], [b]) => ascending(a, b))
        .map(([, cell]) => cellRow(cell)),
      coverage: coverage()
    }),
    takeChange: (now = new Date()) => {
      if (!changed.any) {
        return null;
      }
      const { columns: moved, ...rows } = changed;
      changed = emptyChanges();
      return {
        at: now.toISOString(),
        exercises: moved ? columns.list() : null,
        students: [...rows.students].map(studentRow),
        sessions: latestFirst([...rows.sessions]),
        grid: [...rows.cells].map(cellRow),
        coverage: coverage()
      };
    }
  };
}

interface Changes {
  any: boolean;
  columns: boolean;
  students: Set<string>;
  sessions: Set<Session>;
  cells: Set<StudentExercise>;
}

function emptyChanges(): Changes {
  return {
    any: false,
    columns: false,
    students: new Set(),
    sessions: new Set(),
    cells: new Set()
  };
}

function cellRow({ name, attempts }: StudentExercise): GridCell {
  return {
    ...name,
    state: attempts.passed ? 'passed' : 'failing',
    attempts: attempts.attempts,
    firstPassAt: iso(attempts.firstPassAt),
    lastAt: iso(attempts.lastAt) ?? '',
    lastError: attempts.lastError
  };
}

/** Rows of sessions, the latest first; those of one time by key, so that the order is total. */
function latestFirst(sessions: Session[]): SessionRow[] {
  return sessions
    .map(session => ({ at: session.lastAt, row: session.row() }))
    .sort(
      (a, b) => b.at - a.at || ascending(sessionKey(a.row), sessionKey(b.row))
    )
    .map(({ row }) => row);
}

function ascending(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function iso(ms: number | null): string | null {
  return ms === null || !Number.isFinite(ms)
    ? null
    : new Date(ms).toISOString();
}
