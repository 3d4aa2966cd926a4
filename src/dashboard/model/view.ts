/** What the page shows of a course, made from a snapshot and then from changes. Nothing here is changed in place. */
import {
  exerciseKey,
  sessionKey,
  type Change,
  type Coverage,
  type Exercise,
  type GridCell,
  type SessionRow,
  type Snapshot
} from '../../api/index.js';

/** A student seen within this time is at work now, in ms. */
export const ACTIVE_MS = 15 * 60_000;
/** How long a pass stays marked as new, in ms. */
export const FRESH_MS = 8_000;
/** Sessions kept, the latest; as many as a snapshot brings. */
const MAX_SESSIONS = 1000;

/** A row of the grid. Keeps its identity as long as nothing in it changes. */
export interface Line {
  student: string;
  /** Ms since 1970, by the relay's clock. */
  lastAt: number;
  /** By `exerciseKey`. */
  cells: ReadonlyMap<string, GridCell>;
  passed: number;
  /** Columns seen to be passed just now: `exerciseKey` to this machine's time, for `FRESH_MS`. */
  fresh: ReadonlyMap<string, number>;
}

/** A column of the grid with its totals. */
export interface Column extends Exercise {
  key: string;
  passed: number;
  /** Students who tried and have not passed. */
  failing: number;
}

export interface ClassView {
  course: string;
  title: string;
  columns: readonly Column[];
  /** Students by name. */
  names: readonly string[];
  lines: ReadonlyMap<string, Line>;
  /** Latest first. */
  sessions: readonly SessionRow[];
  coverage: Coverage;
  /** Ms to add to this machine's clock to get the relay's. */
  skew: number;
  /** Passes that the latest change brought. */
  news: readonly GridCell[];
}

/** The view of a whole class. `now` is this machine's clock, in ms. */
export function fromSnapshot(snapshot: Snapshot, now: number): ClassView {
  const empty: ClassView = {
    course: snapshot.course,
    title: snapshot.title,
    columns: [],
    names: [],
    lines: new Map(),
    sessions: [],
    coverage: snapshot.coverage,
    skew: 0,
    news: []
  };
  // Passes of before are no news: they count as long past.
  return { ...withChange(empty, snapshot, now, false), news: [] };
}

/** The view after a change; what did not change keeps its identity. */
export function withChange(
  view: ClassView,
  change: Change,
  now: number,
  mark = true
): ClassView {
  const news = change.grid.filter(
    cell => isPassed(cell) && stateBefore(view, cell) !== 'passed'
  );
  const lines = linesAfter(view.lines, change, mark ? news : [], now);
  return {
    ...view,
    lines,
    names:
      lines.size === view.lines.size
        ? view.names
        : [...lines.keys()].sort(byName),
    columns: columnsAfter(view, change),
    sessions: sessionsAfter(view.sessions, change.sessions),
    coverage: change.coverage,
    skew: Date.parse(change.at) - now,
    news
  };
}

/** The view with passes that are old by now no longer marked; the same where there is none. */
export function withoutStale(view: ClassView, now: number): ClassView {
  const lines = new Map(view.lines);
  let changed = false;
  for (const [student, line] of view.lines) {
    const fresh = [...line.fresh].filter(([, since]) => now - since < FRESH_MS);
    if (fresh.length < line.fresh.size) {
      changed = true;
      lines.set(student, { ...line, fresh: new Map(fresh) });
    }
  }
  return changed ? { ...view, lines } : view;
}

/** Students seen within `ACTIVE_MS` before `at`, by the relay's clock. */
export function activeStudents(view: ClassView, at: number): number {
  let active = 0;
  for (const line of view.lines.values()) {
    active += isActive(line, at) ? 1 : 0;
  }
  return active;
}

export function isActive(line: Line, at: number): boolean {
  return at - line.lastAt < ACTIVE_MS;
}

/** Pairs of student and exercise that are passed. */
export function passes(view: ClassView): number {
  return view.columns.reduce((sum, column) => sum + column.passed, 0);
}

/** Students whose names contain `text`, in either case. */
export function matching(
  names: readonly string[],
  text: string
): readonly string[] {
  const wanted = text.trim().toLowerCase();
  return wanted === ''
    ? names
    : names.filter(name => name.toLowerCase().includes(wanted));
}

/** Passes in a sentence for a screen reader; the first three by name. */
export function announcement(news: readonly GridCell[]): string {
  const told = news
    .slice(0, 3)
    .map(({ student, exercise }) => `${student} passed ${exercise}`);
  const more = news.length - told.length;
  return more > 0 ? `${told.join(', ')} and ${more} more` : told.join(', ');
}

function linesAfter(
  before: ReadonlyMap<string, Line>,
  change: Change,
  news: readonly GridCell[],
  now: number
): ReadonlyMap<string, Line> {
  const lines = new Map(before);
  const lineOf = (student: string): Line =>
    lines.get(student) ?? {
      student,
      lastAt: -Infinity,
      cells: new Map(),
      passed: 0,
      fresh: NOTHING
    };
  for (const { student, lastAt } of change.students) {
    lines.set(student, { ...lineOf(student), lastAt: Date.parse(lastAt) });
  }
  for (const [student, changed] of byStudent(change.grid)) {
    const line = lineOf(student);
    const cells = new Map(line.cells);
    changed.forEach(cell => cells.set(columnOf(cell), cell));
    const passed = [...cells.values()].filter(isPassed).length;
    lines.set(student, { ...line, cells, passed });
  }
  for (const [student, passed] of byStudent(news)) {
    const line = lineOf(student);
    const marks = passed.map(cell => [columnOf(cell), now] as const);
    lines.set(student, { ...line, fresh: new Map([...line.fresh, ...marks]) });
  }
  return lines;
}

const NOTHING: ReadonlyMap<string, number> = new Map();

function byStudent(cells: readonly GridCell[]): Map<string, GridCell[]> {
  const groups = new Map<string, GridCell[]>();
  for (const cell of cells) {
    const group = groups.get(cell.student);
    if (group) {
      group.push(cell);
    } else {
      groups.set(cell.student, [cell]);
    }
  }
  return groups;
}

function stateBefore(
  view: ClassView,
  cell: GridCell
): GridCell['state'] | undefined {
  return view.lines.get(cell.student)?.cells.get(columnOf(cell))?.state;
}

function columnsAfter(view: ClassView, change: Change): readonly Column[] {
  if (change.exercises === null && change.grid.length === 0) {
    return view.columns;
  }
  const columns = new Map(
    view.columns.map(column => [column.key, { ...column }])
  );
  for (const { notebook, name } of change.exercises ?? []) {
    const key = exerciseKey({ notebook, name });
    if (!columns.has(key)) {
      columns.set(key, { key, notebook, name, passed: 0, failing: 0 });
    }
  }
  for (const cell of change.grid) {
    const key = columnOf(cell);
    const column = columns.get(key);
    if (column) {
      const before = stateBefore(view, cell);
      if (before) {
        column[before] -= 1;
      }
      column[cell.state] += 1;
    }
  }
  const order = change.exercises?.map(exerciseKey) ?? [...columns.keys()];
  return order.flatMap(key => columns.get(key) ?? []);
}

function sessionsAfter(
  before: readonly SessionRow[],
  changed: readonly SessionRow[]
): readonly SessionRow[] {
  if (changed.length === 0) {
    return before;
  }
  const rows = new Map(before.map(row => [sessionKey(row), row]));
  for (const row of changed) {
    rows.set(sessionKey(row), row);
  }
  return [...rows.values()]
    .sort((a, b) =>
      a.lastAt === b.lastAt
        ? byName(sessionKey(a), sessionKey(b))
        : a.lastAt < b.lastAt
          ? 1
          : -1
    )
    .slice(0, MAX_SESSIONS);
}

function columnOf(cell: GridCell): string {
  return exerciseKey({ notebook: cell.notebook, name: cell.exercise });
}

function isPassed(cell: GridCell): boolean {
  return cell.state === 'passed';
}

const collator = new Intl.Collator('en', { numeric: true });

/** As people sort names; code units decide between those that look alike. */
function byName(a: string, b: string): number {
  return collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}
