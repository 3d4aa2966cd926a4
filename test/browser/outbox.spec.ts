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

jest.setTimeout(60_000);

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
  await page.evaluate(course => {
    bench.outbox = bench.openOutbox(course);
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

const arrived = (...uuids: string[]) =>
  waitFor(
    () => `${uuids.join(', ')} arrive; there are ${receiver.uuids.join(', ')}`,
    () => uuids.every(uuid => receiver.uuids.includes(uuid)),
    20_000
  );

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

  it('go on after a reload, and in a session of long ago', async () => {
    const { page } = await open();
    await openOutbox(page);
    await add(page, ['a', 'b']);
    await add(page, ['x'], 't');
    await arrived('a', 'b', 'x');
    await page.reload();
    await openOutbox(page);
    await add(page, ['c']);
    await arrived('c');
    expect(numbersOf()).toEqual([1, 2, 3]);
    expect(await page.evaluate(() => bench.outbox!.countsOf('s'))).toEqual({
      made: 3,
      delivered: 3,
      dropped: 0
    });
  });
});
