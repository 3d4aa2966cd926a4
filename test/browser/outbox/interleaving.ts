/** Any number of tabs do anything in any order: every event is kept once, and every number given once. */
import fc from 'fast-check';
import type { QueuedEvent, UnnumberedEvent } from '../../../src/lab/store.js';
import type { OwnTab } from './page.js';

const TABS = 3;

type Step =
  /** Added in the course of things. */
  | { do: 'add'; tab: number; sess: string; count: number }
  /** Added as the page is hidden; it may live on. */
  | { do: 'hide'; tab: number; sess: string; count: number }
  | { do: 'settle'; tab: number; fate: 'delivered' | 'dropped'; count: number }
  /** The tab is closed, and another one opened. */
  | { do: 'close'; tab: number }
  /** As a crash ends it: what it was doing stops. */
  | { do: 'crash'; tab: number }
  /** A minute passes: dead tabs' events are adopted. */
  | { do: 'care'; tab: number }
  | { do: 'rest' };

const tab = fc.nat(TABS - 1);
const sess = fc.constantFrom('s', 't');
const count = fc.integer({ min: 1, max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('add' as const), tab, sess, count })
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('hide' as const), tab, sess, count })
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('settle' as const),
      tab,
      fate: fc.constantFrom('delivered' as const, 'dropped' as const),
      count
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('close' as const), tab })
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant('crash' as const), tab })
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('care' as const), tab })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rest' as const) }) }
);

/** What came of it: the report of fast-check, '' where everything held. */
export async function checkInterleavings(
  open: (database: string) => OwnTab,
  event: (uuid: string, sess: string) => UnnumberedEvent,
  numRuns: number
): Promise<string> {
  let run = 0;
  const details = await fc.check(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async steps => {
      run += 1;
      const database = `interleaving ${run}`;
      try {
        await play(steps, () => open(database), event);
      } finally {
        indexedDB.deleteDatabase(database);
      }
    }),
    { numRuns }
  );
  return details.failed
    ? `${String(details.errorInstance)}\n${fc.defaultReportMessage(details)!}`
    : '';
}

async function play(
  steps: readonly Step[],
  open: () => OwnTab,
  event: (uuid: string, sess: string) => UnnumberedEvent
): Promise<void> {
  const tabs = Array.from({ length: TABS }, open);
  let made = 0;
  /** Written, or added by a page that had time to hide. */
  const certain = new Set<string>();
  /** Added, and not known to be written. */
  const uncertain = tabs.map(() => new Set<string>());
  const settled: QueuedEvent[] = [];

  const sure = (i: number): void => {
    uncertain[i]!.forEach(uuid => certain.add(uuid));
    uncertain[i]!.clear();
  };
  const rest = async (): Promise<void> => {
    for (const [i, one] of tabs.entries()) {
      await one.store.waiting(1);
      sure(i);
    }
    // Time for what they tell each other.
    for (let i = 0; i < 200 && !agree(tabs); i += 1) {
      await new Promise(resolve => setTimeout(resolve, 5));
    }
  };
  const add = (i: number, sess: string, count: number): void => {
    for (let n = 0; n < count; n += 1) {
      made += 1;
      uncertain[i]!.add(`e${made}`);
      tabs[i]!.store.add([event(`e${made}`, sess)]);
    }
  };
  const hide = async (i: number, sess: string, count: number) => {
    // Two tabs that number a session in the same milliseconds: see `IdbStore`.
    await rest();
    add(i, sess, count);
    for (let turn = 0; turn < count * 3; turn += 1) {
      await Promise.resolve(); // Some of it is under way.
    }
    add(i, sess, 1);
    tabs[i]!.store.hasten();
    sure(i);
  };
  const replace = (i: number): void => {
    tabs[i]!.end();
    tabs[i] = open();
    uncertain[i]!.clear();
  };

  for (const one of steps) {
    switch (one.do) {
      case 'add':
        add(one.tab, one.sess, one.count);
        break;
      case 'hide':
        await hide(one.tab, one.sess, one.count);
        break;
      case 'settle': {
        const { store } = tabs[one.tab]!;
        const batch = store.next(one.count, 1e6).events;
        if (batch.length > 0) {
          const uuids = batch.map(({ uuid }) => uuid);
          settled.push(...store.remove(uuids, one.fate));
          // What a page was told in its very last moment is sent once more.
          await Promise.resolve();
        }
        break;
      }
      case 'close':
        await hide(one.tab, 's', 1);
        replace(one.tab);
        break;
      case 'crash':
        replace(one.tab);
        break;
      case 'care':
        await tabs[one.tab]!.store.care();
        break;
      case 'rest':
        await rest();
    }
  }
  await rest();
  // All but one are gone; the last one has everything.
  const [last, ...others] = tabs;
  others.forEach(other => other.end());
  let waiting: QueuedEvent[] = [];
  for (let i = 0; i < 20; i += 1) {
    await last!.store.care();
    waiting = await last!.store.waiting(Infinity);
    const there = new Set([...settled, ...waiting].map(({ uuid }) => uuid));
    if (i > 3 && [...certain].every(uuid => there.has(uuid))) {
      break;
    }
    await new Promise(resolve => setTimeout(resolve, 20)); // Locks are given back.
  }
  const all = [...settled, ...waiting];
  const counts = ['s', 't'].map(name => last!.store.countsOf(name));
  last!.end();
  expectOnce(all, certain, counts);
}

/** Whether all tabs know of the same numbers. */
function agree(tabs: readonly OwnTab[]): boolean {
  return ['s', 't'].every(
    name => new Set(tabs.map(one => one.store.countsOf(name).made)).size === 1
  );
}

function expectOnce(
  all: readonly QueuedEvent[],
  certain: ReadonlySet<string>,
  counts: readonly { made: number }[]
): void {
  const uuids = all.map(({ uuid }) => uuid);
  const missing = [...certain].filter(uuid => !uuids.includes(uuid));
  if (missing.length > 0) {
    throw new Error(`lost: ${missing.join()}`);
  }
  if (new Set(uuids).size !== uuids.length) {
    throw new Error(`twice: ${uuids.sort().join()}`);
  }
  ['s', 't'].forEach((name, i) => {
    const numbers = all
      .filter(({ properties }) => properties['sess'] === name)
      .map(({ properties }) => properties['seq'] as number)
      .sort((a, b) => a - b);
    if (numbers.some((number, at) => number !== at + 1)) {
      throw new Error(`numbers of ${name}: ${numbers.join()}`);
    }
    if (counts[i]!.made !== numbers.length) {
      throw new Error(`${counts[i]!.made} made, ${numbers.length} there`);
    }
  });
}
