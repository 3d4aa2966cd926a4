/** What the relay's API answers, as types that the page and the relay share. */

/** One session of a student in a notebook. Times are ISO 8601 in UTC. */
export interface SessionRow {
  session: string;
  student: string;
  notebook: string;
  startedAt: string;
  lastAt: string;
  /** Runs of code cells that reached the kernel. */
  runs: number;
  /** Runs that ended in an error. */
  errors: number;
  /** Test results, and how many of them passed. */
  tests: number;
  passes: number;
  /** Exercise of the latest test result. */
  exercise: string | null;
  /** Error type of the latest run or test; null once one is fine. */
  lastError: string | null;
}

/** A column of the grid. Exercises of different notebooks are different, whatever their names. */
export interface Exercise {
  notebook: string;
  name: string;
}

/** What one student did on one exercise, over all sessions. */
export interface GridCell {
  student: string;
  notebook: string;
  exercise: string;
  state: 'passed' | 'failing';
  /** Test results up to and with the first pass. */
  attempts: number;
  firstPassAt: string | null;
  lastAt: string;
  /** Error type of the latest failing result. */
  lastError: string | null;
}

/** How far the numbers can be trusted. */
export interface Coverage {
  events: number;
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
  at: string;
  exercises: Exercise[];
  sessions: SessionRow[];
  grid: GridCell[];
  coverage: Coverage;
}

/** What became different: rows replace those of the same key (`session`; student, notebook and exercise). */
export interface Change {
  at: string;
  exercises: Exercise[];
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
  /** Records of the log that are not delivered yet. */
  lag: number;
  delivered: number;
  setAside: number;
  lastError: string | null;
}
