/** Keys that tell rows apart whatever characters students and authors put into names. */
import type { Exercise, GridCell, SessionRow } from './index.js';

/** Key of a column. */
export function exerciseKey(row: Exercise): string {
  return join(row.notebook, row.name);
}

/** Key of a student's cell in the grid. */
export function gridKey(
  row: Pick<GridCell, 'student' | 'notebook' | 'exercise'>
): string {
  return join(row.student, row.notebook, row.exercise);
}

/** Key of a session. Student and notebook belong to it: a session id is only a claim. */
export function sessionKey(
  row: Pick<SessionRow, 'session' | 'student' | 'notebook'>
): string {
  return join(row.session, row.student, row.notebook);
}

/** Lengths before the parts: no choice of characters makes two keys equal. */
function join(...parts: string[]): string {
  return parts.map(part => `${part.length}:${part}`).join('');
}
