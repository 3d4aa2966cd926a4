/**
 * Builds an exercise notebook that reports how students get on.
 *
 * node examples/generate-notebook.ts means.ipynb
 *
 * Node 22.18 and later run TypeScript as it is; before, `npx tsx` does.
 */
import { writeFileSync } from 'node:fs';
import { setupCellNode } from 'ipynb-telemetry/notebooks';

const COURSE = 'python-101';
const NOTEBOOK = 'means';

function markdown(id: string, source: string): object {
  return { cell_type: 'markdown', id, metadata: {}, source };
}

/** A code cell of an exercise: its runs are counted under the exercise's name. */
function code(
  id: string,
  source: string,
  exercise: string,
  tags: readonly string[] = []
): object {
  return {
    cell_type: 'code',
    execution_count: null,
    id,
    metadata: {
      ipynb_telemetry: { exercise },
      ...(tags.length > 0 ? { tags } : {})
    },
    outputs: [],
    source
  };
}

const cells = [
  markdown(
    'title',
    '# Two kinds of average\n\nRun the next cell first: it asks for your name.'
  ),
  setupCellNode(NOTEBOOK),
  markdown(
    'mean-task',
    '## 1. The mean\n\nComplete `mean`: the sum, divided by how many.'
  ),
  code('mean-code', 'def mean(numbers):\n    ...', 'mean'),
  // A check that reports by itself: each run is an attempt, passed or not.
  code(
    'mean-check',
    `@tracked_test('mean')
def test_mean():
    assert mean([2, 4, 9]) == 5, 'The mean of 2, 4 and 9 is 5.'

test_mean()`,
    'mean'
  ),
  markdown(
    'median-task',
    '## 2. The median\n\nComplete `median`: the one in the middle.'
  ),
  code('median-code', 'def median(numbers):\n    ...', 'median'),
  // A check without a decorator: the tag says so, and an error in the cell is a failure.
  code(
    'median-check',
    "assert median([1, 9, 5]) == 5, 'The median of 1, 9 and 5 is 5.'",
    'median',
    ['test:median']
  )
];

const notebook = {
  cells,
  metadata: {
    // Without it the setup cell's id is the notebook's.
    ipynb_telemetry: { course: COURSE, notebook: NOTEBOOK },
    kernelspec: {
      display_name: 'Python 3',
      language: 'python',
      name: 'python3'
    },
    language_info: { name: 'python' }
  },
  nbformat: 4,
  nbformat_minor: 5
};

writeFileSync(process.argv[2]!, `${JSON.stringify(notebook, null, 1)}\n`);
