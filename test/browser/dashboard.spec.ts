/** The instructors' page in a real browser, on a real relay. */
import { jest } from '@jest/globals';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import {
  buildEvent,
  type SessionContext,
  type WireEvent
} from '../../src/events/index.js';
import { complaintsOf, launchChromium } from './support/chromium.js';
import { postBatch } from '../support/client.js';
import {
  addCourse,
  makeDataFolder,
  runCli,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { layWire } from '../support/wire.js';

jest.setTimeout(60_000);

const DESK = { width: 1440, height: 900 };

let browser: Browser;
let relay: RelayProcess;
let folder: Awaited<ReturnType<typeof makeDataFolder>>;
/** Keys by course: each test has a course of its own. */
const keys = new Map<string, string>();
const COURSES = ['demo', 'hostile', 'large', 'wire', 'empty', 'reader'];

let context: BrowserContext;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  folder = await makeDataFolder();
  for (const course of COURSES) {
    keys.set(course, await addCourse(folder.data, course));
  }
  relay = await startRelay({ data: folder.data });
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  await relay?.stop();
  await folder?.remove();
});

beforeEach(async () => {
  context = await browser.newContext({ viewport: DESK });
  page = await context.newPage();
  complaints = complaintsOf(page);
});

afterEach(() => context?.close());

/** A link for one login, as `ipynb-telemetry link` prints it, to the given port. */
async function loginLink(port = new URL(relay.url).port): Promise<string> {
  const output = await runCli('link', '--data', folder.data);
  const link = /http:\S+token=\S+/.exec(output)?.[0];
  if (link === undefined) {
    throw new Error(`no link in: ${output}`);
  }
  const url = new URL(link);
  url.hostname = '127.0.0.1';
  url.port = port;
  return url.href;
}

/** Logs in by a link and opens the page of a course. */
async function open(course: string, at = relay.url): Promise<void> {
  await page.goto(await loginLink(new URL(at).port));
  await page.goto(`${at}/?course=${course}`);
  await page.getByText('Live', { exact: true }).waitFor();
}

let made = 0;

function result(
  student: string,
  ex: string,
  ok: boolean,
  context: Partial<SessionContext> = {}
): WireEvent {
  made += 1;
  return buildEvent(
    'test',
    {
      nb: 'intro',
      sess: `s${student}`.slice(0, 8),
      student,
      v: '0.1.0',
      src: 'lab',
      ...context
    },
    { at: new Date(), seq: made },
    { ex, ok, try: 1, ms: 2, err: ok ? null : 'ValueError', cell_id: ex }
  );
}

async function post(course: string, events: WireEvent[]): Promise<void> {
  const response = await postBatch(relay.url, keys.get(course) ?? '', events);
  expect(await response.text()).toContain('"Ok"');
}

/** The grid as a reader hears it: row header, then a cell each. */
function gridText(): Promise<string[][]> {
  return page.$$eval('.grid tbody tr:not(.gap)', rows =>
    rows.map(row => [
      row.querySelector('.name')?.textContent ?? '',
      ...[...row.querySelectorAll('td')].map(
        cell => cell.querySelector('.for-readers')?.textContent ?? ''
      )
    ])
  );
}

async function untilGrid(expected: string[][]): Promise<void> {
  let seen: string[][] = [];
  await waitFor(
    () =>
      `the grid is ${JSON.stringify(expected)}; it is ${JSON.stringify(seen)}`,
    async () => {
      seen = await gridText();
      return JSON.stringify(seen) === JSON.stringify(expected);
    }
  );
}

it('fills as tests pass, without a reload and without a complaint', async () => {
  await open('demo');
  await page.getByText('Nothing has arrived yet').waitFor();
  await page.evaluate(() => document.body.setAttribute('data-same', 'yes'));

  await post('demo', [
    result('BEN-OKRI', 'add', false),
    result('ADA-LOVELACE', 'add', true)
  ]);
  await untilGrid([
    ['ADA-LOVELACE', 'passed, 1 try'],
    ['BEN-OKRI', 'not passed, 1 try, ValueError']
  ]);

  const posted = Date.now();
  await post('demo', [
    result('BEN-OKRI', 'add', true),
    result('BEN-OKRI', 'mean', false, { nb: 'lists' })
  ]);
  await page.locator('tr:has-text("BEN-OKRI") .is-fresh').waitFor();
  const delay = Date.now() - posted;
  process.stdout.write(`post to screen: ${delay} ms\n`);
  expect(delay).toBeLessThan(1000);
  await untilGrid([
    ['ADA-LOVELACE', 'passed, 1 try', 'no result yet'],
    ['BEN-OKRI', 'passed, 2 tries', 'not passed, 1 try, ValueError']
  ]);

  expect(await page.locator('.notebook').allTextContents()).toEqual([
    'intro',
    'lists'
  ]);
  expect(await page.locator('.total').allTextContents()).toEqual([
    '2 of 2',
    '0 of 2'
  ]);
  expect(await page.locator('.coverage').textContent()).toContain(
    '4 events from 2 students in 3 sessions'
  );
  await waitFor('the pass is announced', async () =>
    (await page.locator('[data-live=passes]').textContent())?.includes(
      'BEN-OKRI passed add'
    )
  );
  // The mark of a new pass goes by itself.
  await waitFor(
    'no pass is marked any more',
    async () => (await page.locator('td .is-fresh').count()) === 0,
    20_000
  );

  expect(
    await page.$$eval('.sessions tbody tr', rows =>
      rows.map(row => row.querySelector('th')?.textContent)
    )
  ).toEqual(['BEN-OKRI', 'BEN-OKRI', 'ADA-LOVELACE']);
  expect(await page.getAttribute('body', 'data-same')).toBe('yes');
  expect(complaints).toEqual([]);
});

it('stands under a policy that lets nothing inline run', async () => {
  const response = await page.goto(await loginLink());
  const policy = response?.headers()['content-security-policy'] ?? '';
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toContain('unsafe');
  await page.getByText('Live', { exact: true }).waitFor();
  expect(await page.locator('script:not([src]), style').count()).toBe(0);
  // The policy is the browser's, not only the header's: what is inline does not run.
  await page.evaluate(() => {
    const script = document.createElement('script');
    script.textContent = 'document.title = "run"';
    document.body.append(script);
  });
  expect(await page.title()).not.toBe('run');
  expect(complaints).toEqual([
    expect.stringContaining('Content Security Policy')
  ]);
});

it('shows any name as the text it is', async () => {
  const image = '<img src=x onerror=alert(1)>';
  const long = 'L'.repeat(200);
  await open('hostile');
  await post('hostile', [
    result(image, image, true, { nb: image }),
    result(long, long, false, { nb: long }),
    result('\u202Eabc', '</script><script>alert(1)</script>', true),
    result('__proto__', 'constructor', false),
    result('山田-花子', 'javascript:alert(1)', true)
  ]);
  await waitFor('all are there', async () => (await gridText()).length === 5);

  const names = (await gridText()).map(([name]) => name);
  expect(names).toEqual(
    expect.arrayContaining([image, long, '\u202Eabc', '__proto__', '山田-花子'])
  );
  expect(await page.locator('.exercise').allTextContents()).toEqual(
    expect.arrayContaining([image, long, '</script><script>alert(1)</script>'])
  );
  expect(await page.locator('#page img, #page script, #page a').count()).toBe(
    0
  );
  // Two hundred letters are cut to their column: every row is as high as any other.
  const heights = await page.$$eval('.grid tbody tr', rows => [
    ...new Set(rows.map(row => Math.round(row.getBoundingClientRect().height)))
  ]);
  expect(heights).toHaveLength(1);
  expect(await overflow()).toBe(0);
  expect(complaints).toEqual([]);
});

it('draws a thousand students in part, and every one of them on demand', async () => {
  const name = (i: number): string => `STUDENT-${String(i).padStart(4, '0')}`;
  for (let from = 0; from < 1000; from += 250) {
    await post(
      'large',
      Array.from({ length: 250 }, (_, i) =>
        Array.from({ length: 5 }, (_, e) =>
          result(name(from + i), `ex${e}`, (from + i + e) % 3 > 0)
        )
      ).flat()
    );
  }
  await open('large');
  await waitFor('all have arrived', async () =>
    (await page.locator('.coverage').textContent())?.includes('5,000 events')
  );
  expect(await page.locator('.grid').getAttribute('aria-rowcount')).toBe(
    '1003'
  );
  expect(await page.locator('.grid tbody tr').count()).toBeLessThan(100);
  expect(await page.locator('.total').first().textContent()).toContain(
    'of 1,000'
  );

  // Where the scroll bar says row 500 is, there it is.
  await page.locator('.scroll-both').evaluate(box => {
    box.scrollTop = 500 * 36;
  });
  const top = page.getByRole('rowheader', { name: name(500) });
  await top.waitFor();
  const below = await top.evaluate(
    row =>
      row.getBoundingClientRect().top -
      (document.querySelector('.grid thead')?.getBoundingClientRect().bottom ??
        0)
  );
  expect(Math.abs(below)).toBeLessThan(2);

  // By keys from end to end.
  await page.locator('.grid td[tabindex="0"]').focus();
  await page.keyboard.press('Control+End');
  await waitFor('the last cell has the focus', async () => {
    const at = await page.evaluate(() => {
      const cell = document.activeElement as HTMLElement | null;
      return `${cell?.dataset['row']} ${cell?.dataset['column']}`;
    });
    return at === '999 4';
  });
  expect(await page.locator('.detail').textContent()).toMatch(/passed, 1 try/);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Home');
  expect(
    await page.evaluate(
      () => (document.activeElement as HTMLElement | null)?.dataset['row']
    )
  ).toBe('998');

  await page.getByPlaceholder('Find a student').fill('0737');
  const passed = 'passed, 1 try';
  const failed = 'not passed, 1 try, ValueError';
  await untilGrid([[name(737), passed, failed, passed, passed, failed]]);
  await page.getByPlaceholder('Find a student').fill('');

  // Paper gets them all, at once.
  const printed = await page.evaluate(() => {
    dispatchEvent(new Event('beforeprint'));
    const rows = document.querySelectorAll('.grid tbody tr').length;
    dispatchEvent(new Event('afterprint'));
    return rows;
  });
  expect(printed).toBe(1000);
  expect(complaints).toEqual([]);
});

it('says when it is cut off, comes back by itself, and says when it is signed out', async () => {
  const wire = await layWire(Number(new URL(relay.url).port));
  try {
    await open('wire', `http://127.0.0.1:${wire.port}`);
    await post('wire', [result('ADA-LOVELACE', 'add', false)]);
    await untilGrid([['ADA-LOVELACE', 'not passed, 1 try, ValueError']]);

    wire.cut();
    await page.getByText(/^Reconnecting since \d\d:\d\d$/).waitFor();
    await post('wire', [result('ADA-LOVELACE', 'add', true)]);
    // What is known stays on show.
    expect(await gridText()).toHaveLength(1);
    wire.mend();
    await untilGrid([['ADA-LOVELACE', 'passed, 2 tries']]);
    await page.getByText('Live', { exact: true }).waitFor();

    await context.clearCookies();
    wire.cut();
    wire.mend();
    await page
      .getByText('Signed out', { exact: true })
      .waitFor({ timeout: 20_000 });
    expect(await page.locator('.banner').textContent()).toContain(
      'ipynb-telemetry link'
    );
    await page.reload();
    await page.getByRole('heading', { name: 'Signed out' }).waitFor();
    expect(await gridText()).toHaveLength(0);
  } finally {
    await wire.close();
  }
});

it('is a table to a reader, and moves nothing where motion is unwanted', async () => {
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await open('reader');
  await post('reader', [
    result('ADA-LOVELACE', 'add', false),
    result('BEN-OKRI', 'add', false)
  ]);
  await page.getByRole('columnheader', { name: 'add' }).waitFor();
  await post('reader', [result('ADA-LOVELACE', 'add', true)]);
  const row = page.getByRole('row', { name: 'ADA-LOVELACE' }).first();
  await row.getByRole('cell', { name: 'passed, 2 tries' }).waitFor();
  expect(
    await row
      .getByRole('rowheader', { name: 'ADA-LOVELACE , active now' })
      .count()
  ).toBe(1);
  expect(
    await row.locator('.is-fresh').evaluate(mark => {
      const style = getComputedStyle(mark);
      return [style.animationName, style.outlineStyle];
    })
  ).toEqual(['none', 'solid']);

  // From the keyboard alone: one tab stop, and the cell in hand is explained.
  await page.locator('.grid td[tabindex="0"]').focus();
  expect(await page.locator('.grid td[tabindex="0"]').count()).toBe(1);
  await page.keyboard.press('ArrowDown');
  expect(await page.locator('.detail').textContent()).toBe(
    'not passed, 1 try, ValueError, just now'
  );
  expect(complaints).toEqual([]);
});

it('is dark where the system is, or where that was chosen, also after a reload', async () => {
  await open('empty');
  const ground = (): Promise<string> =>
    page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await ground();
  expect(dark).not.toBe(light);

  await page.getByRole('button', { name: 'Colours: Auto' }).click();
  expect(await ground()).toBe(light);
  await page.getByRole('button', { name: 'Colours: Light' }).click();
  await page.emulateMedia({ colorScheme: 'light' });
  expect(await ground()).toBe(dark);
  await page.reload();
  await page.getByRole('button', { name: 'Colours: Dark' }).waitFor();
  expect(await ground()).toBe(dark);
  expect(complaints).toEqual([]);
});

it('keeps the course in its address, and names one that does not exist', async () => {
  await open('demo');
  await page.getByLabel('Course').selectOption('empty');
  await page.getByText('Nothing has arrived yet').waitFor();
  expect(new URL(page.url()).searchParams.get('course')).toBe('empty');
  await page.reload();
  await page.getByText('Nothing has arrived yet').waitFor();

  await page.goto(`${relay.url}/?course=%3Cb%3E`);
  await page.getByText('No such course').waitFor();
  expect(await page.locator('.notice strong').textContent()).toBe('<b>');
  expect(complaints).toEqual([]);
});

it('fits a phone without scrolling sideways', async () => {
  await page.setViewportSize({ width: 390, height: 844 });
  await post('demo', [
    ...['a', 'b', 'c', 'd', 'e', 'f'].map(ex =>
      result('NIAMH-FITZWILLIAM-ODONOGHUE', ex, true)
    )
  ]);
  await open('demo');
  await page.locator('.grid').waitFor();
  expect(await overflow()).toBe(0);
  // The names stay in sight while the exercises go by.
  await page.locator('.scroll-both').evaluate(box => {
    box.scrollLeft = 200;
  });
  const left = await page
    .locator('.grid .student')
    .first()
    .evaluate(cell => cell.getBoundingClientRect().left);
  expect(left).toBeGreaterThanOrEqual(0);
  expect(complaints).toEqual([]);
});

/** Px by which the page is wider than the window. */
function overflow(): Promise<number> {
  return page.evaluate(
    () =>
      document.documentElement.scrollWidth -
      document.documentElement.clientWidth
  );
}
