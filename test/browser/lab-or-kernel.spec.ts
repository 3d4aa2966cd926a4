/** The same notebook in JupyterLab and by nbclient, where only the kernel package reports: the same events. */
import { jest } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Browser } from 'playwright-core';
import type { StoredEvent } from '../support/posthogStandIn.js';
import { launchChromium, openPage } from './support/chromium.js';
import { Classroom } from './support/classroom.js';
import {
  addNotebook,
  cleanEnvironment,
  PYTHON,
  ROOT,
  startJupyter,
  type Jupyter
} from './support/jupyter.js';
import { NotebookPage } from './support/notebookPage.js';
import type { Row } from './support/rows.js';

jest.setTimeout(180_000);

const SETUP =
  'from ipynb_telemetry import setup_telemetry\nsetup_telemetry("both")';
/** Code cells by id. `_cell` names the cells, as notebooks with the former telemetry code do. */
const CELLS: Record<string, string> = {
  setup: SETUP,
  fine: '_cell("fine", "x = …")\nx = 1\nx',
  wrong: '_cell("wrong")\nraise LookupError("no such thing")',
  syntax: 'x = = 1',
  fails:
    '_cell("fails")\n@tracked_test("sum")\ndef check():\n    assert x == 2, "x is 2"\ncheck()',
  mended: '_cell("mended")\nx = 2\ncheck()\ncheck()',
  captured: '%%capture\n_cell("captured")\ncheck()',
  own: '_cell("own")\n_telemetry_capture("hint", {"ex": "sum", "nb": "forged"})'
};

let classroom: Classroom;
let jupyter: Jupyter;
let browser: Browser;
let folder: string;
let notebook: string;
let byKernel: StoredEvent[];

/** `start`, each cell, four results of the test, and the event of one's own. */
const COUNT = 1 + Object.keys(CELLS).length + 4 + 1;

beforeAll(async () => {
  classroom = await Classroom.open('code');
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-both-'));
  notebook = join(folder, 'both.ipynb');
  writeFileSync(
    notebook,
    JSON.stringify({
      cells: Object.entries(CELLS).map(([id, source]) => ({
        cell_type: 'code',
        execution_count: null,
        id,
        // So that Run All goes on, as nbclient does.
        metadata: { tags: ['raises-exception'] },
        outputs: [],
        source
      })),
      metadata: {
        kernelspec: { display_name: 'Python 3', name: 'python3' }
      },
      nbformat: 4,
      nbformat_minor: 5
    })
  );
  [jupyter, browser] = await Promise.all([
    startJupyter({
      app: 'lab',
      env: { ...classroom.env, TELEMETRY_STUDENT_NAME: 'Ada Page' }
    }),
    launchChromium()
  ]);
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await classroom?.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeAll(async () => {
  await promisify(execFile)(
    PYTHON,
    [join(ROOT, 'test/browser/support/comparison.py'), notebook],
    {
      env: {
        ...cleanEnvironment(),
        ...classroom.env,
        PYTHONPATH: join(ROOT, 'python'),
        IPYTHONDIR: join(folder, 'ipython'),
        TELEMETRY_STUDENT_NAME: 'Ada Kernel'
      }
    }
  );
  byKernel = await classroom.expect('ADA-KERNEL', COUNT);
}, 60_000);

it('the kernel package alone tells of everything', () => {
  const rows = comparable(byKernel);
  expect(rows).toHaveLength(COUNT);
  expect(byKernel.map(event => event.properties['src'])).toEqual(
    byKernel.map(() => 'kernel')
  );
  expect(rows).toEqual(
    expect.arrayContaining([
      expect.objectContaining({
        cell_id: 'wrong',
        status: 'error',
        err: 'LookupError: no such thing',
        code: CELLS['wrong']
      }),
      expect.objectContaining({ cell_id: 'fine', code: 'x = …', lines: 3 }),
      expect.objectContaining({ ex: 'sum', try: 4, ok: true }),
      expect.objectContaining({ event: 'hint', ex: 'sum', nb: 'both' })
    ])
  );
});

it.each([
  ['run one by one', 'one by one'],
  ['by Run All, which begins before the page knows of any session', 'all']
] as const)('cells %s are told alike on the page', async (_how, how) => {
  const file = `${how.replaceAll(' ', '-')}.ipynb`;
  addNotebook(jupyter, notebook, file);
  const { page } = await openPage(await browser.newContext());
  const lab = new NotebookPage(page);
  await lab.open(jupyter.notebookUrl(file));
  const before = new Set(classroom.of('ADA-PAGE').map(event => event.uuid));
  if (how === 'all') {
    await lab.runAll();
  } else {
    for (const id of Object.keys(CELLS)) {
      await lab.run(id);
    }
  }
  const events = (
    await classroom.expect('ADA-PAGE', before.size + COUNT)
  ).filter(event => !before.has(event.uuid));
  expect(comparable(events)).toEqual(comparable(byKernel));
  expect(events.map(event => event.properties['src'])).toContain('lab');
  await page.context().close();
});

/** Ids, times, counters and who told. `cell_id` is an id where it is not a label. */
const DIFFERENT = ['sess', 'seq', 'src', 'ms', 'nb_cell', 'student'];

function comparable(events: readonly StoredEvent[]): Row[] {
  return events
    .map(({ event, properties }) => {
      const row: Row = { event };
      for (const [name, value] of Object.entries(properties)) {
        if (!name.startsWith('$') && !DIFFERENT.includes(name)) {
          row[name] = value;
        }
      }
      const unlabelled = ['setup', 'syntax', null];
      if (unlabelled.includes(row['cell_id'] as string | null)) {
        delete row['cell_id'];
      }
      return row;
    })
    .sort((a, b) => key(a).localeCompare(key(b)));
}

const key = (row: Row) =>
  JSON.stringify([row['event'], row['cell_num'], row['try']]);
