/** The transactions of one destination: what is written together, and in which order. */
import {
  startingWith,
  write,
  type Connection,
  type Database,
  type EventKey,
  type FatesRow,
  type NoteKey,
  type NumbersRow,
  type Writing
} from './database.js';
import { noteFault } from './guard.js';
import type { Entry } from './queue.js';
import type { Tabs } from './tabs.js';
import type { Tallies } from './tallies.js';

/** Where the database keeps an event. */
export interface Place {
  key: EventKey;
  /** It is there. */
  saved: boolean;
}

/** What a writer works with. */
export interface WriterOptions {
  dest: string;
  connection: Connection;
  tabs: Tabs;
  tallies: Tallies;
  /** These are in the database. */
  onKept: () => void;
  /** Something was not written that should have been. */
  onFailed: () => void;
}

/** Writes of one tab for one destination. */
export class Writer {
  constructor(options: WriterOptions) {
    this._options = options;
    this._pile = options.tabs.id;
  }

  /** The pile that this tab's events go to. */
  get pile(): string {
    return this._pile;
  }

  /** This tab goes on under its new id. */
  reborn(): void {
    this._pile = this._options.tabs.id;
    this._hasPile = false;
  }

  /** Nothing that was written is sure to be there. */
  lost(): void {
    this._hasPile = false;
    this._options.tallies.changedAll();
  }

  /** Learns what other tabs and earlier pages wrote of sessions. */
  async readSessions(database: Database): Promise<void> {
    const { dest, tabs, tallies } = this._options;
    const tx = write(database, ['numbers', 'fates'], 'readonly');
    const fates = tx.read<FatesRow[]>(
      tx.store('fates').getAll(startingWith(dest))
    );
    await this.readNumbers(tx);
    for (const { sess, tab, ...rest } of await fates) {
      if (tab !== tabs.id) {
        tallies.setFates(sess, tab, rest);
      }
    }
  }

  /** Learns which numbers other tabs gave, in `sess` or in all sessions. */
  async readNumbers(tx: Writing, ...sess: string[]): Promise<void> {
    const { dest, tabs, tallies } = this._options;
    const rows = await tx.read<NumbersRow[]>(
      tx.store('numbers').getAll(startingWith(dest, ...sess))
    );
    for (const row of rows) {
      if (row.tab !== tabs.id) {
        tallies.raise(row.sess, row.tab, row.last);
      }
    }
  }

  /** Begins a transaction in which events can be numbered and kept. */
  begin(database: Database): Writing {
    return write(database, ['events', 'piles', 'numbers']);
  }

  /** Keeps events and the numbers given. */
  put(tx: Writing, entries: readonly Entry<Place>[]): void {
    const { dest, tabs, tallies } = this._options;
    const events = tx.store('events');
    for (const { event, place } of entries) {
      events.put(JSON.stringify(event), place.key);
    }
    if (!this._hasPile) {
      tx.store('piles').put({ tab: tabs.id }, [dest, this._pile]);
      this._hasPile = true;
    }
    const at = Date.now();
    for (const [sess, last] of tallies.takeNumbers()) {
      const row: NumbersRow = { sess, tab: tabs.id, last, at };
      tx.store('numbers').put(row, [dest, sess, tabs.id]);
    }
  }

  /** Keeps events and numbers in a transaction that needs nothing more of this page. */
  putNow(database: Database, entries: readonly Entry<Place>[]): void {
    const failed = (error: unknown): void =>
      this.failed('keeping events', error, database);
    try {
      const tx = this.begin(database);
      this.put(tx, entries);
      tx.commit();
      tx.done.then(() => this.kept(entries), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** These are written. */
  kept(entries: readonly Entry<Place>[]): void {
    entries.forEach(({ place }) => (place.saved = true));
    this._options.onKept();
  }

  /** Erases events, in one transaction with what else is to be written just now. */
  erase(places: readonly Place[]): void {
    if (places.length > 0) {
      this._keys.push(...places.map(({ key }) => key));
      this._flushSoon();
    }
  }

  /** Adds a row to the journal; `failed` is called if it cannot be kept. */
  note(key: NoteKey, text: string, failed: () => void): void {
    this._notes.push({ key, text, failed });
    this._flushSoon();
  }

  /** Resolves when everything is erased and noted, as far as that can be done. */
  async flushed(): Promise<void> {
    await this._options.connection.open();
    this._flush();
    await this._flushing;
  }

  /** Says what went wrong, once, and finds out whether the connection is lost. */
  failed(what: string, error: unknown, database: Database): void {
    const { connection, onFailed } = this._options;
    if (connection.now === database) {
      noteFault(what, error);
    }
    this.lost();
    onFailed();
    if (error instanceof DOMException && error.name === 'InvalidStateError') {
      connection.lose(database);
    }
  }

  private _flushSoon(): void {
    if (!this._flushDue) {
      this._flushDue = true;
      queueMicrotask(() => {
        if (this._options.connection.now) {
          this._flush();
        } else {
          void this.flushed();
        }
      });
    }
  }

  private _flush(): void {
    const { connection, dest, tabs, tallies } = this._options;
    const { now } = connection;
    this._flushDue = false;
    const notes = this._notes.splice(0);
    if (!now) {
      notes.forEach(({ failed }) => failed());
      return; // What is to be erased waits.
    }
    const keys = this._keys.splice(0);
    const failed = (error: unknown): void => {
      this._keys.push(...keys);
      notes.forEach(note => note.failed());
      this.failed('erasing events', error, now);
    };
    if (keys.length + notes.length === 0) {
      return;
    }
    try {
      const tx = write(now, ['events', 'fates', 'journal']);
      keys.forEach(key => tx.store('events').delete(key));
      notes.forEach(({ key, text }) => tx.store('journal').put(text, key));
      const at = Date.now();
      for (const [sess, fates] of tallies.takeFates()) {
        const row: FatesRow = { sess, tab: tabs.id, ...fates, at };
        tx.store('fates').put(row, [dest, sess, tabs.id]);
      }
      tx.commit();
      this._flushing = Promise.all([this._flushing, tx.done.catch(failed)]);
    } catch (error) {
      failed(error);
    }
  }

  private _options: WriterOptions;
  private _pile: string;
  /** The pile is in the database. */
  private _hasPile = false;
  private _keys: EventKey[] = [];
  private _notes: { key: NoteKey; text: string; failed: () => void }[] = [];
  private _flushDue = false;
  private _flushing: Promise<unknown> = Promise.resolve();
}
