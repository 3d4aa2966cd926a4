/** Clears away what nobody came for: events, numbers and signs of life that are too old. Loaded when it is time to. */
import {
  startingWith,
  write,
  type Database,
  type EventKey,
  type NoteKey,
  type SessionKey
} from './database.js';
import type { Tabs } from './tabs.js';

/** Rows of sessions kept; the oldest sessions are forgotten first. */
const MAX_SESSION_ROWS = 5000;

/** Whose turn it is to clear away. */
interface Keeper {
  dest: string;
  tabs: Tabs;
}

/** Clears away what is older than `before` (ms), of whichever destination. */
export async function clearAway(
  database: Database,
  keeper: Keeper,
  before: number
): Promise<void> {
  await dropEvents(database, keeper, before);
  await dropSessions(database, before);
  await dropRest(database, keeper, before);
}

/** Events of other destinations that were not wanted for a month, counted for whoever comes back. */
async function dropEvents(
  database: Database,
  { dest, tabs }: Keeper,
  before: number
): Promise<void> {
  const tx = write(database, ['events', 'fates']);
  const keys = (await tx.read(tx.store('events').getAllKeys())) as EventKey[];
  const old = keys.filter(
    ([of, , order]) => of !== dest && order < before * 1000
  );
  const lost = new Map<string, number>();
  for (const key of old) {
    const text = await tx.read<string>(tx.store('events').get(key));
    const row = JSON.stringify([key[0], sessionIn(text)]);
    lost.set(row, (lost.get(row) ?? 0) + 1);
    tx.store('events').delete(key);
  }
  for (const [row, count] of lost) {
    const [of, sess] = JSON.parse(row) as [string, string];
    // A part of its own, since this tab may have one for that course too.
    const tab = `${tabs.id} cleared`;
    const fates = { sess, tab, delivered: 0, dropped: count, at: Date.now() };
    tx.store('fates').put(fates, [of, sess, tab]);
  }
  tx.commit();
  await tx.done;
}

/** Piles without events, notes on other destinations, and signs of life. */
async function dropRest(
  database: Database,
  { dest, tabs }: Keeper,
  before: number
): Promise<void> {
  const piles = await database.getAllKeys('piles');
  const rows = await database.getAll('piles');
  const living = await tabs.living(rows.map(({ tab }) => tab));
  const tx = write(database, ['piles', 'events', 'journal', 'tabs']);
  for (const [i, key] of piles.entries()) {
    if (living && !living.has(rows[i]!.tab)) {
      const range = startingWith(...key);
      if ((await tx.read(tx.store('events').count(range))) === 0) {
        tx.store('piles').delete(key);
      }
    }
  }
  const notes = (await tx.read(tx.store('journal').getAllKeys())) as NoteKey[];
  for (const key of notes) {
    if (key[0] !== dest && key[1] < before * 1000) {
      tx.store('journal').delete(key);
    }
  }
  const ids = (await tx.read(tx.store('tabs').getAllKeys())) as string[];
  for (const id of ids) {
    if ((await tx.read<number>(tx.store('tabs').get(id))) < before) {
      tx.store('tabs').delete(id);
    }
  }
  tx.commit();
  await tx.done;
}

/** Sessions that nobody went on with, and the oldest where there are too many. */
async function dropSessions(database: Database, before: number): Promise<void> {
  const tx = write(database, ['numbers', 'fates']);
  const stores = [tx.store('numbers'), tx.store('fates')];
  const found = await Promise.all(
    stores.map(async store => {
      const [keys, rows] = await Promise.all([
        tx.read(store.getAllKeys()) as Promise<SessionKey[]>,
        tx.read<{ at: number }[]>(store.getAll())
      ]);
      return keys.map((key, i) => ({ store, key, at: rows[i]!.at }));
    })
  );
  const sessions = new Map<string, (typeof found)[number]>();
  for (const row of found.flat()) {
    const name = JSON.stringify(row.key.slice(0, 2));
    sessions.set(name, [...(sessions.get(name) ?? []), row]);
  }
  const last = (rows: readonly { at: number }[]): number =>
    rows.reduce((at, row) => Math.max(at, row.at), 0);
  let excess = found.flat().length - MAX_SESSION_ROWS;
  for (const rows of [...sessions.values()].sort((a, b) => last(a) - last(b))) {
    if (last(rows) < before || excess > 0) {
      rows.forEach(({ store, key }) => store.delete(key));
      excess -= rows.length;
    }
  }
  tx.commit();
  await tx.done;
}

function sessionIn(text: string): string {
  try {
    const event = JSON.parse(text) as { properties: { sess?: unknown } };
    return String(event.properties.sess ?? '');
  } catch {
    return '';
  }
}
