/** Finds what tabs that are gone left behind. */
import {
  startingWith,
  write,
  type Connection,
  type Database,
  type EventKey,
  type Pile
} from './database.js';
import type { Farewells } from './farewell.js';
import { noteFault } from './guard.js';
import type { Pending } from './numbering.js';
import type { Tabs } from './tabs.js';

/** What an adoption works with. */
export interface AdoptionOptions {
  dest: string;
  connection: Connection;
  tabs: Tabs;
  farewells: Farewells;
  /** These are this tab's to send from now on; it may have some of them already. */
  adopted: (rows: readonly KeptEvent[]) => void;
  /** So are these. Resolves when they are kept. */
  inherited: (events: readonly Pending[]) => Promise<void>;
  /** Events of a pile that are known here. */
  known: (pile: string) => number;
}

/** An event as the database keeps it. */
export interface KeptEvent {
  key: EventKey;
  text: string;
}

/** How long events, numbers and signs of life are kept that nobody comes for. */
export const MAX_AGE_MS = 30 * 24 * 3600 * 1000;
/** Events read in one go: a page that comes back to a long day must not stutter. */
const CHUNK = 250;

/** The piles of one destination that other tabs wrote. Nothing here rejects. */
export class Adoption {
  constructor(options: AdoptionOptions) {
    this._options = options;
  }

  /** Takes over the piles of tabs that are gone. */
  run(): Promise<void> {
    this._running ??= this._run().finally(() => (this._running = null));
    return this._running;
  }

  /** How much waits in other tabs that are alive. */
  async elsewhere(): Promise<{ events: number; bytes: number }> {
    const sum = { events: 0, bytes: 0 };
    await this._try('counting events', async database => {
      const { dest, tabs } = this._options;
      for (const [pile, tab] of await this._piles(database)) {
        if (tab !== tabs.id) {
          const keys = await database.getAllKeys(
            'events',
            startingWith(dest, pile)
          );
          sum.events += keys.length;
          keys.forEach(([, , , bytes]) => (sum.bytes += bytes));
        }
      }
    });
    return sum;
  }

  /** Clears away what is too old, of whichever destination. At most once an hour. */
  async clean(now = Date.now()): Promise<void> {
    if (now - this._cleanedAt < 3_600_000) {
      return;
    }
    this._cleanedAt = now;
    await this._try('clearing away', async database => {
      const { clearAway } = await import('./clearing.js');
      await clearAway(database, this._options, now - MAX_AGE_MS);
    });
  }

  private async _run(): Promise<void> {
    await this._try('looking for what other tabs left', async database => {
      const { dest, farewells, inherited, tabs } = this._options;
      await tabs.alone(`adoption ${dest}`, async () => {
        const piles = await this._piles(database);
        const left = farewells.read();
        const owners = new Set([
          ...piles.values(),
          ...left.map(one => one.tab)
        ]);
        owners.delete(tabs.id);
        // Asked after the piles were read: whoever writes one has joined before.
        const living = await tabs.living([...owners]);
        for (const [pile, tab] of piles) {
          if (tab === tabs.id) {
            await this._complete(database, pile);
          } else if (living && !living.has(tab)) {
            await this._take(database, pile, tab);
          }
        }
        for (const { tab, events } of left) {
          if (tab !== tabs.id && living && !living.has(tab)) {
            await tabs.join();
            await inherited(events);
            farewells.erase(tab);
          }
        }
      });
    });
  }

  /** Tabs by pile. */
  private async _piles(database: Database): Promise<Map<string, string>> {
    const tx = write(database, ['piles'], 'readonly');
    const store = tx.store('piles');
    const range = startingWith(this._options.dest);
    const [keys, rows] = await Promise.all([
      tx.read(store.getAllKeys(range)) as Promise<[string, string][]>,
      tx.read<Pile[]>(store.getAll(range))
    ]);
    return new Map(keys.map(([, pile], i) => [pile, rows[i]!.tab]));
  }

  private async _take(
    database: Database,
    pile: string,
    from: string
  ): Promise<void> {
    const { dest, tabs } = this._options;
    await tabs.join();
    const tx = write(database, ['piles', 'events']);
    const [row, count] = await Promise.all([
      tx.read<Pile | undefined>(tx.store('piles').get([dest, pile])),
      tx.read(tx.store('events').count(startingWith(dest, pile)))
    ]);
    const isOurs = row?.tab === from && count > 0;
    if (isOurs) {
      tx.store('piles').put({ tab: tabs.id }, [dest, pile]);
    } else if (row?.tab === from) {
      tx.store('piles').delete([dest, pile]);
    }
    tx.commit();
    await tx.done;
    if (isOurs) {
      await this._load(database, pile);
    }
  }

  /** A tab that was taken for dead may have gone on writing into its pile. */
  private async _complete(database: Database, pile: string): Promise<void> {
    const { dest, known, tabs } = this._options;
    if (pile !== tabs.id) {
      const count = await database.count('events', startingWith(dest, pile));
      if (count > known(pile)) {
        await this._load(database, pile);
      }
    }
  }

  private async _load(database: Database, pile: string): Promise<void> {
    const { dest, adopted } = this._options;
    let after: EventKey | null = null;
    for (;;) {
      const range: IDBKeyRange = after
        ? IDBKeyRange.bound(after, [dest, pile, []], true)
        : startingWith(dest, pile);
      const tx = write(database, ['events'], 'readonly');
      const store = tx.store('events');
      const [keys, texts] = await Promise.all([
        tx.read(store.getAllKeys(range, CHUNK)) as Promise<EventKey[]>,
        tx.read<string[]>(store.getAll(range, CHUNK))
      ]);
      if (keys.length === 0) {
        return;
      }
      adopted(keys.map((key, i) => ({ key, text: texts[i]! })));
      after = keys[keys.length - 1]!;
    }
  }

  private async _try(
    what: string,
    action: (database: Database) => Promise<void>
  ): Promise<void> {
    const { connection } = this._options;
    let database: Database | null = null;
    try {
      database = await connection.open();
      if (database) {
        await action(database);
      }
    } catch (error) {
      if (database && connection.now === database) {
        noteFault(what, error);
      } // Else the connection was lost meanwhile; that has been said.
    }
  }

  private _options: AdoptionOptions;
  private _running: Promise<void> | null = null;
  private _cleanedAt = 0;
}
