/** Chooses how this page keeps its events. */
import { CourseStores } from './courseStores.js';
import { Connection } from './database.js';
import { guarded } from './guard.js';
import { IdbStore } from './idbStore.js';
import type { OutboxStore } from './store.js';
import { joinTabs } from './tabs.js';

/** First look after what the tab before a reload left: its locks may outlive it a moment. */
const SOON_MS = 3000;
const NOW_AND_THEN_MS = 60_000;

/**
 * The store of this page's events: in the browser's database, else in memory.
 *
 * @param server address of the Jupyter server: what is kept for one never goes to another.
 */
export async function chooseStore(server: string): Promise<OutboxStore> {
  if (hasDatabase()) {
    return openStore(server);
  }
  // Hardly any browser needs it, so no other loads it.
  const { MemoryStore } = await import('./memoryStore.js');
  return new CourseStores(() => new MemoryStore());
}

/** The store in the browser's database; see `chooseStore`. */
export function openStore(server: string): OutboxStore {
  const connection = new Connection();
  const tabs = joinTabs(connection);
  const stores = new Set<IdbStore>();
  const each = (action: (store: IdbStore) => void | Promise<void>): void =>
    stores.forEach(store =>
      guarded('caring for what is kept', () => action(store))
    );
  connection.onLost = () => each(store => store.lost());
  tabs.onReborn = former => each(store => store.reborn(former));
  const soon = setTimeout(() => each(store => store.care(false)), SOON_MS);
  const nowAndThen = setInterval(
    () => each(store => store.care()),
    NOW_AND_THEN_MS
  );
  const all = new CourseStores(course => {
    const dest = `${server}\n${course}`;
    const store = new IdbStore({ dest, connection, tabs });
    stores.add(store);
    return store;
  });
  return Object.assign(all, {
    dispose: () => {
      clearTimeout(soon);
      clearInterval(nowAndThen);
      CourseStores.prototype.dispose.call(all);
      tabs.dispose();
      connection.close();
    }
  });
}

function hasDatabase(): boolean {
  try {
    return typeof indexedDB !== 'undefined' && indexedDB !== null;
  } catch {
    return false; // Forbidden even to look at.
  }
}
