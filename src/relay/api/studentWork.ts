/** How often students may ask for their data: each time reads the whole log, so one after another, and a few an hour. */
import { createLimit } from '../auth/limits.js';

/** What one student may ask of one course within `STUDENT_WINDOW_S`. */
export const STUDENT_READINGS = 6;
export const STUDENT_DELETIONS = 3;
export const STUDENT_WINDOW_S = 3600;

/** What is asked for. */
export type StudentTask = 'read' | 'delete';

/**
 * Runs a task of a student, after those of all others that are under way.
 *
 * @param isWanted looked at when its turn comes: nobody reads the log for a client that has gone.
 * @throws RelayError `rate_limited` with the time to wait, at once.
 */
export type StudentWork = <T>(
  task: StudentTask,
  whose: { course: string; student: string },
  isWanted: () => boolean,
  work: () => Promise<T>
) => Promise<T | undefined>;

/** Counts in memory, names included: they go with the hour. */
export function createStudentWork(): StudentWork {
  const limits = {
    read: createLimit(
      STUDENT_READINGS,
      STUDENT_WINDOW_S,
      'readings of one student’s data'
    ),
    delete: createLimit(
      STUDENT_DELETIONS,
      STUDENT_WINDOW_S,
      'deletions of one student’s data'
    )
  };
  let turn: Promise<unknown> = Promise.resolve();
  return async (task, { course, student }, isWanted, work) => {
    await limits[task].count(JSON.stringify([course, student]));
    const done = turn.then(() => (isWanted() ? work() : undefined));
    turn = done.catch(() => undefined);
    return done;
  };
}
