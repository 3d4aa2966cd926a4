/**
 * Where telemetry of notebooks has gone wrong before, elsewhere: one test for each, in a
 * real JupyterLab. What the signals themselves hold ready is in `signals.ts`, what is lost
 * when things end in `../loss.spec.ts` and `lessons.ts`, consent in `../consent.spec.ts`,
 * other executors in `../executor.spec.ts`, and what stays behind in `leaks.ts`.
 */
import type { Request } from 'playwright-core';
import type { StoredEvent } from '../../support/posthogStandIn.js';
import {
  Lesson,
  type CellSpec,
  type LessonOptions
} from '../support/lesson.js';
import { row } from '../support/rows.js';

import { CANARY } from '../support/classroom.js';
import { browser, classroom, jupyter } from './place.js';

const open = (
  cells: Record<string, CellSpec>,
  options: LessonOptions = {}
): Promise<Lesson> =>
  Lesson.open({ classroom, jupyter, browser }, cells, options);

/** What arrived of a lesson so far, by event. */
const all = (lesson: Lesson, event: string): StoredEvent[] =>
  classroom.everything(lesson.student).filter(one => one.event === event);

/** Waits until so many `event`s of the lesson arrived, and no more come. */
async function settled(
  lesson: Lesson,
  event: string,
  count: number
): Promise<StoredEvent[]> {
  await classroom.arrival(
    lesson.student,
    events => events.filter(one => one.event === event).length >= count,
    `${count} ${event} events`
  );
  await lesson.watched.page.waitForTimeout(1200);
  expect(all(lesson, event).map(row)).toHaveLength(count);
  return all(lesson, event);
}

const cellIds = (lesson: Lesson): Promise<string[]> =>
  lesson.watched.page.evaluate(() =>
    window.jupyterapp.shell.currentWidget!.content.widgets.map(
      ({ model }) => model.id
    )
  );

it('a run with megabytes of output, in a notebook that names no language, is a run', async () => {
  const lesson = await open({ big: 'print("x" * 3_000_000)' });
  await lesson.notebook.run('setup');
  await lesson.notebook.run('big');
  const cells = await settled(lesson, 'cell', 2);
  expect(cells[1]!.properties).toMatchObject({
    nb_cell: 'big',
    status: 'ok'
  });
  await lesson.leave();
});

it('several cells pasted at once are all told, the last one removed has its own id, and copies are nobody else’s exercise', async () => {
  const exercise = { ipynb_telemetry: { exercise: 'mean' } };
  const lesson = await open({
    one: { source: 'a = 1', metadata: exercise },
    two: 'b = 2',
    three: 'c = 3'
  });
  await lesson.notebook.run('setup');
  const { page } = lesson.watched;
  await page.evaluate(async () => {
    const { commands, shell } = window.jupyterapp;
    const { content } = shell.currentWidget!;
    content.mode = 'command';
    content.deselectAll();
    content.activeCellIndex = 1;
    await commands.execute('notebook:extend-marked-cells-below');
    await commands.execute('notebook:extend-marked-cells-below');
    await commands.execute('notebook:copy-cell');
    content.deselectAll();
    content.activeCellIndex = 3;
    await commands.execute('notebook:paste-cell-below');
  });
  const ids = await cellIds(lesson);
  expect(ids).toHaveLength(7);
  const pasted = await settled(lesson, 'edit', 3);
  // Copied cells come by the notebook's own paste: they are added, in their order.
  expect(pasted.map(({ properties: p }) => p['action'])).toEqual(
    Array(3).fill(pasted[0]!.properties['action'])
  );
  expect(pasted[0]!.properties['action']).toMatch(/^(added|pasted)$/);

  await lesson.notebook.run(ids[4]!);
  await lesson.notebook.run('one');
  const cells = await settled(lesson, 'cell', 3);
  expect(
    cells.map(({ properties: p }) => [p['nb_cell'], p['cell_id']])
  ).toEqual([
    ['setup', 'setup'],
    [ids[4], ids[4]],
    ['one', 'mean']
  ]);

  await page.evaluate(async () => {
    const { content } = window.jupyterapp.shell.currentWidget!;
    content.mode = 'command';
    content.deselectAll();
    content.activeCellIndex = content.widgets.length - 1;
    await window.jupyterapp.commands.execute('notebook:delete-cell');
  });
  const edits = await settled(lesson, 'edit', 4);
  expect(edits[3]!.properties).toMatchObject({ action: 'removed' });
  await lesson.leave();
});

it('a moved cell is one move, and stays who it is when the move is undone', async () => {
  const lesson = await open({ one: 'a = 1', two: 'b = 2' });
  await lesson.notebook.run('setup');
  await lesson.notebook.select('one');
  await lesson.notebook.command('notebook:move-cell-down');
  const [moved] = await settled(lesson, 'edit', 1);
  expect(moved!.properties).toMatchObject({ action: 'moved' });
  await lesson.notebook.run('one');
  const cells = await settled(lesson, 'cell', 2);
  expect(cells[1]!.properties).toMatchObject({ nb_cell: 'one' });
  await lesson.leave();
});

it('text that is pasted is told by its length and never by its words, and is no AI', async () => {
  const words = 'the_words_of_ada = "are hers"';
  const lesson = await open({ one: '' });
  await lesson.notebook.run('setup');
  const cell = await lesson.notebook.select('one');
  await cell.locator('.cm-content').focus();
  await lesson.watched.page.evaluate(text => {
    const data = new DataTransfer();
    data.setData('text/plain', text);
    document.activeElement!.dispatchEvent(
      new ClipboardEvent('paste', {
        clipboardData: data,
        bubbles: true,
        cancelable: true
      })
    );
  }, words);
  const [pasted] = await settled(lesson, 'edit', 1);
  expect(pasted!.properties).toMatchObject({
    action: 'pasted',
    cell_id: 'one',
    chars: words.length
  });
  expect(JSON.stringify(classroom.everything(lesson.student))).not.toContain(
    'the_words_of_ada'
  );
  expect(
    classroom
      .everything(lesson.student)
      .filter(one => one.event.startsWith('ai_'))
  ).toEqual([]);
  await lesson.leave();
});

it('the halves of a split cell are not both the exercise', async () => {
  const lesson = await open({
    one: {
      source: 'a = 1\nb = 2',
      metadata: { ipynb_telemetry: { exercise: 'mean' } }
    }
  });
  await lesson.notebook.run('setup');
  const cell = await lesson.notebook.select('one');
  await cell.locator('.cm-content').focus();
  const { page } = lesson.watched;
  await page.keyboard.press('Control+Home');
  await page.keyboard.press('End');
  await page.evaluate(() =>
    window.jupyterapp.commands.execute('notebook:split-cell-at-cursor')
  );
  const ids = await cellIds(lesson);
  expect(ids).toHaveLength(3);
  await lesson.notebook.run(ids[1]!);
  await lesson.notebook.run(ids[2]!);
  const cells = await settled(lesson, 'cell', 3);
  const exercises = cells
    .slice(1)
    .filter(({ properties: p }) => p['cell_id'] === 'mean');
  expect(exercises).toHaveLength(1);
  await lesson.leave();
});

it('cells of an old format, whose ids change at each open, are known again', async () => {
  const cells = { one: 'a = 1', two: 'b = 2', twin: 'a = 1' };
  const lesson = await open(cells, { minor: 4 });
  const runAll = async (): Promise<unknown[]> => {
    const before = all(lesson, 'cell').length;
    await lesson.notebook.runAll();
    const events = await settled(lesson, 'cell', before + 4);
    return events.slice(before).map(({ properties: p }) => p['cell_id']);
  };
  const first = await runAll();
  expect(new Set(first).size).toBe(4);
  await lesson.watched.page.reload();
  await lesson.notebook.ready();
  expect(await runAll()).toEqual(first);
  await lesson.leave();
});

it('time in a hidden tab is no time in a cell', async () => {
  const lesson = await open({ one: 'a = 1', two: 'b = 2' });
  await lesson.notebook.run('setup');
  const { page } = lesson.watched;
  const hide = (state: 'hidden' | 'visible') =>
    page.evaluate(value => {
      Object.defineProperty(document, 'visibilityState', {
        value,
        configurable: true
      });
      document.dispatchEvent(new Event('visibilitychange'));
    }, state);
  const one = await lesson.notebook.select('one');
  await one.locator('.cm-content').focus();
  for (let key = 0; key < 8; key += 1) {
    await page.keyboard.press('x');
    await page.waitForTimeout(250);
  }
  await hide('hidden');
  await page.waitForTimeout(5000);
  await hide('visible');
  await lesson.notebook.select('two');
  await classroom.arrival(
    lesson.student,
    events => events.some(one => one.event === 'focus'),
    'a focus event'
  );
  const times = all(lesson, 'focus')
    .filter(({ properties: p }) => p['cell_id'] === 'one')
    .map(({ properties: p }) => Number(p['ms']));
  const total = times.reduce((sum, ms) => sum + ms, 0);
  expect(total).toBeGreaterThanOrEqual(1500);
  expect(total).toBeLessThan(5000);
  await lesson.leave();
});

it('typing asks nothing of any server', async () => {
  const lesson = await open({ one: '' });
  await lesson.notebook.run('setup');
  await settled(lesson, 'cell', 1);
  const requests: string[] = [];
  const note = (request: Request): void => {
    if (request.url().includes('ipynb-telemetry')) {
      requests.push(request.url());
    }
  };
  const cell = await lesson.notebook.select('one');
  await cell.locator('.cm-content').focus();
  await lesson.watched.page.waitForTimeout(1500);
  lesson.watched.page.on('request', note);
  await lesson.watched.page.keyboard.type(
    'x = 1 + 2 + 3 + 4 # forty keys or so'
  );
  await lesson.watched.page.waitForTimeout(1500);
  expect(requests).toEqual([]);
  await lesson.leave();
});

it('a notebook’s own metadata cannot send its events elsewhere, nor those of another notebook', async () => {
  const lesson = await open(
    { one: 'a = 1' },
    {
      metadata: {
        ipynb_telemetry: {
          notebook: 'other',
          host: 'http://127.0.0.1:9',
          api_key: 'nbt_theirs',
          exporters: [{ type: 'remote_exporter', args: { url: 'http://x' } }]
        }
      }
    }
  );
  const elsewhere: string[] = [];
  lesson.watched.page.on('request', request => {
    if (!request.url().startsWith(jupyter.url) && /^http/.test(request.url())) {
      elsewhere.push(request.url());
    }
  });
  await lesson.notebook.run('setup');
  await lesson.notebook.run('one');
  const cells = await settled(lesson, 'cell', 2);
  // The kernel's session is the notebook's that its setup cell names.
  expect(cells.map(({ properties: p }) => p['nb'])).toEqual([
    'lesson',
    'lesson'
  ]);
  expect(elsewhere).toEqual([]);
  await lesson.leave();
});

it('nothing of the environment, of paths or of messages leaves, and times are UTC', async () => {
  const lesson = await open({
    one: 'import os\nraise OSError("/home/jane.doe/secret of " + os.environ["SECRET_OF_THE_SERVER"])',
    two: '# by Jane Doe\nb = 2'
  });
  const bodies: string[] = [];
  lesson.watched.page.on('request', request => {
    if (request.url().includes('ipynb-telemetry')) {
      bodies.push(`${request.url()} ${request.postData() ?? ''}`);
    }
  });
  await lesson.notebook.run('setup');
  await lesson.notebook.run('one');
  await lesson.notebook.run('two');
  const cells = await settled(lesson, 'cell', 3);
  const told =
    JSON.stringify(classroom.everything(lesson.student)) + bodies.join();
  for (const secret of [CANARY, 'jane.doe', 'Jane Doe', jupyter.folder]) {
    expect(told).not.toContain(secret);
  }
  expect(told).not.toContain(lesson.file);
  expect(cells[1]!.properties['err']).toBe('OSError');
  for (const { timestamp } of cells) {
    expect(timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  }
  await lesson.leave();
});

it('the student’s file and settings stay theirs', async () => {
  const lesson = await open({
    one: 'a = 1',
    two: { source: 'b', type: 'raw' }
  });
  const before = lesson.savedFile();
  await lesson.notebook.run('setup');
  await lesson.notebook.run('one');
  await lesson.notebook.save();
  const after = lesson.savedFile();
  expect(after.cells.map(cell => cell.metadata)).toEqual(
    before.cells.map(cell => cell.metadata)
  );
  expect(after.cells.map(cell => [cell.source].flat().join(''))).toEqual(
    before.cells.map(cell => [cell.source].flat().join(''))
  );
  const settings = await fetch(
    `${jupyter.url}/lab/api/settings?ids_only=false&token=${jupyter.token}`
  );
  const listed = (await settings.json()) as {
    settings: { id: string; raw: string }[];
  };
  const changed = listed.settings.filter(
    ({ id, raw }) =>
      raw.replace(/\s|[{}]/g, '') !== '' &&
      !id.startsWith('@jupyterlab/apputils-extension')
  );
  expect(changed.map(({ id }) => id)).toEqual([]);
  await lesson.leave();
});
