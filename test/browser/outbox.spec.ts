/** The outbox in a real browser: its database, its tabs, its locks, and everything that can happen to them. */
import { jest } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import type { JournalEntry } from '../../src/lab/journal.js';
import type { QueuedEvent, StoreLimits } from '../../src/lab/store.js';
import { describeStore, type StoreDriver } from '../lab/storeConformance.js';
import { waitFor } from '../support/waitFor.js';
import { Receiver } from './outbox/receiver.js';
import { launchChromium, openPage } from './support/chromium.js';
import { startKillable } from './support/killable.js';

jest.setTimeout(process.env['LONG'] === '1' ? 600_000 : 60_000);

/** Interleavings played; LONG=1 plays many. */
const RUNS = process.env['LONG'] === '1' ? 400 : 25;

let receiver: Receiver;
let browser: Browser;
let context: BrowserContext;

beforeAll(async () => {
  receiver = await Receiver.start();
  browser = await launchChromium();
});

beforeEach(async () => {
  receiver.weather = 'open';
  receiver.taken.length = 0;
  // Databases and locks of its own.
  context = await browser.newContext();
});

afterEach(async () => {
  await context?.close();
});

afterAll(async () => {
  await browser?.close();
  await receiver?.close();
});

/** A page with the modules; what it complains of. */
async function open(
  on: BrowserContext = context
): Promise<{ page: Page; console: string[] }> {
  const { page, console, errors } = await openPage(on);
  page.on('pageerror', error => console.push(`uncaught: ${error.message}`));
  await page.goto(receiver.url);
  expect(errors).toEqual([]);
  return { page, console };
}

/** Starts an outbox as the recorder does. */
async function openOutbox(page: Page, course = 'demo'): Promise<void> {
  await page.evaluate(async course => {
    bench.outbox = await bench.openOutbox(course);
  }, course);
}

async function add(page: Page, uuids: string[], sess = 's'): Promise<void> {
  await page.evaluate(
    ({ uuids, sess }) =>
      uuids.forEach(uuid => bench.outbox!.add([bench.event(uuid, sess)])),
    { uuids, sess }
  );
}

/** Everything that was added is numbered and written. */
async function written(page: Page): Promise<string[]> {
  return page.evaluate(async () =>
    (await bench.outbox!.waiting(Infinity)).map(event => event.uuid)
  );
}

const arrived = (...uuids: string[]) => {
  const missing = () => uuids.filter(uuid => !receiver.uuids.includes(uuid));
  return waitFor(
    () => `all arrive; ${missing().join(', ')} did not`,
    () => missing().length === 0,
    20_000
  );
};

/** Numbers of the events that arrived, each event once, in order. */
function numbersOf(sess = 's'): number[] {
  const numbers = new Map<string, number>();
  for (const { uuid, properties } of receiver.taken) {
    if (properties['sess'] === sess) {
      const seq = properties['seq'] as number;
      expect(numbers.get(uuid!) ?? seq).toBe(seq);
      numbers.set(uuid!, seq);
    }
  }
  return [...numbers.values()].sort((a, b) => a - b);
}

const upTo = (last: number) => Array.from({ length: last }, (_, i) => i + 1);

let databases = 0;

describeStore('in IndexedDB', async limits => {
  const { page } = await open();
  databases += 1;
  const name = `store ${databases}`;
  await page.evaluate(
    ({ name, limits }) => {
      const options = limits ? { limits } : {};
      bench.tabs.set('one', new bench.OwnTab(name, options));
    },
    { name, limits: limits ?? null } as {
      name: string;
      limits: StoreLimits | null;
    }
  );
  return driverIn(page, 'one');
});

/** Drives a store of the page. */
function driverIn(page: Page, tab: string): StoreDriver {
  type Store = ReturnType<typeof globalThis.bench.stores.get>;
  const run = <T>(
    action: (store: NonNullable<Store>, args: never[]) => T | Promise<T>,
    ...args: unknown[]
  ): Promise<T> =>
    page.evaluate(
      `(${action.toString()})(bench.tabs.get(${JSON.stringify(tab)}).store, ${encode(args)})`
    );
  return {
    add: events =>
      run(async (store, [events]) => {
        store.add(events!);
        await store.waiting(1);
      }, events),
    next: (...args) =>
      run(
        (store, [maxEvents, maxBytes, except]) =>
          store.next(maxEvents!, maxBytes!, new Set(except)),
        ...args
      ),
    remove: (...args) =>
      run((store, [uuids, fate]) => store.remove(uuids!, fate!), ...args),
    state: () => run(store => ({ size: store.size, dropped: store.dropped })),
    countsOf: sess => run((store, [sess]) => store.countsOf(sess!), sess),
    waiting: max => run((store, [max]) => store.waiting(max!), max),
    clear: keep =>
      run((store, [keep]) => store.clear(event => event.event === keep), keep),
    note: (...args) =>
      run(
        (store, [events, by, outcome]) =>
          store.journal.add(events!, by!, outcome),
        ...args
      ),
    notes: max =>
      run<JournalEntry[]>((store, [max]) => store.journal.list(max!), max),
    clearNotes: () => run(store => store.journal.clear())
  };
}

/** JSON knows no infinity. */
const encode = (args: unknown[]) =>
  `[${args.map(arg => (arg === Infinity ? 'Infinity' : (JSON.stringify(arg) ?? 'undefined'))).join()}]`;

describe('numbers', () => {
  it('are given once by two tabs that share a session, all at the same time', async () => {
    const tabs = [await open(), await open()];
    await Promise.all(tabs.map(({ page }) => openOutbox(page)));
    await Promise.all(
      tabs.map(({ page }, tab) =>
        page.evaluate(async tab => {
          for (let i = 0; i < 150; i += 1) {
            bench.outbox!.add([bench.event(`${tab}-${i}`)]);
            if (i % 5 === 0) {
              await new Promise(resolve => setTimeout(resolve, 1));
            }
          }
        }, tab)
      )
    );
    await waitFor('all arrive', () => receiver.taken.length >= 300, 20_000);
    expect(receiver.taken).toHaveLength(300);
    expect(numbersOf()).toEqual(upTo(300));
  });

  it('are given once while tabs that share a session come and go', async () => {
    const keeper = await open();
    await openOutbox(keeper.page);
    for (let tab = 0; tab < 5; tab += 1) {
      const { page } = await open();
      await openOutbox(page);
      await Promise.all([
        add(page, [`${tab}-first`]),
        add(keeper.page, [`${tab}-beside`])
      ]);
      await arrived(`${tab}-first`, `${tab}-beside`);
      await page.evaluate(tab => {
        addEventListener(
          'pagehide',
          () => bench.outbox!.add([bench.event(`${tab}-last`)]),
          { capture: true }
        );
        bench.outbox!.add([bench.event(`${tab}-middle`)]);
      }, tab);
      await page.goto('about:blank');
      await page.close();
      await add(keeper.page, [`${tab}-after`]);
      await arrived(`${tab}-last`, `${tab}-after`);
    }
    const uuids = new Set(receiver.uuids);
    expect(uuids.size).toBe(25);
    expect(numbersOf()).toEqual(upTo(25));
  });

  it('go on from what a page gave as it ended, even if its database was too slow', async () => {
    const { page } = await open();
    await openOutbox(page);
    await add(page, ['a']);
    await arrived('a');
    receiver.weather = 'shut';
    await page.evaluate(() => {
      // As it is while other tabs keep the database busy.
      const transaction = IDBDatabase.prototype.transaction;
      addEventListener(
        'pagehide',
        () => {
          IDBDatabase.prototype.transaction = function (...args) {
            const tx = transaction.apply(this, args);
            tx.commit = () => tx.abort();
            return tx;
          };
          bench.outbox!.add([bench.event('b'), bench.event('c')]);
        },
        { capture: true }
      );
    });
    await page.reload();
    await openOutbox(page);
    await add(page, ['d']);
    receiver.weather = 'open';
    await arrived('a', 'b', 'c', 'd');
    expect(numbersOf()).toEqual([1, 2, 3, 4]);
    expect(await page.evaluate(() => localStorage.length)).toBe(0);
  });

  it('go on after a reload, with what became of the session', async () => {
    const { page } = await open();
    await openOutbox(page);
    await add(page, ['a', 'b']);
    await add(page, ['x'], 't');
    await arrived('a', 'b', 'x');
    await waitFor('the answers are noted', () => isIdle(page));
    await page.reload();
    await openOutbox(page);
    await add(page, ['c']);
    await arrived('c');
    expect(numbersOf()).toEqual([1, 2, 3]);
    await waitFor('the answer is noted', () => isIdle(page));
    expect(await page.evaluate(() => bench.outbox!.countsOf('s'))).toEqual({
      made: 3,
      delivered: 3,
      dropped: 0
    });
  });
});

it('keeps every event once and gives every number once, whatever tabs do in whichever order', async () => {
  const { page } = await open();
  expect(
    await page.evaluate(runs => bench.checkInterleavings(runs), RUNS)
  ).toBe('');
});

describe('what was added', () => {
  it('arrives once, although tabs are closed, left and reloaded in all ways', async () => {
    const uuids: string[] = [];
    let { page } = await open();
    for (const way of ['reload', 'leave', 'close', 'close at once']) {
      await openOutbox(page);
      await add(page, [`${way} 1`]);
      if (way !== 'close at once') {
        await arrived(`${way} 1`);
      }
      await page.evaluate(way => {
        const last = (name: string) =>
          bench.outbox!.add([bench.event(`${way} ${name}`)]);
        // As the recorder hears of it: before the outbox.
        addEventListener('pagehide', () => last('hidden'), { capture: true });
        last('just before');
      }, way);
      if (way === 'reload') {
        await page.reload();
      } else if (way === 'leave') {
        await page.goto(`${receiver.url}elsewhere`);
      } else {
        await page.close({ runBeforeUnload: way === 'close' });
        ({ page } = await open());
      }
      uuids.push(`${way} 1`, `${way} just before`);
      if (way !== 'close at once') {
        uuids.push(`${way} hidden`);
        // Not with the next page's outbox: by requests that outlived theirs.
        await arrived(...uuids);
      }
    }
    await openOutbox(page);
    await arrived(...uuids);
    const [...fresh] = new Set(receiver.uuids);
    expect(numbersOf()).toEqual(upTo(fresh.length));
  });

  it('survives the browser’s sudden end right after it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-profile-'));
    try {
      receiver.weather = 'shut';
      let killable = await startKillable(folder);
      const uuids: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        const { page } = await open(killable.context);
        await openOutbox(page);
        await waitFor('the page is ready', () => isIdle(page, false));
        await page.evaluate(round => {
          bench.outbox!.add([bench.event(`${round} early`)]);
        }, round);
        await sleep(100);
        // The answer to this call is the last thing the browser does.
        await page.evaluate(async round => {
          bench.outbox!.add([bench.event(`${round} late`)]);
          await bench.outbox!.waiting(1);
        }, round);
        await killable.kill();
        uuids.push(`${round} early`, `${round} late`);
        killable = await startKillable(folder);
      }
      expect(receiver.taken).toEqual([]);
      receiver.weather = 'open';
      const { page } = await open(killable.context);
      await openOutbox(page);
      await arrived(...uuids);
      expect(receiver.uuids).toHaveLength(uuids.length);
      expect(numbersOf()).toEqual(upTo(uuids.length));
      await killable.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('is sent by another tab once its own is gone, and not before', async () => {
    receiver.weather = 'busy';
    const one = await open();
    const other = await open();
    await openOutbox(one.page);
    await openOutbox(other.page);
    await add(one.page, ['a', 'b']);
    await written(one.page);
    await care(other.page);
    expect(await written(other.page)).toEqual([]);
    await one.page.close();
    await waitFor('it is adopted', async () => {
      await care(other.page);
      return (await written(other.page)).length === 2;
    });
    receiver.weather = 'open';
    await arrived('a', 'b');
    expect(receiver.uuids).toEqual(['a', 'b']);
  });

  it('is adopted by one of many tabs that look at the same time', async () => {
    receiver.weather = 'busy';
    const first = await open();
    await openOutbox(first.page);
    await add(
      first.page,
      upTo(600).map(i => `e${i}`)
    );
    await written(first.page);
    await first.page.close();
    receiver.weather = 'open';
    const pages = await Promise.all([1, 2, 3].map(() => open()));
    await Promise.all(pages.map(({ page }) => openOutbox(page)));
    await waitFor('all arrive', () => receiver.taken.length >= 600, 20_000);
    await sleep(300);
    expect(receiver.taken).toHaveLength(600);
    expect(numbersOf()).toEqual(upTo(600));
  });

  it('waits for its own course and server', async () => {
    receiver.weather = 'busy';
    const { page } = await open();
    await openOutbox(page, 'course A');
    await add(page, ['a']);
    await written(page);
    await page.reload();
    receiver.weather = 'open';
    await openOutbox(page, 'course B');
    await add(page, ['b']);
    await arrived('b');
    await page.reload();
    await page.evaluate(async () => {
      const other = `${location.origin}/user/other/`;
      bench.outbox = await bench.openOutbox('course A', other);
    });
    await add(page, ['c']);
    await arrived('c');
    expect(receiver.uuids).toEqual(['b', 'c']);
    await page.reload();
    await openOutbox(page, 'course A');
    await arrived('a');
    expect(receiver.uuids).toEqual(['b', 'c', 'a']);
  });

  it('is given up after a month if nobody came for it, and that is counted', async () => {
    const { page } = await open();
    const counts = await page.evaluate(async () => {
      const tab = () => new bench.OwnTab('aged', { dest: 'A' });
      const first = tab();
      first.store.add([bench.event('a'), bench.event('b')]);
      await first.store.waiting(9);
      first.end();
      const month = 30 * 24 * 3600 * 1000;
      const now = Date.now();
      Date.now = () => now + month + 60_000;
      const other = new bench.OwnTab('aged', { dest: 'B' });
      other.store.add([bench.event('c')]);
      await other.store.waiting(9);
      await other.store.care();
      const back = tab();
      const waiting = await back.store.waiting(9);
      return {
        waiting,
        others: (await other.store.waiting(9)).map(one => one.uuid),
        counts: back.store.countsOf('s')
      };
    });
    expect(counts).toEqual({
      waiting: [],
      others: ['c'],
      counts: { made: 2, delivered: 0, dropped: 2 }
    });
  });
});

describe('without Web Locks', () => {
  beforeEach(async () => {
    await context.addInitScript(() => {
      Object.defineProperty(navigator, 'locks', { value: undefined });
    });
  });

  it('a reload goes on at once, and two tabs stay apart', async () => {
    receiver.weather = 'busy';
    const one = await open();
    const other = await open();
    await openOutbox(one.page);
    await add(one.page, ['a']);
    await written(one.page);
    await openOutbox(other.page);
    await care(other.page);
    expect(await written(other.page)).toEqual([]);
    await one.page.reload();
    await openOutbox(one.page);
    expect(await written(one.page)).toEqual(['a']);
    receiver.weather = 'open';
    await arrived('a');
  });

  it('a silent tab is taken for dead, and goes on as a new one if it was not', async () => {
    const { page } = await open();
    const found = await page.evaluate(async () => {
      const sleep = (ms: number) =>
        new Promise(resolve => setTimeout(resolve, ms));
      const beat = { beatMs: 50, silenceMs: 1000 };
      const one = new bench.OwnTab('beats', { beat });
      const former = one.tabs.id;
      one.store.add([bench.event('a')]);
      await one.store.waiting(9);
      const other = new bench.OwnTab('beats', { beat });
      const before = await other.store.waiting(9);
      // As frozen by the browser: no timer runs.
      const { open } = one.connection;
      one.connection.open = () => new Promise(() => {});
      await sleep(1300);
      await other.store.care();
      const adopted = await other.store.waiting(9);
      one.connection.open = open;
      // It wakes.
      const now = Date.now;
      (one.tabs as unknown as { _lastBeat: number })._lastBeat = 0;
      await sleep(200);
      Date.now = now;
      one.store.add([bench.event('b')]);
      const left = await one.store.waiting(9);
      return {
        before: before.length,
        adopted: adopted.map(one => one.uuid),
        left: left.map(one => [one.uuid, one.properties['seq']]),
        isNew: former !== one.tabs.id
      };
    });
    expect(found).toEqual({
      before: 0,
      adopted: ['a'],
      left: [['b', 2]],
      isNew: true
    });
  });
});

describe('cleared', () => {
  it('nothing arrives any more, neither what was under way nor what tabs left behind', async () => {
    receiver.weather = 'busy';
    const former = await open();
    await openOutbox(former.page);
    await add(former.page, ['left behind']);
    await written(former.page);
    await former.page.close();
    const { page } = await open();
    await openOutbox(page);
    await page.evaluate(() => bench.outbox!.pause());
    receiver.weather = 'slow';
    await add(
      page,
      upTo(500).map(i => `e${i}`)
    );
    await page.evaluate(() => bench.outbox!.resume());
    await waitFor('a request is under way', () => receiver.taken.length > 0);
    const cleared = await page.evaluate(() => bench.outbox!.clear());
    const { attempts, uuids } = receiver;
    expect(cleared).toBe(501);
    receiver.weather = 'open';
    await page.evaluate(() => {
      bench.outbox!.add([bench.event('withdrawn', 's', 'consent')]);
    });
    await arrived('withdrawn');
    await waitFor('the answer is noted', () => isIdle(page));
    await page.reload();
    await openOutbox(page);
    expect(await written(page)).toEqual([]);
    await sleep(300);
    expect(receiver.attempts).toBe(attempts + 1);
    expect(receiver.uuids).toEqual([...uuids, 'withdrawn']);
  });
});

describe('where the database fails', () => {
  it('a browser that forbids it delivers from memory', async () => {
    await context.addInitScript(() => {
      Object.defineProperty(globalThis, 'indexedDB', {
        get: () => {
          throw new DOMException('forbidden', 'SecurityError');
        }
      });
    });
    const { page, console } = await open();
    await openOutbox(page);
    await add(page, ['a']);
    await arrived('a');
    expect(numbersOf()).toEqual([1]);
    expect(console).toEqual([]);
  });

  it('one that cannot be opened is said once, and everything is delivered', async () => {
    await context.addInitScript(() => {
      IDBFactory.prototype.open = () => {
        throw new DOMException('no', 'UnknownError');
      };
    });
    const { page, console } = await open();
    await openOutbox(page);
    await add(page, ['a', 'b']);
    await arrived('a', 'b');
    await add(page, ['c']);
    await arrived('c');
    await care(page);
    expect(numbersOf()).toEqual([1, 2, 3]);
    expect(receiver.taken).toHaveLength(3);
    expect(console).toEqual([
      expect.stringContaining('opening the browser’s database failed')
    ]);
  });

  it('one that does not answer holds up nothing for long', async () => {
    const blocker = await open();
    await blocker.page.evaluate(async () => {
      await new Promise(resolve => {
        const request = indexedDB.open('ipynb-telemetry', 1);
        request.onsuccess = resolve;
      });
      // Waits for the connection above, and all others wait for it.
      indexedDB.deleteDatabase('ipynb-telemetry');
    });
    const { page, console } = await open();
    await openOutbox(page);
    await add(page, ['a']);
    await arrived('a');
    expect(console).toHaveLength(1);
    await blocker.page.close();
    await waitFor('the database is there after all', () =>
      page.evaluate(async () => {
        const [one] = await indexedDB.databases();
        return one?.name === 'ipynb-telemetry' && one.version === 1;
      })
    );
  });

  it('one that is full loses nothing while the page is open', async () => {
    const { page, console } = await open();
    receiver.weather = 'busy';
    const devtools = await context.newCDPSession(page);
    const origin = new URL(receiver.url).origin;
    await devtools.send('Storage.overrideQuotaForOrigin', {
      origin,
      quotaSize: 1
    });
    await openOutbox(page);
    await add(page, ['a']);
    await written(page);
    await add(
      page,
      upTo(50).map(i => `e${i}`)
    );
    await page.evaluate(() =>
      bench.outbox!.add([bench.event('large', 's', 'cell', 50_000)])
    );
    expect(await written(page)).toHaveLength(52);
    await page.evaluate(() => bench.outbox!.flushBeforeHide());
    expect(console.filter(line => line.includes('ipynb'))).toEqual([
      expect.stringContaining('keeping events failed')
    ]);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin });
    await care(page);
    await page.reload();
    await openOutbox(page);
    expect(await written(page)).toHaveLength(52);
    receiver.weather = 'open';
    await arrived('a', 'e1', 'e50', 'large');
    expect(numbersOf()).toEqual(upTo(52));
  });

  it('one that the browser clears or another page deletes is written again', async () => {
    const { page } = await open();
    receiver.weather = 'busy';
    await openOutbox(page);
    await add(page, ['a', 'b']);
    await written(page);
    const devtools = await context.newCDPSession(page);
    const origin = new URL(receiver.url).origin;
    await devtools.send('Storage.clearDataForOrigin', {
      origin,
      storageTypes: 'indexeddb'
    });
    await kept(page, ['a', 'b']);
    await add(page, ['c']);
    await kept(page, ['a', 'b', 'c']);
    const { page: other } = await open();
    await other.evaluate(
      () =>
        new Promise(resolve => {
          const request = indexedDB.deleteDatabase('ipynb-telemetry');
          request.onsuccess = resolve;
        })
    );
    await kept(page, ['a', 'b', 'c']);
    await page.reload();
    await openOutbox(page);
    receiver.weather = 'open';
    await add(page, ['d']);
    await arrived('a', 'b', 'c', 'd');
    expect(numbersOf()).toEqual(upTo(4));
  });

  it('one of a later version of this page is left alone', async () => {
    const { page, console } = await open();
    await openOutbox(page);
    await add(page, ['a']);
    await arrived('a');
    await page.evaluate(
      () =>
        new Promise(resolve => {
          const request = indexedDB.open('ipynb-telemetry', 2);
          request.onsuccess = resolve;
        })
    );
    await add(page, ['b']);
    await arrived('b');
    expect(numbersOf()).toEqual([1, 2]);
    expect(console.filter(line => line.includes('ipynb'))).toHaveLength(1);
  });

  it('an entry that is damaged is given up, and the others arrive', async () => {
    const { page } = await open();
    receiver.weather = 'busy';
    await openOutbox(page);
    await add(page, ['a', 'b', 'c', 'd']);
    await written(page);
    await page.evaluate(async () => {
      const database = await new Promise<IDBDatabase>(resolve => {
        const request = indexedDB.open('ipynb-telemetry');
        request.onsuccess = () => resolve(request.result);
      });
      const tx = database.transaction('events', 'readwrite');
      const events = tx.objectStore('events');
      const keys = await new Promise<IDBValidKey[]>(resolve => {
        const request = events.getAllKeys();
        request.onsuccess = () => resolve(request.result);
      });
      events.put('{"event":"cel', keys[0]!);
      events.put({ uuid: 'b' }, keys[1]!);
      events.put('{"event":"cell","properties":null}', keys[2]!);
      tx.commit();
      await new Promise(resolve => (tx.oncomplete = resolve));
      database.close();
    });
    receiver.weather = 'open';
    await page.goto('about:blank');
    await page.goto(receiver.url);
    receiver.taken.length = 0;
    await openOutbox(page);
    await arrived('d');
    expect(receiver.uuids).toEqual(['d']);
    await kept(page, []);
  });
});

it('keeps the order of adding and delivers a day’s work in one go', async () => {
  receiver.weather = 'shut';
  const { page } = await open();
  await openOutbox(page);
  const uuids = upTo(5000).map(i => `e${i}`);
  await add(page, uuids);
  await written(page);
  await page.reload();
  receiver.weather = 'open';
  await openOutbox(page);
  await waitFor('all arrive', () => receiver.taken.length >= 5000, 30_000);
  expect(receiver.uuids).toEqual(uuids);
  const listed = await page.evaluate(() => bench.outbox!.journal.list(1e9));
  expect(listed.length).toBeGreaterThanOrEqual(2000);
  expect(listed[0]!.event.uuid).toBe('e5000');
});

it('costs the page little', async () => {
  const { page } = await open();
  await openOutbox(page);
  const micros = await page.evaluate(async () => {
    const taken: number[] = [];
    for (let i = 0; i < 200; i += 1) {
      const event = bench.event(`e${i}`);
      const before = performance.now();
      bench.outbox!.add([event]);
      taken.push((performance.now() - before) * 1000);
      await new Promise(resolve => setTimeout(resolve, 10));
    }
    // The clock is coarse; the mean is not.
    return taken.reduce((sum, one) => sum + one, 0) / taken.length;
  });
  process.stdout.write(`outbox: add() takes ${micros.toFixed(0)} µs\n`);
  expect(micros).toBeLessThan(500);
});

/** What a page's timer does once a minute. */
async function care(page: Page): Promise<void> {
  await page.evaluate(() => bench.care());
}

/** Nothing is being sent or written; with `all`, nothing waits either. */
async function isIdle(page: Page, all = true): Promise<boolean> {
  const waiting = (await written(page)).length;
  return all ? waiting === 0 : true;
}

/** Exactly these events are in the database. */
async function kept(page: Page, uuids: string[]): Promise<void> {
  let found: string[] = [];
  await waitFor(
    () => `kept are ${uuids.join(', ')}, not ${found.join(', ')}`,
    async () => {
      found = await page.evaluate(async () => {
        if ((await indexedDB.databases()).length === 0) {
          return ['nothing'];
        }
        const database = await new Promise<IDBDatabase>(resolve => {
          const request = indexedDB.open('ipynb-telemetry');
          request.onsuccess = () => resolve(request.result);
        });
        try {
          const texts = await new Promise<string[]>(resolve => {
            const request = database
              .transaction('events')
              .objectStore('events')
              .getAll();
            request.onsuccess = () => resolve(request.result as string[]);
          });
          return texts.map(text => (JSON.parse(text) as QueuedEvent).uuid);
        } catch {
          return ['no store'];
        } finally {
          database.close();
        }
      });
      return found.join() === uuids.join();
    }
  );
}
