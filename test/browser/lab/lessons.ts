/** A student in a real JupyterLab, real kernels, a real relay: what PostHog and the instructors' page get. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { cellRunId } from '../../../src/events/ids.js';
import { waitFor } from '../../support/waitFor.js';
import { openPage, type WatchedPage } from '../support/chromium.js';
import { addNotebook, ROOT } from '../support/jupyter.js';
import { NotebookPage } from '../support/notebookPage.js';
import {
  checkCommon,
  row,
  expectRows,
  start,
  test,
  type Row
} from '../support/rows.js';
import {
  CODE_CELLS,
  RIGHT_MEAN,
  SAMPLE,
  sampleCell
} from '../support/sample.js';

import { browser, classroom, jupyter } from './place.js';

const VERSION = (
  JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    version: string;
  }
).version;

let students = 0;

/** A student of their own with a notebook of their own, which is open. */
async function enter(source = SAMPLE): Promise<{
  notebook: NotebookPage;
  watched: WatchedPage;
  name: string;
  student: string;
  file: string;
}> {
  students += 1;
  const last = String.fromCharCode(64 + students);
  const file = `first-steps-${students}.ipynb`;
  jupyter.forgetStudent(); // On an account of their own.
  addNotebook(jupyter, source, file);
  const watched = await openPage(await browser.newContext());
  const notebook = new NotebookPage(watched.page);
  await notebook.open(jupyter.notebookUrl(file));
  return { notebook, watched, name: last, student: `ADA-${last}`, file };
}

const leave = (watched: WatchedPage) => watched.page.context().close();

/** Aborted runs of the sample's cells from `first` on. */
const aborted = (first: (typeof CODE_CELLS)[number]): Row[] =>
  CODE_CELLS.slice(CODE_CELLS.indexOf(first)).map(id =>
    sampleCell(id, { status: 'aborted', cell_num: null, count: null })
  );

it('a lesson arrives as it happened, and the pass shows without a reload', async () => {
  const instructors = await openPage(await browser.newContext());
  await instructors.page.goto(classroom.relay.link()!);
  const { notebook, watched, name, student } = await enter();
  await notebook.status().getByText('Telemetry: not set up').waitFor();

  await notebook.setUp('setup', 'Ada', name);
  await notebook.status().getByText('Telemetry: recording').waitFor();
  await notebook.run('mean-code');
  await notebook.type('vowels-code', '1 / 0');
  await notebook.run('vowels-code');

  // Run All runs the setup cell again, which knows the name: a second session.
  await notebook.command('notebook:run-all-cells');
  await notebook.settled();
  await notebook.run('mean-check');
  await notebook.type('mean-code', RIGHT_MEAN);
  await notebook.run('mean-code');

  const mark = (state: string) =>
    instructors.page
      .locator('tr', {
        has: instructors.page.getByText(student, { exact: true })
      })
      .locator(`.mark-${state}`)
      .first();
  await mark('failing').waitFor();
  const pressed = await notebook.press('mean-check');
  await mark('passed').waitFor();
  process.stdout.write(
    `Ctrl+Enter to the instructors' screen: ${Date.now() - pressed} ms\n`
  );
  await notebook.settled();

  const first: Row[] = [
    start(),
    sampleCell('setup', { cell_num: 1, count: 1 }),
    sampleCell('mean-code', { cell_num: 2, count: 2 }),
    sampleCell(
      'vowels-code',
      {
        cell_num: 3,
        count: 3,
        status: 'error',
        err: 'ZeroDivisionError'
      },
      '1 / 0'
    )
  ];
  const failed = { status: 'error', err: 'AssertionError' };
  const second: Row[] = [
    start(),
    sampleCell('setup', { cell_num: 1, count: 4 }),
    sampleCell('mean-code', { cell_num: 2, count: 5 }),
    test('mean', 1, 'AssertionError'),
    sampleCell('mean-check', { cell_num: 3, count: 6, ...failed }),
    { ...aborted('vowels-code')[0], lines: 1 },
    ...aborted('vowels-check'),
    test('mean', 2, 'AssertionError'),
    sampleCell('mean-check', { cell_num: 4, count: 7, ...failed }),
    sampleCell('mean-code', { cell_num: 5, count: 8 }, RIGHT_MEAN),
    test('mean', 3, null),
    sampleCell('mean-check', { cell_num: 6, count: 9 })
  ];
  const events = await classroom.expect(student, first.length + second.length);
  const sessions = [...new Set(events.map(event => event.properties['sess']))];
  expect(sessions).toHaveLength(2);
  for (const [index, expected] of [first, second].entries()) {
    expectRows(
      events.filter(event => event.properties['sess'] === sessions[index]),
      expected
    );
  }
  checkCommon(
    events,
    { student, nb: 'sample', version: VERSION },
    classroom.everything(student)
  );

  expect(watched.errors).toEqual([]);
  expect(complaints(watched)).toEqual([]);
  await instructors.page.context().close();
  await leave(watched);
});

it('runs that page and kernel both saw count once, and the kernel lets go of its copies', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.run('mean-code');
  await notebook.run('mean-check');
  await classroom.expect(student, 5);
  await notebook.type(
    'vowels-code',
    'import ipynb_telemetry; print(ipynb_telemetry.status())'
  );
  const told = await notebook.runAndRead('vowels-code');
  // setup, mean-code, mean-check and its test.
  expect(told).toContain("'confirmed': 4");
  expect(told).toContain("'held': 0");
  const events = await classroom.expect(student, 6);
  expectRows(events, [
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
    sampleCell('vowels-code', { cell_num: 4, count: 4 }, 'one line')
  ]);
  await leave(watched);
});

it('two notebooks are told apart, and the one in the background is not forgotten', async () => {
  const { notebook, watched, name, student, file } = await enter();
  const other = `other-${file}`;
  addNotebook(jupyter, SAMPLE, other);
  await notebook.setUp('setup', 'Ada', name);
  await notebook.type('mean-code', 'import time; time.sleep(1.5)');
  await notebook.start('mean-code');
  jupyter.forgetStudent(); // Ben sits down at the same account.
  await notebook.openBeside(other);
  await notebook.setUp('setup', 'Ben', name);
  await notebook.run('vowels-code');
  const mine = await classroom.expect(student, 3);
  const theirs = await classroom.expect(`BEN-${name}`, 3);
  expect(mine.map(row)).toMatchObject([
    { event: 'start' },
    { cell_num: 1, nb_cell: 'setup' },
    { cell_num: 2, nb_cell: 'mean-code', status: 'ok' }
  ]);
  expect(mine[2]!.properties['ms']).toBeGreaterThanOrEqual(1500);
  expect(theirs.map(row)).toMatchObject([
    { event: 'start' },
    { cell_num: 1, nb_cell: 'setup' },
    { cell_num: 2, nb_cell: 'vowels-code', status: 'ok' }
  ]);
  expect(mine[0]!.properties['sess']).not.toBe(theirs[0]!.properties['sess']);
  await leave(watched);
});

it('an interrupted run is told from one whose kernel died, and the session is over then', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.type('mean-code', 'import time\nwhile True: time.sleep(0.05)');
  await notebook.start('mean-code');
  await notebook.runs('mean-code');
  await notebook.command('notebook:interrupt-kernel');
  await notebook.settled();
  await notebook.type(
    'warm-code',
    'import os, time\ntime.sleep(1)\nos.kill(os.getpid(), 9)'
  );
  await notebook.start('warm-code');
  await notebook.start('vowels-code');
  await watched.page.locator('.jp-Dialog .jp-mod-accept').click();
  // Jupyter leaves the kernel's status at `starting` until something runs.
  const later = await notebook.start('bug-code');
  await later.locator('.jp-InputPrompt', { hasText: '[1]:' }).waitFor();
  const events = await classroom.expect(student, 7);
  const { sess } = events[0]!.properties;
  // Whose they are is known by now: without a setup the page goes on in a session of its own.
  expect(
    events
      .filter(({ properties: p }) => p['sess'] !== sess)
      .map(({ event, properties: p }) => [event, p['src'], p['cell_num']])
  ).toEqual([
    ['start', 'lab', undefined],
    ['cell', 'lab', 1]
  ]);
  const first = events.filter(({ properties: p }) => p['sess'] === sess);
  expectRows(first, [
    start(),
    sampleCell('setup', { cell_num: 1, count: 1 }),
    sampleCell(
      'mean-code',
      {
        cell_num: 2,
        count: 2,
        status: 'interrupted',
        err: 'KeyboardInterrupt'
      },
      'a\nb'
    ),
    sampleCell(
      'warm-code',
      { cell_num: 3, count: 3, status: 'lost' },
      'a\nb\nc'
    ),
    sampleCell('vowels-code', { cell_num: null, count: null, status: 'lost' })
  ]);
  await leave(watched);
});

it('a restart ends the session; the next setup run begins another', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.type('mean-code', 'import time; time.sleep(60)');
  await notebook.start('mean-code');
  await notebook.runs('mean-code');
  await notebook.start('vowels-code');
  await notebook.restartKernel();
  await notebook.run('setup');
  await notebook.run('vowels-code');
  const events = await classroom.expect(student, 7);
  const [first, second] = [
    ...new Set(events.map(event => event.properties['sess']))
  ];
  const rows = events
    .filter(event => event.properties['sess'] === first)
    .filter(event => event.properties['cell_num'] !== 2);
  expectRows(rows, [
    start(),
    sampleCell('setup', { cell_num: 1, count: 1 }),
    sampleCell('vowels-code', { cell_num: null, count: null, status: 'lost' })
  ]);
  // Jupyter interrupts before it restarts: the kernel may have lived to see the end of this run.
  const running = events.filter(event => event.properties['cell_num'] === 2);
  expect(running[0]!.properties['status']).toMatch(/^(lost|interrupted)$/);
  expectRows(
    events.filter(event => event.properties['sess'] === second),
    [
      start(),
      sampleCell('setup', { cell_num: 1, count: 1 }),
      sampleCell('vowels-code', { cell_num: 2, count: 2 })
    ]
  );
  await leave(watched);
});

it('a reload goes on with the same session, its numbers and its counters', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.run('mean-code');
  await notebook.save();
  await watched.page.reload();
  await notebook.ready();
  await notebook.status().getByText('Telemetry: recording').waitFor();
  await notebook.run('mean-check');
  const events = await classroom.expect(student, 5);
  expectRows(events, [
    start(),
    sampleCell('setup', { cell_num: 1, count: 1 }),
    sampleCell('mean-code', { cell_num: 2, count: 2 }),
    test('mean', 1, 'AssertionError'),
    sampleCell('mean-check', {
      cell_num: 3,
      count: 3,
      status: 'error',
      err: 'AssertionError'
    })
  ]);
  checkCommon(
    events,
    { student, nb: 'sample', version: VERSION },
    classroom.everything(student)
  );
  await leave(watched);
});

it('what cannot be sent waits, is shown, and arrives later once', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await classroom.expect(student, 2);
  const batches = '**/ipynb-telemetry/batch*';
  await watched.page.route(batches, route => route.abort());
  await notebook.run('mean-code');
  await notebook.run('vowels-code');
  await notebook
    .status()
    .getByText(/Telemetry: offline \(\d+ waiting\)/)
    .waitFor();
  expect(classroom.of(student)).toHaveLength(2);
  await watched.page.unroute(batches);
  const events = await classroom.expect(student, 4);
  expect(new Set(events.map(event => event.uuid)).size).toBe(4);
  checkCommon(
    events,
    { student, nb: 'sample', version: VERSION },
    classroom.everything(student)
  );
  await notebook.status().getByText('Telemetry: recording').waitFor();
  await leave(watched);
});

it('a page that is closed right after a run has sent it', async () => {
  const { notebook, watched, name, student } = await enter();
  // The key is then with the Jupyter server alone: nobody else can send.
  await notebook.type(
    'vowels-code',
    "import os; del os.environ['TELEMETRY_API_KEY']"
  );
  await notebook.run('vowels-code');
  await notebook.setUp('setup', 'Ada', name);
  await notebook.run('mean-check');
  await watched.page.close();
  expectRows(await classroom.expect(student, 4), [
    // From before the setup, so without a number in its session.
    sampleCell('vowels-code', { cell_num: null, count: 1 }, 'one line'),
    sampleCell('setup', { cell_num: 1, count: 2 }),
    test('mean', 1, 'NameError'),
    sampleCell('mean-check', {
      cell_num: 2,
      count: 3,
      status: 'error',
      err: 'NameError'
    })
  ]);
  await watched.page.context().close();
});

it('a closed notebook leaves its running cell to the kernel', async () => {
  const { notebook, watched, name, student } = await enter();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.type('mean-code', 'import time; time.sleep(2)');
  await notebook.start('mean-code');
  await notebook.runs('mean-code');
  await notebook.save();
  await notebook.command('application:close');
  const events = await classroom.expect(student, 3);
  expect(events.map(row)).toMatchObject([
    { event: 'start' },
    { cell_num: 1 },
    { cell_num: 2, src: 'kernel', status: 'ok' }
  ]);
  await leave(watched);
});

it('a server without a course key gets nothing, and it is said once', async () => {
  students += 1;
  const file = `unset-${students}.ipynb`;
  jupyter.forgetStudent();
  addNotebook(jupyter, SAMPLE, file);
  const watched = await openPage(await browser.newContext());
  const notebook = new NotebookPage(watched.page);
  let batches = 0;
  await watched.page.route('**/ipynb-telemetry/course*', route =>
    route.fulfill({
      status: 503,
      json: { configured: false, message: 'No relay is configured.' }
    })
  );
  await watched.page.route('**/ipynb-telemetry/batch*', route => {
    batches += 1;
    return route.continue();
  });
  await notebook.open(jupyter.notebookUrl(file));
  const name = String.fromCharCode(64 + students);
  await notebook.setUp('setup', 'Ada', name);
  await notebook.run('mean-code');
  // The kernel has a key of its own here, and does not wait for the page.
  const events = await classroom.expect(`ADA-${name}`, 3);
  expect(events.map(event => event.properties['src'])).toEqual([
    'kernel',
    'kernel',
    'kernel'
  ]);
  expect(batches).toBe(0);
  expect(
    watched.console.filter(line => line.includes('ipynb-telemetry'))
  ).toEqual([expect.stringContaining('No relay is configured.')]);
  await leave(watched);
});

it('what a student sees is a small item in the status bar', async () => {
  const { notebook, watched, name } = await enter();
  await watched.page.setViewportSize({ width: 1200, height: 760 });
  await notebook.setUp('setup', 'Ada', name);
  await notebook.type('mean-code', RIGHT_MEAN);
  await notebook.run('mean-code');
  await notebook.run('mean-check');
  await notebook.status().getByText('Telemetry: recording').waitFor();
  const check = await notebook.select('mean-check');
  await check.getByText('Right! mean works.', { exact: true }).waitFor();
  const tooltip = await notebook.status().getAttribute('title');
  expect(tooltip).toMatch(/reported to .* as ADA-/);
  const item = await notebook.status().boundingBox();
  expect(item!.height).toBeLessThanOrEqual(24);
  // For the documentation: UPDATE_IMAGES=1 writes it there.
  const images = process.env['UPDATE_IMAGES'] ? 'docs/images' : 'test-results';
  mkdirSync(join(ROOT, images), { recursive: true });
  await notebook.command('application:toggle-left-area');
  await notebook.select('mean-task');
  await watched.page.screenshot({ path: join(ROOT, images, 'lab.png') });
  await leave(watched);
});

it('a page loads less than 40 kB for it', async () => {
  const file = `first-steps-${(students += 1)}.ipynb`;
  addNotebook(jupyter, SAMPLE, file);
  const { page } = await openPage(await browser.newContext());
  const loads: Promise<Buffer>[] = [];
  page.on('response', response => {
    if (response.url().includes('/extensions/ipynb-telemetry/')) {
      loads.push(response.body());
    }
  });
  const notebook = new NotebookPage(page);
  await notebook.open(jupyter.notebookUrl(file));
  await notebook.status().waitFor();
  // Only courses that collect edits, as this one does, load what watches for them.
  const parts = (await Promise.all(loads)).map(body => ({
    size: gzipSync(body).length,
    always: !body.includes('a change of cells')
  }));
  const sum = (some: typeof parts): number =>
    some.reduce((total, { size }) => total + size, 0);
  const usual = parts.filter(({ always }) => always);
  process.stdout.write(
    `extension: ${(sum(usual) / 1000).toFixed(1)} kB gzipped in ${usual.length} files, ${(sum(parts) / 1000).toFixed(1)} kB where edits are collected\n`
  );
  expect(usual.length).toBeGreaterThan(1);
  expect(parts.length).toBe(usual.length + 1);
  expect(sum(usual)).toBeLessThan(40_000);
  await page.context().close();
});

it('ids are those that anyone derives from the request', async () => {
  const { notebook, watched, name, student } = await enter();
  const sent: string[] = [];
  watched.page.on('websocket', socket =>
    socket.on('framesent', ({ payload }) => {
      const found = /"msg_id":"([^"]+)","msg_type":"execute_request"/.exec(
        payload.toString()
      );
      if (found) {
        sent.push(found[1]!);
      }
    })
  );
  await watched.page.reload();
  await notebook.ready();
  await notebook.setUp('setup', 'Ada', name);
  await notebook.run('mean-code');
  await waitFor('two requests were seen', () => sent.length === 2);
  const events = await classroom.expect(student, 3);
  expect(events.map(event => event.uuid)).toEqual(
    expect.arrayContaining(sent.map(cellRunId))
  );
  await leave(watched);
});

/** What the extension, or the loading of it, had to complain about. */
function complaints({ console: lines }: WatchedPage): string[] {
  return lines.filter(line =>
    /ipynb.telemetry|Unsatisfied version|Comm not found|opening new comm/i.test(
      line
    )
  );
}
