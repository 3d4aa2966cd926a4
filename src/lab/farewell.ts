/**
 * What a page writes down in the moment it ends. The database may be too slow for that: a
 * browser drops what it has not got to when the page is left. `localStorage` is immediate,
 * too slow for everything else, and lost if the browser is killed: each covers for the other.
 */
import { noteFault } from './guard.js';
import type { Pending } from './numbering.js';
import { readEvent } from './store.js';

/** Longest text of one farewell; `localStorage` holds a few million characters in all. */
const MAX_CHARACTERS = 500_000;

/** What a tab left. */
export interface Left {
  tab: string;
  events: Pending[];
}

/** The farewells of one destination. Nothing here throws. */
export class Farewells {
  constructor(dest: string) {
    this._prefix = `ipynb-telemetry left ${dest} `;
  }

  /** Writes down what is not sure to be in the database. */
  write(tab: string, events: readonly Pending[]): void {
    let length = 0;
    const kept = events
      .map(({ event, order }) => [order, JSON.stringify(event)] as const)
      .filter(([, text]) => {
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

function readEvents(text: string | null): Pending[] {
  const rows: unknown = JSON.parse(text ?? '[]');
  const events: Pending[] = [];
  for (const row of Array.isArray(rows) ? (rows as unknown[]) : []) {
    const [order, json] = Array.isArray(row) ? (row as unknown[]) : [];
    const event = readEvent(json);
    if (event && typeof order === 'number') {
      events.push({ event, order });
    }
  }
  return events;
}
