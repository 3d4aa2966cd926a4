/** The page of the outbox's tests: the real modules, and handles for the tests to pull. */
import { Connection } from '../../../src/lab/database.js';
import { faultCounts } from '../../../src/lab/guard.js';
import { IdbStore } from '../../../src/lab/idbStore.js';
import { Outbox } from '../../../src/lab/outbox.js';
import type { Outcome } from '../../../src/lab/outcomes.js';
import {
  chooseStore,
  openStore,
  type CourseStore,
  type OutboxStore,
  type QueuedEvent,
  type StoreLimits
} from '../../../src/lab/store.js';
import { HeartbeatTabs, LockTabs, type Tabs } from '../../../src/lab/tabs.js';
import { checkInterleavings } from './interleaving.js';

async function send(
  batch: readonly QueuedEvent[],
  keepalive: boolean,
  signal?: AbortSignal
): Promise<Outcome> {
  try {
    const response = await fetch('/batch', {
      method: 'POST',
      keepalive,
      ...(signal ? { signal } : {}),
      body: JSON.stringify({ batch, sent_at: new Date().toISOString() })
    });
    await response.text();
    return response.ok
      ? { kind: 'ok', rejected: [] }
      : { kind: 'retry', reason: `HTTP ${response.status}`, afterMs: null };
  } catch (error) {
    return { kind: 'retry', reason: String(error), afterMs: null };
  }
}

/** As the recorder does it. */
async function openOutbox(
  course = 'demo',
  server = location.origin
): Promise<Outbox> {
  const store = await chooseStore(server);
  const outbox = new Outbox({
    store,
    course: () => course,
    send,
    later: (ms, action) => {
      const timer = setTimeout(action, ms);
      return () => clearTimeout(timer);
    },
    warn: message => console.warn(message)
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'hidden') {
      outbox.flushBeforeHide();
    }
  });
  addEventListener('pagehide', () => outbox.flushBeforeHide());
  addEventListener('online', () => outbox.flush());
  return outbox;
}

let made = 0;

/** An event as a lesson makes it. */
function event(uuid: string, sess = 's', name = 'cell', padding = 0) {
  made += 1;
  return {
    event: name,
    distinct_id: 'ADA-LOVELACE',
    uuid,
    timestamp: new Date().toISOString(),
    properties: {
      nb: 'lesson-01',
      sess,
      student: 'ADA-LOVELACE',
      v: '0.1.0',
      src: 'lab',
      cell_id: `c${made}`,
      cell_num: made,
      code: padding > 0 ? 'x'.repeat(padding) : null,
      status: 'ok',
      ms: 12.5,
      err: null,
      count: made,
      lines: 5,
      nb_cell: 'abcdef12'
    }
  };
}

/** A tab within this page: dead as soon as `end` is called, whatever it was doing. */
export class OwnTab {
  constructor(
    database: string,
    {
      dest = 'server\ndemo',
      limits,
      beat
    }: {
      dest?: string;
      limits?: StoreLimits;
      beat?: { beatMs: number; silenceMs: number };
    } = {}
  ) {
    this.connection = new Connection(database);
    this.tabs = beat
      ? new HeartbeatTabs(this.connection, beat)
      : new LockTabs(navigator.locks);
    this.store = new IdbStore({
      dest,
      connection: this.connection,
      tabs: this.tabs,
      ...(limits ? { limits } : {})
    });
    this.connection.onLost = () => this.store.lost();
    this.tabs.onReborn = former => this.store.reborn(former);
  }

  end(): void {
    this.store.dispose();
    this.tabs.dispose();
    this.connection.close();
  }

  readonly connection: Connection;
  readonly tabs: Tabs;
  readonly store: IdbStore;
}

/** Timers of a minute, which the tests do not wait for. */
const minutely: (() => void)[] = [];
const { setInterval: interval } = globalThis;
globalThis.setInterval = ((action: () => void, ms: number) => {
  if (ms === 60_000) {
    minutely.push(action);
  }
  return interval(action, ms);
}) as typeof setInterval;

const bench = {
  /** '' where everything holds. */
  checkInterleavings: (runs: number) =>
    checkInterleavings(
      // Farewells and channels are told apart by destination, not by database.
      name => new OwnTab(name, { dest: name }),
      event,
      runs
    ),
  /** A minute has passed. */
  care: async () => {
    minutely.forEach(action => action());
    await new Promise(resolve => setTimeout(resolve, 200));
  },
  Connection,
  IdbStore,
  LockTabs,
  HeartbeatTabs,
  OwnTab,
  openOutbox,
  openStore,
  event,
  faultCounts,
  stores: new Map<string, CourseStore | OutboxStore>(),
  tabs: new Map<string, OwnTab>(),
  outbox: null as Outbox | null
};

declare global {
  var bench: Bench;
}
export type Bench = typeof bench;

globalThis.bench = bench;
