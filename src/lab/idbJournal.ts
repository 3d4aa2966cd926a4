/** The journal in IndexedDB: one row for what left together, for one destination. */
import { startingWith, type Connection, type NoteKey } from './database.js';
import { noteFault } from './guard.js';
import {
  MAX_JOURNAL,
  MemoryJournal,
  type Journal,
  type JournalEntry
} from './journal.js';
import type { QueuedEvent } from './store.js';
import type { Writer } from './writer.js';

/** Rows added between two looks at how many there are. */
const TRIM_EVERY = 25;

interface Note {
  events: QueuedEvent[];
  by: JournalEntry['by'];
  outcome: JournalEntry['outcome'];
  sentAt: string;
}

/** What left for one destination. What cannot be kept is remembered by this page. */
export class IdbJournal implements Journal {
  constructor(dest: string, connection: Connection, writer: Writer) {
    this._dest = dest;
    this._connection = connection;
    this._writer = writer;
  }

  add(
    events: readonly QueuedEvent[],
    by: JournalEntry['by'],
    outcome: JournalEntry['outcome'] = 'delivered'
  ): void {
    if (events.length === 0) {
      return;
    }
    const sentAt = new Date().toISOString();
    const note: Note = { events: [...events], by, outcome, sentAt };
    this._writer.note(this._nextKey(events.length), JSON.stringify(note), () =>
      this._unkept.add(events, by, outcome)
    );
    this._added += 1;
    if (this._added % TRIM_EVERY === 1) {
      void this._trim();
    }
  }

  async list(max: number): Promise<JournalEntry[]> {
    const database = await this._connection.open();
    await this._writer.flushed();
    const entries = await this._unkept.list(max);
    try {
      if (database) {
        const keys = await this._keys();
        let first = keys.length;
        for (let count = entries.length; count < max && first > 0;) {
          first -= 1;
          count += keys[first]![2];
        }
        if (first < keys.length) {
          const rows = await database.getAll(
            'journal',
            IDBKeyRange.bound(keys[first]!, keys[keys.length - 1]!)
          );
          entries.push(...rows.map(read).reverse().flat());
        }
      }
    } catch (error) {
      noteFault('reading the journal', error);
    }
    return entries.slice(0, max);
  }

  async clear(): Promise<void> {
    await this._writer.flushed();
    await this._unkept.clear();
    try {
      const database = await this._connection.open();
      await database?.delete('journal', startingWith(this._dest));
    } catch (error) {
      noteFault('clearing the journal', error);
    }
  }

  /** Gives up the oldest rows beyond the limit. */
  private async _trim(): Promise<void> {
    try {
      const keys = await this._keys();
      let count = 0;
      let last = keys.length - 1;
      while (last >= 0 && count < MAX_JOURNAL) {
        count += keys[last]![2];
        last -= 1;
      }
      if (last >= 0) {
        await this._connection.now?.delete(
          'journal',
          IDBKeyRange.bound(keys[0]!, keys[last]!)
        );
      }
    } catch (error) {
      noteFault('trimming the journal', error);
    }
  }

  private async _keys(): Promise<NoteKey[]> {
    const { now } = this._connection;
    return (await now?.getAllKeys('journal', startingWith(this._dest))) ?? [];
  }

  private _nextKey(events: number): NoteKey {
    // Two tabs may write in the same millisecond; the fraction tells them apart.
    this._last = Math.max(
      this._last + 1,
      Date.now() * 1000 + Math.floor(Math.random() * 1000)
    );
    return [this._dest, this._last, events];
  }

  private _dest: string;
  private _connection: Connection;
  private _writer: Writer;
  /** What the database did not take. */
  private _unkept = new MemoryJournal();
  private _last = 0;
  private _added = 0;
}

/** The entries of a row, the newest first. */
function read(text: string): JournalEntry[] {
  try {
    const { events, by, outcome, sentAt } = JSON.parse(text) as Note;
    return events.map(event => ({ event, by, outcome, sentAt })).reverse();
  } catch (error) {
    noteFault('reading a note of the journal', error);
    return [];
  }
}
