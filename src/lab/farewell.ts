/**
 * What a page writes down in the moment it ends. The database may be too slow for that: a
 * browser drops what it has not got to when the page is left. `localStorage` is immediate,
 * too slow for everything else, and lost if the browser is killed: each covers for the other.
 */
import { noteFault } from './guard.js';

/** Longest text of one farewell; `localStorage` holds a few million characters in all. */
const MAX_CHARACTERS = 500_000;

/** What a tab left. */
export interface Left {
  tab: string;
  /** Orders of events, see `EventKey`, and the events as JSON. */
  events: [order: number, text: string][];
}

/** The farewells of one destination. Nothing here throws. */
export class Farewells {
  constructor(dest: string) {
    this._prefix = `ipynb-telemetry left ${dest} `;
  }

  /** Writes down what is not sure to be in the database. */
  write(tab: string, events: Left['events']): void {
    let length = 0;
    const kept = events.filter(([, text]) => {
      length += text.length;
      return length <= MAX_CHARACTERS;
    });
    this._try(storage => {
      storage.setItem(this._prefix + tab, JSON.stringify(kept));
      this._written = true;
    });
  }

  /** What `tab` wrote is in good hands, or not wanted any more. */
  erase(tab: string): void {
    this._written = false;
    this._try(storage => storage.removeItem(this._prefix + tab));
  }

  /** Whether this page has written one that still stands. */
  get isWritten(): boolean {
    return this._written;
  }

  /** Everything that tabs wrote. */
  read(): Left[] {
    const found: Left[] = [];
    this._try(storage => {
      for (let i = 0; i < storage.length; i += 1) {
        const key = storage.key(i) ?? '';
        if (key.startsWith(this._prefix)) {
          const tab = key.slice(this._prefix.length);
          found.push({ tab, events: readEvents(storage.getItem(key)) });
        }
      }
    });
    return found;
  }

  private _try(action: (storage: Storage) => void): void {
    try {
      action(localStorage);
    } catch (error) {
      noteFault('a page’s last words', error);
    }
  }

  private _prefix: string;
  private _written = false;
}

function readEvents(text: string | null): Left['events'] {
  const events: unknown = JSON.parse(text ?? '[]');
  return Array.isArray(events)
    ? events.filter(
        (one): one is [number, string] =>
          Array.isArray(one) &&
          typeof one[0] === 'number' &&
          typeof one[1] === 'string'
      )
    : [];
}
