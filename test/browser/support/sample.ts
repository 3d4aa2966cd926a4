/** The sample notebook as the tests use it. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './jupyter.js';
import { cell, type Row } from './rows.js';

export const SAMPLE = join(ROOT, 'examples', 'sample.ipynb');

/** A right answer to the first exercise. */
export const RIGHT_MEAN =
  'def mean(numbers):\n    return sum(numbers) / len(numbers)';

/** Ids of the code cells after the setup cell, in order. */
export const CODE_CELLS = [
  'mean-code',
  'mean-check',
  'vowels-code',
  'vowels-check',
  'warm-code',
  'warm-check',
  'bug-code',
  'bug-check'
] as const;

interface Cell {
  id: string;
  source: string | string[];
  metadata: { ipynb_telemetry?: { exercise?: string } };
}

const cells = new Map(
  (JSON.parse(readFileSync(SAMPLE, 'utf8')) as { cells: Cell[] }).cells.map(
    found => [found.id, found]
  )
);

/** Row of the `cell` event of a run of the sample's cell `id`, as the page makes it. */
export function sampleCell(id: string, outcome: Row, source?: string): Row {
  const found = cells.get(id);
  if (!found) {
    throw new Error(`the sample has no cell ${id}`);
  }
  const text = source ?? [found.source].flat().join('');
  return cell(
    id,
    found.metadata.ipynb_telemetry?.exercise ?? id,
    text.split('\n').length,
    outcome
  );
}
