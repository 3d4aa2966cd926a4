/** A notebook without the kernel package, and all that is told around its runs, in a real JupyterLab. */
import { jest } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { StoredEvent } from '../support/posthogStandIn.js';
import { launchChromium } from './support/chromium.js';
import { Classroom } from './support/classroom.js';
import { startJupyter, type Jupyter } from './support/jupyter.js';
import { Lesson, type CellSpec, type LessonOptions } from './support/lesson.js';

jest.setTimeout(180_000);

let classroom: Classroom;
let jupyter: Jupyter;
let browser: Browser;
let students = 0;

beforeAll(async () => {
  classroom = await Classroom.open('outcomes', ['--events', 'default,+edit']);
  [jupyter, browser] = await Promise.all([
    startJupyter({ app: 'lab', env: classroom.env }),
    launchChromium()
  ]);
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await classroom?.close();
});

/** A marked notebook of a student whom the server knows by name. */
async function enter(
  cells: Record<string, CellSpec>,
  options: LessonOptions = {}
): Promise<{ lesson: Lesson; student: string }> {
  students += 1;
  const student = `MARK-${String.fromCharCode(64 + students)}`;
  jupyter.rememberStudent(student);
  const lesson = await Lesson.open({ classroom, jupyter, browser }, cells, {
    plain: true,
    metadata: { ipynb_telemetry: { notebook: 'plain' } },
    ...options
  });
  return { lesson, student };
}

/** Waits until so many events of a student arrived, and gives them as short words. */
async function told(student: string, count: number): Promise<string[]> {
  await classroom.arrival(
    student,
    events => events.length >= count,
    `${count} events`
  );
  return inWords(classroom.everything(student));
}

const inWords = (events: readonly StoredEvent[]): string[] =>
  events.map(({ event, properties: p }) =>
    [event, p['action'] ?? p['status'] ?? p['reason'], p['cell_id']]
      .filter(word => word !== undefined && word !== null)
      .join(' ')
  );

const sessions = (student: string): unknown[] => [
  ...new Set(
    classroom.everything(student).map(({ properties: p }) => p['sess'])
  )
];

it('is a session of the page’s own, from opening to closing', async () => {
  const { lesson, student } = await enter({
    one: { source: 'x = 1', metadata: { tags: ['test:one'] } },
    two: '@tracked_test("two")\ndef check():\n    assert False\ncheck()',
    three: 'import time\ntime.sleep(60)'
  });
  await lesson.notebook.type(
    'two',
    'def tracked_test(name): return lambda t: t'
  );
  await lesson.notebook.run('two');
  await lesson.notebook.type(
    'two',
    '@tracked_test("two")\ndef check():\n    assert x == 2\ncheck()'
  );
  await lesson.notebook.run('one');
  await lesson.notebook.run('two');
  await lesson.notebook.start('three');
  await lesson.notebook.runs('three');
  await lesson.notebook.command('notebook:interrupt-kernel');
  await lesson.notebook.settled();
  await lesson.notebook.save();
  await lesson.notebook.command('application:close');
  await told(student, 12);
  const events = classroom
    .everything(student)
    .filter(({ event }) => event !== 'focus');
  expect(inWords(events).sort()).toEqual(
    [
      'start',
      'notebook opened',
      'cell ok two',
      'test passed one',
      'cell ok one',
      'test failed two',
      'cell error two',
      'kernel interrupted',
      'cell interrupted three',
      'notebook saved',
      'notebook closed',
      'end closed'
    ].sort()
  );
  const test = events.find(({ properties: p }) => p['status'] === 'failed');
  expect(test!.properties).toMatchObject({
    ex: 'two',
    ok: false,
    try: 1,
    err: 'AssertionError',
    src: 'lab',
    nb: 'plain'
  });
  const seqs = classroom
    .everything(student)
    .map(({ properties: p }) => Number(p['seq']));
  expect([...seqs].sort((a, b) => a - b)).toEqual(seqs.map((_s, i) => i + 1));
  expect(sessions(student)).toHaveLength(1);
  expect(lesson.watched.errors).toEqual([]);
  await lesson.leave();
});

it('goes on after a reload, and ends with the kernel', async () => {
  const { lesson, student } = await enter({
    one: { source: 'x = 1', metadata: { tags: ['test:one'] } }
  });
  await lesson.notebook.run('one');
  await told(student, 4);
  await lesson.notebook.save();
  await lesson.watched.page.reload();
  await lesson.notebook.ready();
  await lesson.notebook.run('one');
  await lesson.notebook.restartKernel();
  await lesson.notebook.run('one');
  await told(student, 13);
  const events = classroom.everything(student);
  const [first, second, ...more] = sessions(student);
  expect(more).toEqual([]);
  const of = (sess: unknown, event: string) =>
    events
      .filter(one => one.event === event && one.properties['sess'] === sess)
      .map(one => one.properties);
  expect(of(first, 'start')).toHaveLength(1);
  expect(of(first, 'cell')).toMatchObject([{ cell_num: 1 }, { cell_num: 2 }]);
  expect(of(first, 'test')).toMatchObject([{ try: 1 }, { try: 2 }]);
  expect(of(first, 'kernel')).toMatchObject([{ action: 'restarted' }]);
  expect(of(first, 'end')).toMatchObject([{ reason: 'restarted' }]);
  expect(of(second, 'start')).toHaveLength(1);
  expect(of(second, 'cell')).toMatchObject([{ cell_num: 1 }]);
  expect(of(second, 'test')).toMatchObject([{ try: 1 }]);
  await lesson.leave();
});

it('becomes the kernel package’s where that speaks first', async () => {
  jupyter.forgetStudent();
  const lesson = await Lesson.open(
    { classroom, jupyter, browser },
    { one: 'x = 1' }
  );
  await lesson.notebook.run('one');
  await lesson.notebook.run('setup');
  await told(lesson.student, 4);
  expect(sessions(lesson.student)).toHaveLength(1);
  const cells = classroom
    .everything(lesson.student)
    .filter(({ event }) => event === 'cell');
  expect(
    cells.map(({ properties: p }) => [p['nb_cell'], p['cell_num']])
  ).toEqual([
    ['one', null],
    ['setup', 1]
  ]);
  expect(
    classroom
      .everything(lesson.student)
      .filter(({ event }) => event === 'start')
      .map(({ properties: p }) => p['src'])
  ).toEqual(['kernel']);
  await lesson.leave();
});

it('a notebook that nobody marked is nobody’s', async () => {
  const { lesson, student } = await enter({ one: 'x = 1' }, { metadata: {} });
  await lesson.notebook.run('one');
  await lesson.watched.page.waitForTimeout(1500);
  expect(classroom.everything(student)).toEqual([]);
  await lesson.leave();
});

it('time in a cell is told when the student goes on, or looks away', async () => {
  const { lesson, student } = await enter({
    one: { source: '', metadata: { ipynb_telemetry: { exercise: 'e1' } } },
    two: 'y = 2'
  });
  const { page } = lesson.watched;
  const work = async (id: string, ms: number): Promise<void> => {
    const cell = await lesson.notebook.select(id);
    await cell.locator('.cm-content').focus();
    for (let passed = 0; passed < ms; passed += 200) {
      await page.keyboard.press('ArrowRight');
      await page.waitForTimeout(200);
    }
  };
  await work('one', 1600);
  await work('two', 400);
  await work('one', 0);
  await work('two', 1400);
  await page.evaluate(() => {
    Object.defineProperty(document, 'visibilityState', { value: 'hidden' });
    document.dispatchEvent(new Event('visibilitychange'));
  });
  await told(student, 4);
  const focus = classroom
    .everything(student)
    .filter(({ event }) => event === 'focus')
    .map(({ properties: p }) => [p['cell_id'], Number(p['ms'])] as const);
  expect(focus.map(([id]) => id)).toEqual(['e1', 'two']);
  for (const [, ms] of focus) {
    expect(ms).toBeGreaterThan(1300);
    expect(ms).toBeLessThan(6000);
  }
  await lesson.leave();
});

it('a notebook without cell ids has names for its cells that last', async () => {
  const cells = { one: 'import math', two: 'x = 1', three: 'x = 1' };
  const { lesson, student } = await enter(cells, { minor: 4 });
  const run = (index: number) =>
    lesson.watched.page
      .evaluate(
        at =>
          window.jupyterapp.shell.currentWidget!.content.widgets[at]!.model.id,
        index
      )
      .then(id => lesson.notebook.run(id));
  const cellIds = () =>
    classroom
      .everything(student)
      .filter(({ event }) => event === 'cell')
      .map(({ properties: p }) => [p['cell_id'], p['nb_cell']]);
  for (const index of [0, 1, 2]) {
    await run(index);
  }
  await told(student, 5);
  await lesson.watched.page.reload();
  await lesson.notebook.ready();
  for (const index of [0, 1, 2]) {
    await run(index);
  }
  await told(student, 9);
  const names = cellIds().map(([name]) => name);
  expect(names.slice(3)).toEqual(names.slice(0, 3));
  expect(new Set(names).size).toBe(3);
  expect(names[0]).toMatch(/^h-[0-9a-f]{12}$/);
  expect(names[2]).toBe(`${String(names[1])}-2`);
  // The ids themselves do not last, which is why.
  expect(new Set(cellIds().map(([, id]) => id)).size).toBe(6);
  await lesson.leave();
});
