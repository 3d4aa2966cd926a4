/** Where the grid is looked at: which rows are worth drawing, and where a key leads. */

/** A cell by row and column, from 0. */
export interface Place {
  row: number;
  column: number;
}

/** Rows from `start` up to, not with, `end`. */
export interface Rows {
  start: number;
  end: number;
}

/** Rows drawn beyond the visible ones on each side. */
const OVERSCAN = 12;

/** Grids of more cells than this are drawn in part. */
export const MAX_CELLS = 4000;

/** The rows to draw of `count`, in steps, so that scrolling a little changes nothing. */
export function visibleRows(given: {
  count: number;
  columns: number;
  /** All in px; the header stands above the rows within the scrolled content. */
  rowHeight: number;
  scrollTop: number;
  height: number;
}): Rows {
  const { count, columns, rowHeight, scrollTop, height } = given;
  if (count * Math.max(columns, 1) <= MAX_CELLS) {
    return { start: 0, end: count };
  }
  const first = Math.floor(scrollTop / rowHeight / OVERSCAN) * OVERSCAN;
  const shown = Math.ceil(height / rowHeight);
  const start = Math.min(
    Math.max(0, first - OVERSCAN),
    Math.max(0, count - shown)
  );
  return { start, end: Math.min(count, first + shown + 2 * OVERSCAN) };
}

/** Where `key` leads from `place`; null for a key that moves nothing. */
export function moved(
  place: Place,
  key: { key: string; ctrlKey?: boolean },
  size: { rows: number; columns: number; page: number }
): Place | null {
  const { row, column } = place;
  const lastRow = size.rows - 1;
  const lastColumn = size.columns - 1;
  const to = (r: number, c: number): Place => ({
    row: Math.max(0, Math.min(lastRow, r)),
    column: Math.max(0, Math.min(lastColumn, c))
  });
  switch (key.key) {
    case 'ArrowUp':
      return to(row - 1, column);
    case 'ArrowDown':
      return to(row + 1, column);
    case 'ArrowLeft':
      return to(row, column - 1);
    case 'ArrowRight':
      return to(row, column + 1);
    case 'PageUp':
      return to(row - size.page, column);
    case 'PageDown':
      return to(row + size.page, column);
    case 'Home':
      return to(key.ctrlKey ? 0 : row, 0);
    case 'End':
      return to(key.ctrlKey ? lastRow : row, lastColumn);
    default:
      return null;
  }
}
