/** Counts the events of each session, across reloads and tabs of one browser. */

/** The part of `localStorage` that is used here. */
export interface KeyValueStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

const KEY = 'ipynb-telemetry:seq';
/** Sessions remembered; the oldest are forgotten first. */
const MAX_SESSIONS = 50;

/** Gives each event of a session its `seq`, from 1 without gaps. */
export class Sequence {
  /** @param storage null where the browser keeps nothing: a reload then counts anew. */
  constructor(storage: KeyValueStorage | null) {
    this._storage = storage;
  }

  /** The next number of session `sess`. */
  next(sess: string): number {
    const counts = this._load();
    const seq = (counts.get(sess) ?? 0) + 1;
    // Set anew at the end: the order of the map is the order of last use.
    counts.delete(sess);
    counts.set(sess, seq);
    while (counts.size > MAX_SESSIONS) {
      const [oldest] = counts.keys();
      counts.delete(oldest as string);
    }
    this._counts = counts;
    try {
      this._storage?.setItem(KEY, JSON.stringify([...counts]));
    } catch {
      this._storage = null; // Full or forbidden: go on in memory.
    }
    return seq;
  }

  private _load(): Map<string, number> {
    try {
      const stored: unknown = JSON.parse(this._storage?.getItem(KEY) ?? 'null');
      if (Array.isArray(stored)) {
        return new Map(stored.filter(isCount));
      }
    } catch {
      this._storage = null;
    }
    return this._counts;
  }

  private _storage: KeyValueStorage | null;
  private _counts = new Map<string, number>();
}

function isCount(entry: unknown): entry is [string, number] {
  return (
    Array.isArray(entry) &&
    typeof entry[0] === 'string' &&
    Number.isInteger(entry[1])
  );
}
