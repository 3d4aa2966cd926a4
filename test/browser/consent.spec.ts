/** Consent in a real JupyterLab: what leaves before, after and against an agreement. */
import { jest } from '@jest/globals';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext } from 'playwright-core';
import { waitFor } from '../support/waitFor.js';
import { launchChromium } from './support/chromium.js';
import { Classroom } from './support/classroom.js';
import { ConsentPage, Traffic } from './support/consentPage.js';
import { ROOT, startJupyter, type Jupyter } from './support/jupyter.js';
import { Lesson } from './support/lesson.js';
import { buildOtherExtension } from './support/otherExtension.js';

jest.setTimeout(300_000);

const CELLS = {
  first: 'word = "a-word-that-stays-here"',
  second: '1 + 1',
  third: '2 + 2'
};
const MARKED = {
  plain: true,
  metadata: { ipynb_telemetry: { notebook: 'consent' } }
};
/** Longer than an event takes to arrive. */
const QUIET_MS = 2000;

let browser: Browser;
let asking: Classroom;
let telling: Classroom;
let lab: Jupyter;
let labOfTelling: Jupyter;
let other: Awaited<ReturnType<typeof buildOtherExtension>>;

beforeAll(async () => {
  const notice = ['--contact', 'help@example.org', '--receiver', 'Example U'];
  [asking, telling] = await Promise.all([
    Classroom.open('code', [
      ...['--title', 'Intro to Python', '--consent', 'opt-in'],
      ...['--events', 'default', ...notice],
      ...['--notice-text', 'We look for where the class is stuck.']
    ]),
    Classroom.open('code', ['--title', 'Data 101', ...notice])
  ]);
  other = await buildOtherExtension();
  [lab, labOfTelling, browser] = await Promise.all([
    startJupyter({ app: 'lab', env: asking.env, extensions: [other.folder] }),
    startJupyter({ app: 'lab', env: telling.env }),
    launchChromium()
  ]);
});

beforeEach(() => {
  lab.forgetStudent();
  labOfTelling.forgetStudent();
});

afterAll(async () => {
  await browser?.close();
  await lab?.stop();
  await labOfTelling?.stop();
  await asking?.close();
  await telling?.close();
  other?.remove();
});

interface Visit {
  lesson: Lesson;
  consent: ConsentPage;
  traffic: Traffic;
  context: BrowserContext;
}

/** A student opens a notebook without the kernel package. */
async function visit(
  classroom: Classroom,
  jupyter: Jupyter,
  given?: BrowserContext
): Promise<Visit> {
  const context =
    given ??
    (await browser.newContext({
      viewport: { width: 1280, height: 800 },
      acceptDownloads: true
    }));
  let traffic: Traffic | undefined;
  context.once('page', page => {
    traffic = new Traffic(page);
  });
  const lesson = await Lesson.open({ classroom, jupyter, browser }, CELLS, {
    ...MARKED,
    context
  });
  return {
    lesson,
    consent: new ConsentPage(lesson.watched.page),
    traffic: traffic!,
    context
  };
}

/** Of one student, by name and decision. */
const told = (classroom: Classroom, student: string): string[] =>
  classroom
    .everything(student)
    .map(({ event, properties: p }) =>
      event === 'consent'
        ? `consent ${String(p['action'])} ${String(p['level'])}`
        : event === 'cell'
          ? `cell ${String(p['cell_id'])}`
          : event
    )
    .filter(name => !['notebook', 'focus'].includes(name));

const arrives = (classroom: Classroom, student: string, ...what: string[]) =>
  waitFor(
    () =>
      `${what.join(', ')} of ${student}; there are ${told(classroom, student).join(', ')}`,
    () => what.every(one => told(classroom, student).includes(one))
  );

const complaints = ({ lesson }: Visit): string[] => [
  ...lesson.watched.errors,
  ...lesson.watched.console.filter(line => /ipynb.telemetry/i.test(line))
];

let students = 0;
const newName = (): [string, string] => {
  students += 1;
  return ['Ada', String.fromCharCode(64 + students)];
};

/** Agrees in the dialogue, with a new name; gives the student. */
async function agree({ consent }: Visit): Promise<string> {
  const [first, last] = newName();
  await consent.press(consent.bar, 'Read and decide');
  await consent.fillName(first, last);
  await consent.press(consent.dialog, 'I agree');
  await consent.bar.waitFor({ state: 'detached' });
  return `${first}-${last}`.toUpperCase();
}

describe('a course that asks', () => {
  it('gets nothing before the agreement, everything after it, and goes on after a reload', async () => {
    const v = await visit(asking, lab);
    const { lesson, consent, traffic } = v;
    await consent.bar.waitFor();
    await lesson.notebook.run('first');
    await lesson.notebook.run('second');
    await lesson.notebook.save();
    await consent.press(consent.bar, 'Read and decide');
    await consent.fillName('Canary', 'Name');
    await lesson.watched.page.keyboard.press('Escape');
    await sleep(QUIET_MS);
    // The page asked its own server what the course collects and what was decided. That is all.
    const asked = new Set(
      traffic.asked().map(({ method, route }) => `${method} ${route}`)
    );
    expect([...asked].sort()).toEqual(['GET consent', 'GET course']);
    for (const canary of [
      'a-word-that-stays-here',
      'Canary',
      'CANARY',
      'Name'
    ]) {
      expect(traffic.telling(canary)).toEqual([]);
    }
    expect(asking.posthog.stored()).toEqual([]);

    const student = await agree(v);
    await lesson.notebook.run('third');
    await arrives(asking, student, 'cell third', 'consent given code');
    // What happened before was not kept.
    expect(told(asking, student).sort()).toEqual([
      'cell third',
      'consent given code',
      'start'
    ]);

    await lesson.watched.page.reload();
    await lesson.notebook.ready();
    await consent.status.getByText('Telemetry: recording').waitFor();
    await lesson.notebook.run('second');
    await arrives(asking, student, 'cell second');
    expect(await consent.bar.count()).toBe(0);
    const sessions = asking
      .everything(student)
      .map(({ properties: p }) => p['sess']);
    expect(new Set(sessions).size).toBe(1);
    expect(complaints(v)).toEqual([]);
    await v.context.close();
  });

  it('pauses without keeping, and goes on', async () => {
    const v = await visit(asking, lab);
    const student = await agree(v);
    await v.lesson.notebook.run('first');
    await arrives(asking, student, 'cell first');
    await v.consent.command('ipynb-telemetry:toggle-pause');
    await v.consent.status.getByText('Telemetry: paused').waitFor();
    v.traffic.clear();
    await v.lesson.notebook.run('second');
    await sleep(QUIET_MS);
    expect(v.traffic.batches()).toEqual([]);
    await v.lesson.watched.page.reload();
    await v.lesson.notebook.ready();
    await v.consent.status.getByText('Telemetry: paused').waitFor();
    await v.consent.command('ipynb-telemetry:toggle-pause');
    await v.lesson.notebook.run('third');
    await arrives(asking, student, 'cell third');
    expect(told(asking, student)).not.toContain('cell second');
    await v.context.close();
  });

  it('a withdrawal while events wait: only the word to the course leaves, in all tabs', async () => {
    const v = await visit(asking, lab);
    const student = await agree(v);
    const second = await visit(asking, lab, v.context);
    await second.consent.status.waitFor();
    await v.lesson.notebook.run('first');
    await second.lesson.notebook.run('first');
    await arrives(asking, student, 'cell first', 'start');
    await sleep(QUIET_MS);
    const before = told(asking, student).length;
    const batches = '**/ipynb-telemetry/batch*';
    await v.context.route(batches, route => route.abort());
    for (const { lesson, consent } of [v, second]) {
      await lesson.notebook.run('second');
      await consent.status.getByText(/offline \(\d+ waiting\)/).waitFor();
    }
    v.traffic.clear();
    second.traffic.clear();
    await v.context.unroute(batches);
    await v.consent.command('ipynb-telemetry:withdraw');
    for (const { consent } of [v, second]) {
      await consent.status.getByText('Telemetry: declined').waitFor();
    }
    await arrives(asking, student, 'consent withdrawn code');
    for (const { lesson } of [v, second]) {
      await lesson.notebook.run('third');
    }
    await sleep(QUIET_MS);
    expect(told(asking, student).slice(before)).toEqual([
      'consent withdrawn code'
    ]);
    const later = [...v.traffic.batches(), ...second.traffic.batches()];
    expect(later.flat().filter(name => name !== 'consent')).toEqual([]);

    await v.lesson.watched.page.reload();
    await v.lesson.notebook.ready();
    await v.consent.status.getByText('Telemetry: declined').waitFor();
    await v.lesson.notebook.run('first');
    await sleep(QUIET_MS);
    expect(told(asking, student)).toHaveLength(before + 1);
    expect(complaints(v)).toEqual([]);
    await v.context.close();
  });

  it('takes a no by keyboard alone, and tells nobody', async () => {
    const v = await visit(asking, lab);
    const { consent, lesson, traffic } = v;
    const { page } = lesson.watched;
    await consent.bar.waitFor();
    const stored = asking.posthog.stored().length;
    // From the notebook backwards to the bar, into the dialogue, and by Escape out of it.
    await lesson.notebook.select('first');
    await page.keyboard.press('Escape');
    await consent.tabTo('.jp-ipynbTelemetry-bar button', 'Shift+Tab');
    await waitFor('the first button has the focus', async () => {
      const label = await page.evaluate(
        () => document.activeElement?.textContent
      );
      if (label !== 'Read and decide') {
        await page.keyboard.press('Shift+Tab');
      }
      return label === 'Read and decide';
    });
    await page.keyboard.press('Enter');
    await consent.dialog.waitFor();
    expect(
      await page.evaluate(() => document.activeElement?.className)
    ).toContain('jp-ipynbTelemetry-notice');
    // Enter while reading agrees to nothing.
    await page.keyboard.press('Enter');
    await page.keyboard.press('Escape');
    await consent.dialog.waitFor({ state: 'detached' });
    await consent.status.getByText('waits for your answer').waitFor();
    await page.keyboard.press('Enter');
    await consent.dialog.waitFor();
    await consent.tabTo('.jp-ipynbTelemetry-dialog .jp-Dialog-button');
    await consent.tabTo('.jp-ipynbTelemetry-dialog .jp-Dialog-button');
    expect(await page.evaluate(() => document.activeElement?.textContent)).toBe(
      'No'
    );
    await page.keyboard.press('Enter');
    await consent.status.getByText('Telemetry: declined').waitFor();
    expect(await consent.bar.count()).toBe(0);
    await lesson.notebook.run('first');
    await sleep(QUIET_MS);
    expect(traffic.batches()).toEqual([]);
    expect(asking.posthog.stored()).toHaveLength(stored);
    await v.context.close();
  });

  it('Escape on the bar decides later, and the status item brings the notice back', async () => {
    const v = await visit(asking, lab);
    const { consent } = v;
    const { page } = v.lesson.watched;
    await consent.bar.getByRole('button').first().focus();
    await page.keyboard.press('Escape');
    await consent.bar.waitFor({ state: 'detached' });
    await consent.status.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page
      .locator('.lm-Menu-item', { hasText: 'Telemetry Notice and Decision' })
      .click();
    await consent.dialog.getByText('We look for where the class').waitFor();
    const text = await consent.dialog.innerText();
    for (const part of [
      'Intro to Python asks for your agreement',
      'You run a code cell',
      'your code (500 characters)',
      'Example U',
      '365 days',
      'help@example.org'
    ]) {
      expect(text).toContain(part);
    }
    expect(text).not.toContain('pasted');
    await consent.dialog.getByLabel(/Outcomes only/).check();
    expect(await consent.dialog.innerText()).toContain('no code');
    await consent.fillName(...newName());
    await consent.press(consent.dialog, 'I agree');
    await v.lesson.notebook.run('first');
    const student = `ADA-${String.fromCharCode(64 + students)}`;
    await arrives(asking, student, 'cell first', 'consent given outcomes');
    const [run] = asking
      .everything(student)
      .filter(({ event }) => event === 'cell');
    expect(run!.properties['code']).toBeNull();
    await v.context.close();
  });

  it('another extension captures under the same consent, in the same session', async () => {
    const v = await visit(asking, lab);
    const { consent, lesson } = v;
    await consent.bar.waitFor();
    const open = (hint: string) =>
      consent.command('other-extension:open-hint', { hint });
    const capture = (args: object) =>
      consent.command('ipynb-telemetry:capture', args);
    expect(await open('too early')).toBe(false);
    expect(await capture({ event: 'by_command' })).toBe(false);
    const student = await agree(v);
    await lesson.notebook.run('first');
    expect(await open('loops')).toBe(true);
    expect(
      await capture({
        event: 'by_command',
        properties: { n: 1, sess: 'forged', student: 'SOMEBODY-ELSE' },
        notebook: lesson.file
      })
    ).toBe(true);
    expect(await capture({ event: 'cell' })).toBe(false);
    expect(await capture({ event: 'x', notebook: 'no-such.ipynb' })).toBe(
      false
    );
    await arrives(asking, student, 'cell first', 'hint_opened', 'by_command');
    const events = asking.everything(student);
    const of = (name: string) => events.find(({ event }) => event === name)!;
    expect(of('hint_opened').properties).toMatchObject({
      hint: 'loops',
      nb: 'consent',
      src: 'lab',
      sess: of('cell').properties['sess']
    });
    expect(of('by_command').properties).toMatchObject({
      n: 1,
      student,
      sess: of('cell').properties['sess']
    });
    await consent.command('ipynb-telemetry:withdraw');
    expect(await open('too late')).toBe(false);
    const seen = await lesson.watched.page.evaluate(
      () =>
        (
          window as unknown as {
            otherExtension: {
              states: { consent: string }[];
              refused: { reason: string }[];
            };
          }
        ).otherExtension
    );
    expect(seen.states.map(({ consent: state }) => state)).toEqual([
      'ask',
      'sending',
      'declined'
    ]);
    expect(seen.refused.map(({ reason }) => reason)).toContain(
      'nothing is recorded: ask'
    );
    // One token for both, or the other extension had not started.
    expect(complaints(v)).toEqual([]);
    expect(
      lesson.watched.console.filter(line => /Unsatisfied version/.test(line))
    ).toEqual([]);
    await v.context.close();
  });

  it('the panel shows the actual events, and gives them away as files', async () => {
    const v = await visit(asking, lab);
    const { consent, lesson } = v;
    const { page } = lesson.watched;
    await consent.command('application:toggle-left-area');
    await picture(v, 'consent', async () => {
      await consent.press(consent.bar, 'Read and decide');
      await consent.dialog.waitFor();
    });
    await page.keyboard.press('Escape');
    const student = await agree(v);
    await lesson.notebook.run('first');
    await lesson.notebook.run('second');
    await arrives(asking, student, 'cell second');
    await consent.openPanel();
    await waitFor('the panel lists the events', async () =>
      (await consent.listed()).includes('start')
    );
    const { panel } = consent;
    expect(await panel.innerText()).toContain(
      `Reported to Intro to Python as ${student}.`
    );
    expect(await panel.innerText()).toMatch(/You agreed on .*level code/);
    await lesson.notebook.run('third');
    await panel.getByText('2 + 2').waitFor();

    await panel.getByLabel('Show events named').selectOption('cell');
    expect(new Set(await consent.listed())).toEqual(new Set(['cell']));
    const row = panel.locator('li', { hasText: 'a-word-that-stays-here' });
    await row.locator('summary').focus();
    await page.keyboard.press('Enter');
    const shown = JSON.parse(await row.locator('pre').innerText()) as {
      uuid: string;
      properties: Record<string, unknown>;
    };
    const arrived = asking
      .everything(student)
      .find(({ uuid }) => uuid === shown.uuid)!;
    expect(arrived.properties).toMatchObject(shown.properties);
    expect(shown.properties['code']).toBe(CELLS.first);
    await picture(v, 'panel', async () => undefined);

    const [json] = await Promise.all([
      page.waitForEvent('download'),
      consent.press(panel, 'Save as JSON')
    ]);
    const file = JSON.parse(readFileSync(await json.path(), 'utf8')) as {
      events: { uuid: string }[];
    };
    expect(file.events.map(({ uuid }) => uuid).sort()).toEqual(
      asking
        .everything(student)
        .map(({ uuid }) => uuid)
        .sort()
    );
    const [csv] = await Promise.all([
      page.waitForEvent('download'),
      consent.press(panel, 'Save as CSV')
    ]);
    expect(readFileSync(await csv.path(), 'utf8')).toContain(
      'a-word-that-stays-here'
    );

    await consent.press(panel, 'Delete what is kept here');
    await page
      .locator('.jp-Dialog')
      .getByRole('button', { name: 'Delete', exact: true })
      .click();
    await panel.getByText('Deleted.', { exact: true }).waitFor();
    await panel.getByText('Nothing has been sent, or waits.').waitFor();
    await consent.bar.waitFor();
    expect(complaints(v)).toEqual([]);
    await v.context.close();
  });

  it('a new notice asks again, and nothing leaves until then', async () => {
    const v = await visit(asking, lab);
    const student = await agree(v);
    await v.lesson.notebook.run('first');
    await arrives(asking, student, 'cell first');
    await asking.set('--notice-text', 'Now we look for something else.');
    await waitFor(
      'the page asks again',
      async () => {
        await v.lesson.watched.page.reload();
        await v.lesson.notebook.ready();
        await v.consent.status
          .getByText(/recording|waits for your answer/)
          .waitFor();
        return (await v.consent.bar.count()) > 0;
      },
      60_000
    );
    expect(await v.consent.bar.innerText()).toContain('again');
    v.traffic.clear();
    await v.lesson.notebook.run('second');
    await sleep(QUIET_MS);
    expect(v.traffic.batches()).toEqual([]);
    await v.consent.press(v.consent.bar, 'I agree');
    await v.lesson.notebook.run('third');
    await arrives(asking, student, 'cell third');
    expect(told(asking, student)).not.toContain('cell second');
    await v.context.close();
  });
});

describe('with the kernel package', () => {
  const open = async (): Promise<Visit> => {
    const context = await browser.newContext();
    let traffic: Traffic | undefined;
    context.once('page', page => {
      traffic = new Traffic(page);
    });
    const place = { classroom: asking, jupyter: lab, browser };
    const cells = {
      ...CELLS,
      stop: 'import ipynb_telemetry; ipynb_telemetry.decline()'
    };
    const lesson = await Lesson.open(place, cells, { context });
    const consent = new ConsentPage(lesson.watched.page);
    return { lesson, consent, context, traffic: traffic! };
  };

  it('the page asks for the kernel too, and neither sends before', async () => {
    const v = await open();
    const { lesson, consent, traffic } = v;
    const { student } = lesson;
    await lesson.notebook.run('setup');
    await lesson.notebook.run('first');
    await sleep(2 * QUIET_MS);
    expect(told(asking, student)).toEqual([]);
    expect(traffic.batches()).toEqual([]);
    // The setup cell named the student: nobody is asked for it.
    await consent.press(consent.bar, 'I agree');
    await consent.bar.waitFor({ state: 'detached' });
    await lesson.notebook.run('second');
    await arrives(asking, student, 'cell second', 'consent given code');
    expect(told(asking, student)).not.toContain('cell first');
    await v.context.close();
  });

  it('a no in a cell stops the page at once', async () => {
    const v = await open();
    const { lesson, consent } = v;
    const { student } = lesson;
    await lesson.notebook.run('setup');
    await consent.press(consent.bar, 'I agree');
    await lesson.notebook.run('second');
    await arrives(asking, student, 'cell second');
    await lesson.notebook.run('stop');
    await consent.status.getByText('Telemetry: declined').waitFor();
    await arrives(asking, student, 'consent withdrawn code');
    await lesson.notebook.run('third');
    await sleep(QUIET_MS);
    const said = told(asking, student);
    expect(said).not.toContain('cell third');
    expect(
      said.filter(one => one.startsWith('consent withdrawn'))
    ).toHaveLength(1);
    await v.context.close();
  });
});

describe('in Notebook 7', () => {
  it('asks, records after the agreement, shows the events, and stops', async () => {
    const notebook7 = await startJupyter({ app: 'notebook', env: asking.env });
    try {
      const v = await visit(asking, notebook7);
      const { consent, lesson, traffic } = v;
      const { page } = lesson.watched;
      await consent.status.getByText('waits for your answer').waitFor();
      await lesson.notebook.run('first');
      await sleep(QUIET_MS);
      expect(traffic.batches()).toEqual([]);
      const student = await agree(v);
      await lesson.notebook.run('second');
      await arrives(asking, student, 'cell second', 'consent given code');
      await consent.status.getByText('Telemetry: recording').waitFor();
      await consent.status.click();
      await page
        .locator('.lm-Menu-item', { hasText: 'What Has Been Sent About Me' })
        .click();
      await waitFor('the panel lists the events', async () =>
        (await consent.listed()).includes('cell')
      );
      await consent.press(consent.panel, 'Withdraw');
      await consent.status.getByText('Telemetry: declined').waitFor();
      await arrives(asking, student, 'consent withdrawn code');
      await lesson.notebook.run('third');
      await sleep(QUIET_MS);
      expect(told(asking, student)).not.toContain('cell third');
      await v.context.close();
    } finally {
      await notebook7.stop();
    }
  });
});

describe('a course that informs', () => {
  it('shows its notice once, sends meanwhile, and tells nobody of the OK', async () => {
    labOfTelling.rememberStudent('GRACE-HOPPER');
    const v = await visit(telling, labOfTelling);
    await v.consent.bar.getByText('“Data 101” records').waitFor();
    await v.lesson.notebook.run('first');
    await arrives(telling, 'GRACE-HOPPER', 'cell first');
    await v.consent.press(v.consent.bar, 'OK');
    await v.consent.bar.waitFor({ state: 'detached' });
    await v.lesson.watched.page.reload();
    await v.lesson.notebook.ready();
    await v.consent.status.getByText('Telemetry: recording').waitFor();
    await v.lesson.notebook.run('second');
    await arrives(telling, 'GRACE-HOPPER', 'cell second');
    expect(await v.consent.bar.count()).toBe(0);
    expect(told(telling, 'GRACE-HOPPER').join()).not.toContain('consent');
    await v.context.close();
  });

  it('stops at once, and says so', async () => {
    labOfTelling.rememberStudent('ALAN-TURING');
    const v = await visit(telling, labOfTelling);
    await v.lesson.notebook.run('first');
    await arrives(telling, 'ALAN-TURING', 'cell first');
    await v.consent.press(v.consent.bar, 'Stop recording');
    await arrives(telling, 'ALAN-TURING', 'consent withdrawn code');
    await v.lesson.notebook.run('second');
    await sleep(QUIET_MS);
    expect(told(telling, 'ALAN-TURING').at(-1)).toBe('consent withdrawn code');
    await v.context.close();
  });

  it('heeds the student’s own settings at once', async () => {
    labOfTelling.rememberStudent('MARY-SOMERVILLE');
    const v = await visit(telling, labOfTelling);
    await v.lesson.notebook.run('first');
    await arrives(telling, 'MARY-SOMERVILLE', 'cell first');
    const set = (settings: object) =>
      v.lesson.watched.page.evaluate(
        async ([url, token, raw]) => {
          const answer = await fetch(
            `${url}/lab/api/settings/ipynb-telemetry:plugin`,
            {
              method: 'PUT',
              headers: { Authorization: `token ${token}` },
              body: JSON.stringify({ raw })
            }
          );
          return answer.status;
        },
        [
          labOfTelling.url,
          labOfTelling.token,
          JSON.stringify(settings)
        ] as const
      );
    expect(
      await set({
        level: 'outcomes',
        withhold: ['notebook'],
        showStatus: false
      })
    ).toBe(204);
    await v.lesson.watched.page.reload();
    await v.lesson.notebook.ready();
    await v.lesson.notebook.run('second');
    await arrives(telling, 'MARY-SOMERVILLE', 'cell second');
    const events = telling.everything('MARY-SOMERVILLE');
    const run = events.find(
      ({ event, properties: p }) =>
        event === 'cell' && p['cell_id'] === 'second'
    );
    expect(run!.properties['code']).toBeNull();
    await v.consent.status.waitFor({ state: 'hidden' });
    expect(await set({})).toBe(204);
    await v.context.close();
  });
});

/** A picture in both themes: for the documentation with UPDATE_IMAGES=1, else for whoever wants to look. */
async function picture(
  { consent, lesson }: Visit,
  name: string,
  prepare: () => Promise<void>
): Promise<void> {
  const { page } = lesson.watched;
  const folder = process.env['UPDATE_IMAGES'] ? 'docs/images' : 'test-results';
  mkdirSync(join(ROOT, 'test-results'), { recursive: true });
  const show = async (theme: string, path: string): Promise<void> => {
    await consent.command('apputils:change-theme', {
      theme: `JupyterLab ${theme}`
    });
    await page
      .locator(`body[data-jp-theme-light="${theme === 'Light'}"]`)
      .waitFor({ state: 'attached' });
    await page.locator('#jupyterlab-splash').waitFor({ state: 'detached' });
    await page.screenshot({ path: join(ROOT, path) });
  };
  await prepare();
  await show('Dark', `test-results/${name}-dark.png`);
  await show('Light', `${folder}/${name}.png`);
}
