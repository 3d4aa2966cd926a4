/** From an event without a number to one that is numbered and kept: one transaction for both. */
import type { Connection, Writing } from './database.js';
import type { Entry } from './queue.js';
import { sessionOf, type UnnumberedEvent } from './store.js';
import type { Tabs } from './tabs.js';
import type { Place, Writer } from './writer.js';

/** An event without a number, and where it belongs. */
export interface Pending {
  event: UnnumberedEvent;
  order: number;
}

/** What numbering works with. */
export interface NumberingOptions {
  connection: Connection;
  tabs: Tabs;
  writer: Writer;
  /** Resolves when it is known which numbers were given before. */
  started: Promise<void>;
  /** Gives the next number that is known here. */
  number: (pending: Pending) => Entry<Place>;
  /** These have numbers; those that could not be written are not marked as saved. */
  numbered: (entries: readonly Entry<Place>[]) => void;
}

/** Events numbered and written in one transaction. */
const GROUP = 200;

/** Events that a transaction is about to number. */
interface Group {
  pending: Pending[];
  tx: Writing | null;
  /** Set as soon as they have numbers. */
  entries: Entry<Place>[] | null;
  /** They were handed on before the transaction was through. */
  left: boolean;
}

/** Events on their way to a number. Nothing here throws or rejects. */
export class Numbering {
  constructor(options: NumberingOptions) {
    this._options = options;
  }

  get size(): number {
    return this._ids.size;
  }

  has(uuid: string): boolean {
    return this._ids.has(uuid);
  }

  /** What has no number yet. */
  get waiting(): readonly Pending[] {
    const group = this._group;
    return group && !group.left && !group.entries
      ? [...group.pending, ...this._pending]
      : this._pending;
  }

  /** Takes an event; `run` has to follow. */
  add(pending: Pending): void {
    this._pending.push(pending);
    this._ids.add(pending.event.uuid);
  }

  /** Gives numbers to all, one transaction at a time. Resolves when they are written. */
  run(): Promise<void> {
    this._running ??= this._run().finally(() => {
      this._running = null;
      if (this._pending.length > 0) {
        void this.run(); // They came after it had looked for the last time.
      }
    });
    return this._running;
  }

  /**
   * Takes out everything that has no number yet, also from a transaction that was about to
   * give it one. What it has numbered already is handed on.
   */
  take(): Pending[] {
    const group = this._group;
    if (group && !group.left) {
      group.left = true;
      if (group.entries) {
        this._hand(group.entries);
      } else {
        this._pending.unshift(...group.pending);
        try {
          group.tx?.abort();
        } catch {
          // The browser has ended it already.
        }
      }
    }
    this._ids.clear();
    return this._pending.splice(0);
  }

  private async _run(): Promise<void> {
    await this._options.started;
    while (this._pending.length > 0) {
      const group: Group = {
        pending: this._pending.splice(0, GROUP),
        tx: null,
        entries: null,
        left: false
      };
      this._group = group;
      await this._write(group);
      this._group = null;
      if (!group.left) {
        // Without the database memory has to do, and the numbers that are known here.
        this._hand(group.entries ?? group.pending.map(this._options.number));
      }
    }
  }

  private async _write(group: Group): Promise<void> {
    const { connection, number, tabs, writer } = this._options;
    const database = connection.now ?? (await connection.open());
    await tabs.join();
    if (group.left || !database) {
      return;
    }
    try {
      const tx = writer.begin(database);
      group.tx = tx;
      const sessions = new Set(group.pending.map(one => sessionOf(one.event)));
      await Promise.all(
        [...sessions].map(sess => writer.readNumbers(tx, sess))
      );
      if (group.left) {
        return;
      }
      const entries = group.pending.map(number);
      group.entries = entries;
      writer.put(tx, entries);
      tx.commit();
      await tx.done;
      writer.kept(entries);
    } catch (error) {
      if (!group.left || group.entries) {
        writer.failed('keeping events', error, database);
      }
    }
  }

  private _hand(entries: readonly Entry<Place>[]): void {
    entries.forEach(({ event }) => this._ids.delete(event.uuid));
    this._options.numbered(entries);
  }

  private _options: NumberingOptions;
  private _pending: Pending[] = [];
  /** Ids of what has no number, or is being written with it. */
  private _ids = new Set<string>();
  private _group: Group | null = null;
  private _running: Promise<void> | null = null;
}
