/** Where a notebook's setup cell belongs: first, but after what has to stay first. */
import type { Cell } from './notebook.js';

/**
 * Position for a new setup cell, from 0.
 *
 * Three things stay before it: front matter (raw cells, or Markdown between lines of `---`), which
 * tools read only at the very beginning; Colab's badge; and one cell that begins with the title.
 */
export function setupPosition(cells: readonly Cell[]): number {
  const passed = (index: number, test: (cell: Cell) => boolean): number => {
    while (index < cells.length && test(cells[index]!)) {
      index += 1;
    }
    return index;
  };
  const start = passed(0, cell => isFrontMatter(cell) || isBadge(cell));
  const next = cells[start];
  return next !== undefined && isTitle(next) ? start + 1 : start;
}

/** Whether the setup cell at `index` comes too late: code that would run before it is not recorded. */
export function isMisplaced(cells: readonly Cell[], index: number): boolean {
  return cells
    .slice(0, index)
    .some(({ type, source }) => type === 'code' && source.trim() !== '');
}

/** Enough of a source to know its kind by. */
const HEAD = 2000;

function isFrontMatter({ type, source }: Cell): boolean {
  return (
    type === 'raw' || (type === 'markdown' && /^---[ \t]*[\r\n]/.test(source))
  );
}

function isBadge({ type, source, metadata }: Cell): boolean {
  return (
    type === 'markdown' &&
    source.length < HEAD &&
    (metadata['id'] === 'view-in-github' ||
      /^\s*(<a [^>]*colab\.research\.google\.com[^>]*>.*<\/a>|\[!\[[^\]]*\]\([^)]*\)\]\([^)]*colab\.research\.google\.com[^)]*\))\s*$/s.test(
        source
      ))
  );
}

function isTitle({ type, source, data }: Cell): boolean {
  return (
    (type === 'heading' && data['level'] === 1) ||
    (type === 'markdown' &&
      /^\s*(#[ \t]+\S|<h1[\s>]|\S[^\n]*\n=+\s*(\n|$))/i.test(
        source.slice(0, HEAD)
      ))
  );
}
