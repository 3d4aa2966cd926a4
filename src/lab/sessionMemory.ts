/** What a reload must not forget of a session: its id, its numbers and its attempts, by kernel. */
import type { KeyValueStorage } from './made.js';

/** A session of a notebook in one kernel. */
export interface Remembered {
  sess: string;
  /** Begun by the page, not by the kernel package. */
  own: boolean;
  /** Runs that the kernel took up. */
  runs: number;
  /** Attempts by name of the test. */
  tries: Record<string, number>;
}

const KEY = 'ipynb-telemetry:sessions';
/** Sessions remembered; the oldest are forgotten first. */
const MAX_SESSIONS = 20;

/** The sessions of one tab's notebooks. */
export class SessionMemory {
  /** @param storage null where the browser keeps nothing: a reload then begins anew. */
  constructor(storage: KeyValueStorage | null) {
    this._storage = storage;
    try {
      const stored: unknown = JSON.parse(storage?.getItem(KEY) ?? 'null');
      if (Array.isArray(stored)) {
        this._sessions = new Map(stored.filter(isEntry));
      }
    } catch {
      this._storage = null;
    }
  }

  /** @param key the kernel and the notebook. */
  get(key: string): Remembered | undefined {
    return this._sessions.get(key);
  }

  set(key: string, session: Remembered): void {
    // Set anew at the end: the order of the map is the order of last use.
    this._sessions.delete(key);
    this._sessions.set(key, session);
    while (this._sessions.size > MAX_SESSIONS) {
      const [oldest] = this._sessions.keys();
      this._sessions.delete(oldest as string);
    }
    this._save();
  }

  delete(key: string): void {
    if (this._sessions.delete(key)) {
      this._save();
    }
  }

  private _save(): void {
    try {
      this._storage?.setItem(KEY, JSON.stringify([...this._sessions]));
    } catch {
      this._storage = null; // Full or forbidden: go on in memory.
    }
  }

  private _storage: KeyValueStorage | null;
  private _sessions = new Map<string, Remembered>();
}

function isEntry(entry: unknown): entry is [string, Remembered] {
  if (!Array.isArray(entry) || typeof entry[0] !== 'string') {
    return false;
  }
  const session = entry[1] as Partial<Remembered> | null;
  return (
    typeof session?.sess === 'string' &&
    typeof session.own === 'boolean' &&
    Number.isInteger(session.runs) &&
    typeof session.tries === 'object' &&
    session.tries !== null
  );
}
