/** Every way in which a cell can be run in JupyterLab, and what the course gets of it: one test for each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { waitFor } from '../../support/waitFor.js';
import { openPage } from '../support/chromium.js';
import { Lesson } from '../support/lesson.js';
import { NotebookPage } from '../support/notebookPage.js';
import { cell, type Row } from '../support/rows.js';

import { browser, classroom, jupyter } from './place.js';

let lesson: Lesson;

const CELLS = {
  ok: '6 * 7',
  markdown: { type: 'markdown', source: '# A heading\n\nText' },
  raw: { type: 'raw', source: 'raw' },
  empty: '',
  blank: '   \n\t\n',
  // Slow enough for all that is run with it to be waiting: the kernel runs what comes later.
  boom: 'import time\ntime.sleep(1)\nraise ValueError("boom of Ada")',
  after: 'x = 1',
  slow: 'import time\nfor _ in range(600): time.sleep(0.05)',
  exit: 'raise SystemExit(3)',
  shell: '!exit 3',
  unittest:
    'import unittest\nclass T(unittest.TestCase):\n    def test(self): self.fail()\nunittest.main(argv=["x"], exit=False)',
  asks: 'answer = input("What? ")',
  second: 'import time\ntime.sleep(1.2)',
  quick: 'y = 2'
} as const;

const lines = (id: keyof typeof CELLS): number => {
  const spec = CELLS[id];
  const source = typeof spec === 'string' ? spec : spec.source;
  return source.split('\n').length;
};
const ran = (id: keyof typeof CELLS, outcome: Row = {}): Row =>
  cell(id, id, lines(id), {
    cell_num: expect.any(Number),
    count: expect.any(Number),
    ...outcome
  });
const notReached = (id: keyof typeof CELLS, status: string): Row =>
  ran(id, { cell_num: null, count: null, status });

describe('every way to run a cell', () => {
  beforeAll(async () => {
    lesson = await Lesson.open({ classroom, jupyter, browser }, CELLS);
    await lesson.setUp();
  });

  /** What arrives of the common lesson's next runs. */
  const expectNext = async (rows: Row[]): Promise<void> => {
    const got = await lesson.rows(rows.length);
    const key = (one: Row) => String(one['nb_cell'] ?? one['event']);
    const sort = (all: Row[]) =>
      [...all].sort((a, b) => key(a).localeCompare(key(b)));
    expect(sort(got)).toEqual(sort(rows));
  };

  it('a code cell that succeeds', async () => {
    await lesson.notebook.run('ok');
    await expectNext([ran('ok', { cell_num: 2, count: 2 })]);
  });

  it.each(['markdown', 'raw', 'empty', 'blank'] as const)(
    'a %s cell is no run',
    async id => {
      await lesson.notebook.run(id);
      await expectNext([]);
    }
  );

  it('an exception', async () => {
    await lesson.notebook.run('boom');
    await expectNext([ran('boom', { status: 'error', err: 'ValueError' })]);
  });

  it('the cells behind one that failed are aborted, which is nobody’s failure', async () => {
    await lesson.notebook.runFrom('boom');
    await expectNext([
      ran('boom', { status: 'error', err: 'ValueError' }),
      ...(
        [
          'after',
          'slow',
          'exit',
          'shell',
          'unittest',
          'asks',
          'second',
          'quick'
        ] as const
      ).map(id => notReached(id, 'aborted'))
    ]);
  });

  it('an interrupt, with the queue behind it', async () => {
    await lesson.notebook.start('slow');
    await lesson.notebook.runs('slow');
    await lesson.notebook.start('after');
    await lesson.notebook.command('notebook:interrupt-kernel');
    await lesson.notebook.settled();
    await expectNext([
      ran('slow', { status: 'interrupted', err: 'KeyboardInterrupt' }),
      notReached('after', 'aborted')
    ]);
  });

  it('SystemExit is an error and not the end of the kernel', async () => {
    await lesson.notebook.run('exit');
    await expectNext([ran('exit', { status: 'error', err: 'SystemExit' })]);
  });

  it('a shell command that fails raises nothing: the run is ok', async () => {
    await lesson.notebook.run('shell');
    await expectNext([ran('shell')]);
  });

  it('failing unit tests raise nothing either', async () => {
    await lesson.notebook.run('unittest');
    await expectNext([ran('unittest')]);
  });

  it.each(['Shift+Enter', 'Control+Enter'])('%s', async keys => {
    const ok = await lesson.notebook.select('ok');
    await ok.locator('.cm-content').focus();
    await lesson.watched.page.keyboard.press(keys);
    await lesson.notebook.settled();
    await expectNext([ran('ok')]);
  });

  it('the menu', async () => {
    await lesson.notebook.select('ok');
    const { page } = lesson.watched;
    await page.locator('.lm-MenuBar-item', { hasText: /^Run$/ }).click();
    await page
      .locator('.lm-Menu-item', { hasText: 'Run Selected Cell' })
      .first()
      .click();
    await lesson.notebook.settled();
    await expectNext([ran('ok')]);
  });

  it('a collapsed heading that is “run” runs nothing below it', async () => {
    const heading = await lesson.notebook.select('markdown');
    await lesson.notebook.run('markdown');
    await heading.hover();
    await lesson.notebook.command('notebook:toggle-heading-collapse');
    await lesson.notebook.run('markdown');
    await expectNext([]);
    await lesson.notebook.select('markdown');
    await lesson.notebook.command('notebook:toggle-heading-collapse');
  });

  it('a question to the student: the second run is refused by JupyterLab and is none', async () => {
    const asking = await lesson.notebook.start('asks');
    const input = asking.locator('.jp-Stdin input');
    await input.waitFor();
    await lesson.notebook.start('quick');
    await lesson.watched.page.locator('.jp-Dialog .jp-mod-accept').click();
    await input.fill('Ada Lovelace');
    await input.press('Enter');
    await lesson.notebook.settled();
    await expectNext([ran('asks')]);
  });

  it('a cell that is edited while it runs: its lines are those that ran', async () => {
    await lesson.notebook.start('second');
    await lesson.notebook.runs('second');
    await lesson.notebook.type('second', 'a = 1\nb = 2\nc = 3\nd = 4');
    await lesson.notebook.settled();
    await expectNext([ran('second')]);
    await lesson.notebook.type('second', CELLS.second);
  });

  it('a notebook that is renamed while a cell runs keeps its id', async () => {
    await lesson.notebook.start('second');
    await lesson.notebook.runs('second');
    await lesson.watched.page.evaluate(async () => {
      const { context } = window.jupyterapp.shell.currentWidget!;
      await (
        context as unknown as { rename(name: string): Promise<void> }
      ).rename('renamed.ipynb');
    });
    await lesson.notebook.settled();
    const [event] = await lesson.arrived(1);
    expect(event!.properties).toMatchObject({
      nb: 'lesson',
      nb_cell: 'second',
      status: 'ok'
    });
  });

  it('a console attached to the notebook’s kernel is not the notebook', async () => {
    await lesson.watched.page.evaluate(async () => {
      const panel = window.jupyterapp.shell.currentWidget!;
      const kernel = panel.sessionContext.session!.kernel!;
      await window.jupyterapp.commands.execute('console:create', {
        path: 'console',
        kernelPreference: { id: kernel.id },
        activate: true
      });
    });
    const { page } = lesson.watched;
    // Before it knows its kernel, a console drops what it is to run; what ran has a number.
    const inConsole = page.locator('.jp-CodeConsole-content');
    await waitFor('the console runs something', async () => {
      if (!/\[\d+\]:/.test(await inConsole.innerText())) {
        await page.evaluate(() => {
          const { console } = window.jupyterapp.shell
            .currentWidget as unknown as {
            console: { inject(code: string): Promise<void> };
          };
          return console.inject('in_the_console = 1');
        });
        await sleep(1500);
      }
      return /\[\d+\]:/.test(await inConsole.innerText());
    });
    const got = await lesson.arrived(1);
    // The kernel ran it within the session: it counts as a run, of no cell.
    expect(got.map(event => event.properties['nb_cell'])).toEqual([null]);
    expect(got[0]!.properties['src']).toBe('kernel');
    await page.evaluate(name => {
      void window.jupyterapp.commands.execute('docmanager:open', {
        path: name
      });
    }, 'renamed.ipynb');
    await waitFor('the notebook is back', () =>
      page.evaluate(
        () =>
          window.jupyterapp.shell.currentWidget?.context?.path ===
          'renamed.ipynb'
      )
    );
  });

  it('a running cell that is deleted has an outcome all the same', async () => {
    await lesson.notebook.start('second');
    await lesson.notebook.runs('second');
    await lesson.notebook.command('notebook:delete-cell');
    await lesson.notebook.settled();
    await sleep(1500);
    await expectNext([ran('second')]);
  });

  it('a restart in mid-run: lost or interrupted, and what waited behind it lost', async () => {
    await lesson.notebook.start('slow');
    await lesson.notebook.runs('slow');
    await lesson.notebook.start('after');
    await lesson.notebook.restartKernel();
    const got = await lesson.rows(2);
    expect(got).toContainEqual(notReached('after', 'lost'));
    const slow = got.find(one => one['nb_cell'] !== 'after');
    expect(slow).toMatchObject({
      event: 'cell',
      // Jupyter interrupts before it restarts: the kernel may live to see the run's end.
      status: expect.stringMatching(/^(lost|interrupted)$/)
    });
  });

  it('restart and run all is a session of its own, with every run', async () => {
    await lesson.notebook.select('boom');
    for (const id of ['slow', 'asks', 'boom', 'exit'] as const) {
      await lesson.notebook.type(id, 'pass');
    }
    await lesson.notebook.command('notebook:restart-run-all');
    await lesson.watched.page.locator('.jp-Dialog .jp-mod-accept').click();
    await waitFor(
      'the last cell has run',
      () =>
        lesson.watched.page.evaluate(() =>
          window.jupyterapp.shell.currentWidget!.content.widgets.some(
            ({ model }) =>
              model.id === 'quick' &&
              (model as unknown as { executionCount: number | null })
                .executionCount !== null &&
              model.executionState === 'idle'
          )
        ),
      60_000
    );
    await lesson.notebook.settled();
    const got = await lesson.rows(11);
    expect(got.filter(one => one['event'] === 'start')).toHaveLength(1);
    expect(
      got.filter(one => one['event'] === 'cell').map(one => one['status'])
    ).toEqual(Array(10).fill('ok'));
  });

  it('a kernel that is killed, and starts again by itself: lost', async () => {
    await lesson.notebook.type(
      'slow',
      'import os, time\ntime.sleep(0.5)\nos.kill(os.getpid(), 9)'
    );
    await lesson.notebook.start('slow');
    await lesson.watched.page.locator('.jp-Dialog .jp-mod-accept').click();
    const [event] = await lesson.rows(1);
    expect(event).toMatchObject({ nb_cell: 'slow', status: 'lost' });
  });

  it('a shutdown in mid-run: lost or interrupted', async () => {
    const other = await Lesson.open(
      { classroom, jupyter, browser },
      { slow: CELLS.slow }
    );
    await other.setUp();
    await other.notebook.start('slow');
    await other.notebook.runs('slow');
    await other.notebook.command('kernelmenu:shutdown');
    const [event] = await other.rows(1);
    expect(event).toMatchObject({
      status: expect.stringMatching(/^(lost|interrupted)$/)
    });
    await other.leave();
  });

  it('a notebook closed in mid-run: the kernel tells how the run ended', async () => {
    const other = await Lesson.open(
      { classroom, jupyter, browser },
      { second: CELLS.second }
    );
    await other.setUp();
    await other.notebook.start('second');
    await other.notebook.runs('second');
    await other.notebook.save();
    await other.notebook.command('application:close');
    const [event] = await other.rows(1);
    expect(event).toMatchObject({ status: 'ok', src: 'kernel' });
    await other.leave();
  });

  it('one notebook in two tabs: each run once, by the tab that asked for it', async () => {
    const other = await Lesson.open(
      { classroom, jupyter, browser },
      { ok: CELLS.ok, quick: CELLS.quick }
    );
    await other.setUp();
    await other.notebook.save();
    const second = await openPage(other.watched.page.context());
    const twin = new NotebookPage(second.page);
    await twin.open(
      jupyter
        .notebookUrl(other.file)
        .replace('/workspaces/', '/workspaces/twin-')
    );
    await other.notebook.run('ok');
    await twin.run('quick');
    const got = await other.arrived(2);
    expect(got.map(({ properties: p }) => [p['nb_cell'], p['src']])).toEqual([
      ['ok', 'lab'],
      ['quick', 'lab']
    ]);
    expect(got.map(({ properties: p }) => p['cell_num'])).toEqual([2, 3]);
    expect(new Set(got.map(({ properties: p }) => p['seq'])).size).toBe(2);
    await other.leave();
  });
});
