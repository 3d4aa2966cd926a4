/** The same extension in Notebook 7: one case of each kind of event. */
import { jest } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { launchChromium, openPage } from './support/chromium.js';
import { Classroom } from './support/classroom.js';
import {
  addNotebook,
  ROOT,
  startJupyter,
  type Jupyter
} from './support/jupyter.js';
import { Lesson } from './support/lesson.js';
import { NotebookPage } from './support/notebookPage.js';
import { checkCommon, expectRows, start, test } from './support/rows.js';
import { RIGHT_MEAN, SAMPLE, sampleCell } from './support/sample.js';

jest.setTimeout(180_000);

const { version } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8')
) as { version: string };

let classroom: Classroom;
let jupyter: Jupyter;
let browser: Browser;

beforeAll(async () => {
  classroom = await Classroom.open('outcomes', ['--events', 'default,+edit']);
  [jupyter, browser] = await Promise.all([
    startJupyter({ app: 'notebook', env: classroom.env }),
    launchChromium()
  ]);
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await classroom?.close();
});

it('a lesson arrives as it happened', async () => {
  addNotebook(jupyter, SAMPLE, 'sample.ipynb');
  const watched = await openPage(await browser.newContext());
  const notebook = new NotebookPage(watched.page);
  await notebook.open(jupyter.notebookUrl('sample.ipynb'));
  await notebook.setUp('setup', 'Grace', 'Hopper');
  await notebook.run('mean-code');
  await notebook.runFrom('mean-check');
  await notebook.type('mean-code', RIGHT_MEAN);
  await notebook.run('mean-code');
  await notebook.run('mean-check');

  const aborted = ['vowels-code', 'vowels-check', 'warm-code'].concat(
    'warm-check',
    'bug-code',
    'bug-check'
  );
  const expected = [
    start(),
    sampleCell('setup', { cell_num: 1, count: 1 }),
    sampleCell('mean-code', { cell_num: 2, count: 2 }),
    test('mean', 1, 'AssertionError'),
    sampleCell('mean-check', {
      cell_num: 3,
      count: 3,
      status: 'error',
      err: 'AssertionError'
    }),
    ...aborted.map(id =>
      sampleCell(id, { status: 'aborted', cell_num: null, count: null })
    ),
    sampleCell('mean-code', { cell_num: 4, count: 4 }, RIGHT_MEAN),
    test('mean', 2, null),
    sampleCell('mean-check', { cell_num: 5, count: 5 })
  ];
  const events = await classroom.expect('GRACE-HOPPER', expected.length);
  expectRows(events, expected);
  checkCommon(
    events,
    { student: 'GRACE-HOPPER', nb: 'sample', version },
    classroom.everything('GRACE-HOPPER')
  );
  // Notebook 7 throws this one by itself, also without the extension.
  expect(
    watched.errors.filter(message => !message.includes("reading 'schema'"))
  ).toEqual([]);
  expect(
    watched.console.filter(line =>
      /ipynb.telemetry|Unsatisfied version/i.test(line)
    )
  ).toEqual([]);
  await watched.page.context().close();
});

it('what happens around the runs is told here too', async () => {
  const lesson = await Lesson.open(
    { classroom, jupyter, browser },
    {
      quick: 'x = 1',
      slow: 'import time\nfor _ in range(600): time.sleep(0.05)',
      moved: { source: '# y', type: 'markdown' }
    }
  );
  const { notebook, student } = lesson;
  const { page } = lesson.watched;
  await notebook.run('setup');
  const quick = await notebook.select('quick');
  await quick.locator('.cm-content').focus();
  for (let key = 0; key < 8; key += 1) {
    await page.keyboard.press('z');
    await page.waitForTimeout(200);
  }
  await notebook.select('moved');
  await notebook.command('notebook:move-cell-up');
  await notebook.start('slow');
  await notebook.runs('slow');
  await notebook.command('notebook:interrupt-kernel');
  await notebook.settled();
  await notebook.save();
  await notebook.restartKernel();

  const kinds = (): string[] =>
    classroom
      .everything(student)
      .map(({ event, properties: p }) =>
        [event, p['action'] ?? p['status'] ?? p['reason'] ?? '']
          .join(' ')
          .trim()
      );
  const wanted = [
    'start',
    'cell ok',
    'cell interrupted',
    'notebook opened',
    'notebook saved',
    'edit moved',
    'focus',
    'kernel interrupted',
    'kernel restarted',
    'end restarted'
  ];
  await classroom.arrival(
    student,
    () => wanted.every(kind => kinds().includes(kind)),
    wanted.join(', ')
  );
  for (const once of ['edit moved', 'kernel restarted', 'kernel interrupted']) {
    expect(kinds().filter(kind => kind === once)).toHaveLength(1);
  }
  await lesson.leave();
});
