/** A cell of the grid in words. */
import type { GridCell } from '../../api/index.js';
import { ago, tries } from './format.js';

/** For a screen reader, and wherever colour does not reach. */
export function cellWords(cell: GridCell | undefined): string {
  if (!cell) {
    return 'no result yet';
  }
  if (cell.state === 'passed') {
    return `passed, ${tries(cell.attempts)}`;
  }
  const error = cell.lastError === null ? '' : `, ${cell.lastError}`;
  return `not passed, ${tries(cell.attempts)}${error}`;
}

/** With the time of the latest result, for the line that explains the cell in hand. */
export function cellDetail(cell: GridCell | undefined, now: number): string {
  const when = cell ? `, ${ago(Date.parse(cell.lastAt), now)}` : '';
  return `${cellWords(cell)}${when}`;
}
