/** The browser's database of what waits and what was sent, and the one connection of this page to it. */
import {
  openDB,
  unwrap,
  type DBSchema,
  type IDBPDatabase,
  type StoreNames
} from 'idb';
import { noteFault } from './guard.js';
import type { Fates } from './tallies.js';

/** Key of an event: destination, pile, order within the pile, bytes. Keys alone tell how full it is. */
export type EventKey = [
  dest: string,
  pile: string,
  order: number,
  bytes: number
];

/** Key of a note of the journal: destination, order, number of events. */
export type NoteKey = [dest: string, order: number, events: number];

/** What is kept. A destination is a course behind one Jupyter server. */
export interface Schema extends DBSchema {
  /** Events as JSON: whatever is in them can be stored, and damage shows when they are read. */
  events: { key: EventKey; value: string };
  /** Events that one tab wrote, and the tab that sends them now. */
  piles: { key: [dest: string, pile: string]; value: Pile };
  /** Largest number that a tab gave in a session. Only that tab writes it, when it gives one. */
  numbers: { key: SessionKey; value: NumbersRow };
  /**
   * What became of a tab's events of a session. Apart from the numbers, since it is written
   * without reading first: it would undo what a transaction under way is about to write.
   */
  fates: { key: SessionKey; value: FatesRow };
  journal: { key: NoteKey; value: string };
  /** Signs of life of tabs, where the browser has no locks. Milliseconds since 1970. */
  tabs: { key: string; value: number };
}

/** The tab that sends a pile's events. */
export interface Pile {
  tab: string;
}

/** Destination, session and tab. */
export type SessionKey = [dest: string, sess: string, tab: string];

interface SessionRow {
  sess: string;
  tab: string;
  /** Time of the last change, in milliseconds since 1970. */
  at: number;
}

export interface NumbersRow extends SessionRow {
  last: number;
}

export interface FatesRow extends SessionRow, Fates {}

export type Database = IDBPDatabase<Schema>;

/** Longest time to wait for the database before going on without it, in milliseconds. */
const OPEN_TIMEOUT_MS = 5000;
/** Time until a database that could not be opened is tried again, in milliseconds. */
const RETRY_MS = 30_000;
/** How often it is tried while the browser closes what is opened. */
const ATTEMPTS = 4;

const STORES = [
  'events',
  'piles',
  'numbers',
  'fates',
  'journal',
  'tabs'
] as const;

/** The page's connection. It may be lost at any time: the browser clears its data, say. */
export class Connection {
  constructor(name = 'ipynb-telemetry') {
    this._name = name;
  }

  /** The open database, for moments in which nothing can be awaited. */
  get now(): Database | null {
    return this._database;
  }

  /** Called when what was written may be gone, and the connection is. */
  onLost: () => void = () => {};

  /** The open database; null where there is none, now or ever. Never rejects. */
  async open(): Promise<Database | null> {
    if (this._database || this._closed || Date.now() < this._notBefore) {
      return this._database;
    }
    this._opening ??= this._open().finally(() => (this._opening = null));
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<null>(resolve => {
      timer = setTimeout(() => {
        noteFault('waiting for the browser’s database', 'no answer');
        this._notBefore = Date.now() + RETRY_MS;
        resolve(null);
      }, OPEN_TIMEOUT_MS);
    });
    const database = await Promise.race([this._opening, timeout]);
    clearTimeout(timer);
    return database;
  }

  close(): void {
    this._closed = true;
    this._database?.close();
    this._database = null;
  }

  /** The database does not work any more as it is. */
  lose(database: Database): void {
    if (this._database === database) {
      this._database = null;
      this.onLost();
    }
  }

  private async _open(): Promise<Database | null> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const database = await this._openOnce();
        if (this._closed) {
          database.close();
          return null;
        }
        this._database = database;
        return database;
      } catch (error) {
        if (attempt === ATTEMPTS || !isAbort(error)) {
          noteFault('opening the browser’s database', error);
          this._notBefore = Date.now() + RETRY_MS;
          return null;
        }
        // The browser is about to clear its data: that takes a moment.
        await new Promise(resolve => setTimeout(resolve, 200 * attempt));
      }
    }
  }

  private async _openOnce(): Promise<Database> {
    const database: Database = await openDB<Schema>(this._name, 1, {
      upgrade(fresh) {
        for (const store of STORES) {
          fresh.createObjectStore(store);
        }
      },
      // A newer version of this page, or the browser, wants us out of the way.
      blocking: () => {
        database.close();
        this.lose(database);
      },
      terminated: () => this.lose(database)
    });
    return database;
  }

  private _name: string;
  private _database: Database | null = null;
  private _opening: Promise<Database | null> | null = null;
  private _notBefore = 0;
  private _closed = false;
}

const isAbort = (error: unknown): boolean =>
  error instanceof DOMException && error.name === 'AbortError';

/** A transaction without a promise a request, of which a hundred may be made in one go. */
export interface Writing {
  store(name: StoreNames<Schema>): IDBObjectStore;
  /** The result of a request, while the transaction is still alive. */
  read<T>(request: IDBRequest<T>): Promise<T>;
  /** Nothing more follows: what was asked for is done even if the page ends now. */
  commit(): void;
  abort(): void;
  /** Rejects where nothing of it was done. */
  readonly done: Promise<void>;
}

/** Begins a transaction. Throws where the connection is lost. */
export function write(
  database: Database,
  stores: StoreNames<Schema>[],
  mode: 'readonly' | 'readwrite' = 'readwrite'
): Writing {
  // Relaxed: what the system has taken survives the browser's end, and nothing waits for the disk.
  const tx = unwrap(database).transaction(stores as string[], mode, {
    durability: 'relaxed'
  });
  const done = new Promise<void>((resolve, reject) => {
    tx.oncomplete = () => resolve();
    tx.onabort = () => reject(tx.error ?? new Error('aborted'));
  });
  done.catch(() => undefined); // Whoever wants to know awaits it.
  return {
    store: name => tx.objectStore(name as string),
    read: request =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      }),
    commit: () => tx.commit(),
    abort: () => tx.abort(),
    done
  };
}

/** All keys that begin with `parts`. */
export function startingWith(...parts: (string | number)[]): IDBKeyRange {
  // An array sorts behind every number and text.
  return IDBKeyRange.bound(parts, [...parts, []]);
}
