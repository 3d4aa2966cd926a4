/** What the relay's API answers, as types that the page and the relay share. */
export { exerciseKey, gridKey, sessionKey } from './keys.js';

/** A student of whom at least one session is known: a row of the grid. Times are ISO 8601 in UTC. */
export interface StudentRow {
  student: string;
  /** Latest event of any session but its end, never later than its receipt. */
  lastAt: string;
}

/** One session of a student in a notebook; the three together are its key. */
export interface SessionRow {
  session: string;
  student: string;
  notebook: string;
  startedAt: string;
  /** Latest event but the end. */
  lastAt: string;
  /** When it was over, as far as anybody told; null while it goes on. */
  endedAt: string | null;
  /** Runs of code cells that reached the kernel. */
  runs: number;
  /** Runs that ended in an error. */
  errors: number;
  /** Test results that were attempts, and how many of them passed. */
  tests: number;
  passes: number;
  /** Exercise of the latest test result. */
  exercise: string | null;
  /**
   * Error type of the latest run if it failed, else of the latest test if that failed
   * (where both did, of the later); null once both are fine.
   */
  lastError: string | null;
}

/** A column of the grid. Exercises of different notebooks are different, whatever their names. */
export interface Exercise {
  notebook: string;
  name: string;
}

/** What one student did on one exercise, over all sessions; no cell means no result yet. */
export interface GridCell {
  student: string;
  notebook: string;
  exercise: string;
  state: 'passed' | 'failing';
  /** Test results up to and with the first pass, in order of (timestamp, uuid). */
  attempts: number;
  firstPassAt: string | null;
  lastAt: string;
  /** Error type of the latest failing result. */
  lastError: string | null;
}

/** How far the numbers can be trusted. */
export interface Coverage {
  /** Distinct events, those of no session included. */
  events: number;
  /** Students with at least one session. */
  students: number;
  sessions: number;
  lastEventAt: string | null;
  /** Events set aside with a reason. */
  setAside: number;
}

/** Everything the page shows of a course. */
export interface Snapshot {
  course: string;
  title: string;
  /** The relay's clock. */
  at: string;
  /** Columns: notebooks and, within them, exercises in the order the class first tried them. */
  exercises: Exercise[];
  students: StudentRow[];
  /** The latest 1,000 sessions, latest first; `coverage.sessions` counts them all. */
  sessions: SessionRow[];
  grid: GridCell[];
  coverage: Coverage;
}

/** What became different: rows replace those of the same key (see `keys`), nothing ever goes. */
export interface Change {
  at: string;
  /** All columns in their order where one came or moved, else null. */
  exercises: Exercise[] | null;
  students: StudentRow[];
  sessions: SessionRow[];
  grid: GridCell[];
  coverage: Coverage;
}

/** A course as the list of courses shows it. */
export interface CourseSummary {
  course: string;
  title: string;
}

/** Name of the server-sent event, and its data, on `GET /api/v1/live`. */
export type LiveMessage =
  { event: 'snapshot'; data: Snapshot } | { event: 'change'; data: Change };

/** A destination or reader of the log, as `GET /readyz` and the page's footer show it. */
export interface SinkStatus {
  name: string;
  state: 'running' | 'retrying' | 'stopped';
  /**
   * `open` while the destination is left alone after several failures in a row, `half-open` while
   * a few events try whether it is back.
   */
  circuit: 'closed' | 'open' | 'half-open';
  /** Records of the log that are not delivered yet. */
  lag: number;
  /** Number of the log's next record for this sink. */
  seq: number;
  /** Events confirmed, events set aside and deliveries repeated since the relay started. */
  delivered: number;
  setAside: number;
  retries: number;
  lastError: string | null;
}
