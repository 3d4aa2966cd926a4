/** Cells that another executor runs, as those do that let the server talk to the kernel: each run once, truthfully. */
import { jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { launchChromium } from './support/chromium.js';
import { Classroom } from './support/classroom.js';
import { buildExtension } from './support/extension.js';
import { startJupyter, type Jupyter } from './support/jupyter.js';
import { Lesson } from './support/lesson.js';

jest.setTimeout(180_000);

let classroom: Classroom;
let jupyter: Jupyter;
let browser: Browser;

beforeAll(async () => {
  const [room, executor] = await Promise.all([
    Classroom.open(),
    buildExtension('server-executor')
  ]);
  classroom = room;
  [jupyter, browser] = await Promise.all([
    startJupyter({ app: 'lab', env: room.env, extensions: [executor] }),
    launchChromium()
  ]);
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await classroom?.close();
});

const CELLS = {
  fine: 'import time; time.sleep(0.4)\n1',
  boom: 'import time; time.sleep(0.4)\n1 / 0',
  empty: '',
  heading: { type: 'markdown', source: '# Heading' }
} as const;

describe.each(['late', 'early'] as const)('told %s', mode => {
  it('with the kernel package, which reports', async () => {
    const lesson = await Lesson.open({ classroom, jupyter, browser }, CELLS);
    await lesson.watched.page.evaluate(value => {
      (window as { executorMode?: string }).executorMode = value;
    }, mode);
    for (const id of ['setup', 'fine', 'boom', 'empty', 'heading']) {
      await lesson.notebook.run(id);
    }
    const events = await lesson.arrived(4);
    expect(
      events.map(({ event, properties: p }) => [
        event,
        p['src'],
        p['status'],
        p['err']
      ])
    ).toEqual([
      ['start', 'kernel', undefined, undefined],
      ['cell', 'kernel', 'ok', null],
      ['cell', 'kernel', 'ok', null],
      ['cell', 'kernel', 'error', 'ZeroDivisionError']
    ]);
    await lesson.leave();
  });

  it('without it, where the page reads the cell', async () => {
    jupyter.rememberStudent(`ADA-${mode.toUpperCase()}`);
    const lesson = await Lesson.open({ classroom, jupyter, browser }, CELLS, {
      plain: true,
      metadata: { ipynb_telemetry: { notebook: `plain-${mode}` } }
    });
    await lesson.watched.page.evaluate(value => {
      (window as { executorMode?: string }).executorMode = value;
    }, mode);
    for (const id of ['fine', 'boom', 'empty', 'heading']) {
      await lesson.notebook.run(id);
    }
    const events = await classroom.expect(`ADA-${mode.toUpperCase()}`, 3);
    expect(
      events.map(({ event, properties: p }) => [
        event,
        p['nb'],
        p['src'],
        p['nb_cell'] ?? null,
        p['status'],
        p['err']
      ])
    ).toEqual([
      ['start', `plain-${mode}`, 'lab', null, undefined, undefined],
      ['cell', `plain-${mode}`, 'lab', 'fine', 'ok', null],
      ['cell', `plain-${mode}`, 'lab', 'boom', 'error', 'ZeroDivisionError']
    ]);
    await lesson.leave();
    jupyter.forgetStudent();
  });
});
