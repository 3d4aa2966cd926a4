/** A store that survives reloads, crashes and days offline: memory first, and a copy in IndexedDB. */
import { Adoption, MAX_AGE_MS, type KeptEvent } from './adoption.js';
import type { Connection, Database, EventKey, Writing } from './database.js';
import { Farewells, type Left } from './farewell.js';
import { noteFault } from './guard.js';
import { IdbJournal } from './idbJournal.js';
import type { Counts } from './made.js';
import { openChannel, type NumbersChannel } from './numbersChannel.js';
import { Queue, type Entry } from './queue.js';
import {
  bytesOf,
  LIMITS,
  sessionOf,
  withNumber,
  type Batch,
  type CourseStore,
  type QueuedEvent,
  type StoreLimits,
  type StoreListener,
  type UnnumberedEvent
} from './store.js';
import type { Tabs } from './tabs.js';
import { Tallies } from './tallies.js';
import { rankOf } from './value.js';
import { Writer, type Place } from './writer.js';

/** What a store works with. */
export interface IdbStoreOptions {
  /** Jupyter server and course. */
  dest: string;
  connection: Connection;
  tabs: Tabs;
  limits?: StoreLimits;
}

/** Events numbered and written in one transaction. */
const GROUP = 200;

/** An event without a number, and where it belongs. */
interface Pending {
  event: UnnumberedEvent;
  pile: string;
  order: number;
}

/** Pending events that a transaction is about to number. */
interface Group {
  pending: Pending[];
  tx: Writing | null;
  /** Set as soon as they have numbers. */
  entries: Entry<Place>[] | null;
  /** They were handed on before the transaction was through. */
  left: boolean;
}

/**
 * The events of one destination. This tab sends what it wrote and what it adopted from tabs
 * that are gone; all of that is in memory too.
 *
 * A number is given in the transaction that keeps the event, after reading which numbers
 * all tabs gave; tabs tell each other too. A page that ends has no time to read (`hasten`):
 * it gives the next number that it has heard of, and writes the event down twice (see
 * `Farewells`). So a number can be given twice only where two tabs share a session and one
 * ends in the very milliseconds in which the other numbers.
 */
export class IdbStore implements CourseStore {
  constructor(options: IdbStoreOptions) {
    const { dest, connection, tabs } = options;
    this._options = options;
    this._limits = options.limits ?? LIMITS;
    this._writer = new Writer({
      dest,
      connection,
      tabs,
      tallies: this._tallies,
      onFailed: () => (this._unsaved = true)
    });
    this.journal = new IdbJournal(dest, connection, this._writer);
    this._channel = openChannel(dest, (tab, sess, last) => {
      if (tab !== tabs.id) {
        this._tallies.raise(sess, tab, last);
      }
    });
    this._farewells = new Farewells(dest);
    this._adoption = new Adoption({
      dest,
      connection,
      tabs,
      farewells: this._farewells,
      adopted: rows => this._adopt(rows),
      inherited: events => this._inherit(events),
      known: pile => this._known(pile)
    });
    this._started = this._start();
    this._first = this._started.then(() => this._adoption.run());
  }

  readonly journal: IdbJournal;

  get size(): number {
    const group = this._group;
    const underway = group && !group.left ? group.pending.length : 0;
    return this._queue.size + this._pending.length + underway;
  }

  get dropped(): number {
    return this._tallies.dropped;
  }

  listen(listener: StoreListener): void {
    this._listener = listener;
  }

  add(events: readonly UnnumberedEvent[]): void {
    for (const event of events) {
      if (!this._isKnown(event.uuid) && isStorable(event)) {
        const order = this._nextOrder();
        const { pile } = this._writer;
        this._pending.push({ event, pile, order });
        this._unnumbered.add(event.uuid);
      }
    }
    // Whoever finds what a page leaves as it hides must not take it for dead.
    void this._options.tabs.join();
    void this._writeAll();
    this._listener?.changed();
  }

  next(
    maxEvents: number,
    maxBytes: number,
    except?: ReadonlySet<string>
  ): Batch {
    return this._queue.next(maxEvents, maxBytes, except);
  }

  hasten(): void {
    this._leaveGroup();
    const entries = this._pending.splice(0).map(one => this._number(one));
    const { now } = this._options.connection;
    if (now && entries.length > 0) {
      this._writeNow(now, entries);
    }
    this._enqueue(entries);
    this._tell(entries);
    const unsaved = this._unsavedEntries();
    if (unsaved.length > 0) {
      this._unsaved = true;
      this._farewells.write(
        this._options.tabs.id,
        unsaved.map(({ event, place }) => [place.key[2], JSON.stringify(event)])
      );
    }
  }

  remove(
    uuids: Iterable<string>,
    fate: 'delivered' | 'dropped'
  ): QueuedEvent[] {
    const gone: Entry<Place>[] = [];
    for (const uuid of uuids) {
      const entry = this._queue.take(uuid);
      if (entry) {
        this._tallies.settle(entry.sess, fate);
        gone.push(entry);
      }
    }
    this._writer.erase(gone.map(({ place }) => place));
    this._unsay();
    return gone.map(({ event }) => event);
  }

  countsOf(sess: string): Counts {
    return this._tallies.countsOf(sess);
  }

  async waiting(max: number): Promise<QueuedEvent[]> {
    await this._first;
    await this._writeAll();
    return this._queue.next(max, Infinity).events;
  }

  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    // Numbers first: what is forgotten stays accounted for.
    this._leaveGroup();
    this._enqueue(this._pending.splice(0).map(one => this._number(one)));
    const gone = [...this._queue.entries()]
      .map(({ event }) => event)
      .filter(event => !keep?.(event));
    const forget = { upTo: this._nextOrder(), keep, count: gone.length };
    this._forget = forget;
    this.remove(
      gone.map(event => event.uuid),
      'dropped'
    );
    this._unsaved = true; // What was kept may have its number only in memory.
    this._listener?.changed();
    await this._adoption.run();
    await this._save();
    await this._writer.flushed();
    return forget.count;
  }

  /** The connection is lost, and perhaps all that was written: it is written again. */
  lost(): void {
    for (const { place } of this._queue.entries()) {
      place.saved = false;
    }
    this._unsaved = true;
    this._writer.lost();
    void this.care();
  }

  /** Others may have sent what was this tab's: it goes on with what comes from now on. */
  reborn(former: string): void {
    this._leaveGroup();
    this._writer.reborn();
    const { pile } = this._writer;
    for (const { event, place } of [...this._queue.entries()]) {
      if (place.saved) {
        this._queue.take(event.uuid);
      } else {
        place.key[1] = pile;
      }
    }
    for (const pending of this._pending) {
      pending.pile = pile;
    }
    this._tallies.handOver(former);
    this._farewells.erase(former);
    void this.care();
  }

  /** To be called now and then: mends what failed, looks for what tabs left behind, and clears away. */
  async care(): Promise<void> {
    await this._started;
    await this._start();
    await this._save();
    await this._adoption.run();
    await this._adoption.clean();
    this._elsewhere = await this._adoption.elsewhere();
    this._dropOld();
    this._makeRoom();
  }

  dispose(): void {
    this._listener = null;
    this._channel?.close();
  }

  /** Learns what other tabs and earlier pages wrote of sessions. */
  private async _start(): Promise<void> {
    const database = await this._options.connection.open();
    try {
      for (const { tab, events } of this._farewells.read()) {
        for (const [, text] of events) {
          const event = readEvent(text);
          if (event && tab !== this._options.tabs.id) {
            this._tallies.raise(sessionOf(event), tab, numberOf(event));
          }
        }
      }
      if (database) {
        await this._writer.readSessions(database);
      }
    } catch (error) {
      this._writer.failed('reading the numbers given', error, database!);
    }
  }

  /** Numbers and writes what is pending, one transaction at a time. */
  private _writeAll(): Promise<void> {
    this._writes ??= this._writeGroups().finally(() => (this._writes = null));
    return this._writes;
  }

  private async _writeGroups(): Promise<void> {
    await this._started;
    while (this._pending.length > 0) {
      const group: Group = {
        pending: this._pending.splice(0, GROUP),
        tx: null,
        entries: null,
        left: false
      };
      this._group = group;
      await this._writeGroup(group);
      this._group = null;
      if (!group.left) {
        // Without the database memory has to do, and the numbers that are known here.
        this._enqueue(
          group.entries ?? group.pending.map(one => this._number(one))
        );
      }
      this._listener?.changed();
    }
  }

  private async _writeGroup(group: Group): Promise<void> {
    const { connection, tabs } = this._options;
    const database = connection.now ?? (await connection.open());
    await tabs.join();
    if (group.left) {
      return;
    }
    if (!database) {
      this._unsaved = true;
      return;
    }
    try {
      const tx = this._writer.begin(database);
      group.tx = tx;
      const sessions = new Set(group.pending.map(one => sessionOf(one.event)));
      await Promise.all(
        [...sessions].map(sess => this._writer.readNumbers(tx, sess))
      );
      if (group.left) {
        return;
      }
      const entries = group.pending.map(pending => this._number(pending));
      group.entries = entries;
      this._writer.put(tx, entries);
      tx.commit();
      await tx.done;
      this._markSaved(entries);
      this._tell(entries);
    } catch (error) {
      if (!group.left || group.entries) {
        this._writer.failed('keeping events', error, database);
      }
    }
  }

  /** Writes events in a transaction that needs nothing more of this page. */
  private _writeNow(
    database: Database,
    entries: readonly Entry<Place>[]
  ): void {
    const failed = (error: unknown): void =>
      this._writer.failed('keeping events', error, database);
    try {
      const tx = this._writer.begin(database);
      this._writer.put(tx, entries);
      tx.commit();
      tx.done.then(() => this._markSaved(entries), failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Writes what is in memory alone. */
  private async _save(): Promise<void> {
    const { connection, tabs } = this._options;
    const database = await connection.open();
    await this._writer.flushed();
    if (!this._unsaved || !database) {
      return;
    }
    await tabs.join();
    this._unsaved = false;
    const unsaved = this._unsavedEntries();
    try {
      while (unsaved.length > 0) {
        // What was delivered meanwhile must not be written again.
        const entries = unsaved
          .splice(0, GROUP)
          .filter(({ event }) => this._queue.has(event.uuid));
        const tx = this._writer.begin(database);
        // Numbers may be given until it is this transaction's turn.
        await tx.read(tx.store('piles').count());
        this._writer.put(tx, entries);
        tx.commit();
        await tx.done;
        this._markSaved(entries);
      }
    } catch (error) {
      this._writer.failed('keeping events', error, database);
    }
  }

  /** Lets the other tabs know which numbers are given. */
  private _tell(entries: readonly Entry<Place>[]): void {
    for (const sess of new Set(entries.map(entry => entry.sess))) {
      const { made } = this.countsOf(sess);
      this._channel?.tell(this._options.tabs.id, sess, made);
    }
  }

  /** Takes pending events back from the transaction that is about to number them. */
  private _leaveGroup(): void {
    const group = this._group;
    if (!group || group.left) {
      return;
    }
    group.left = true;
    if (group.entries) {
      this._enqueue(group.entries);
    } else {
      this._pending = [...group.pending, ...this._pending];
      try {
        group.tx?.abort();
      } catch {
        // The browser has ended it already.
      }
    }
  }

  private _number({ event, pile, order }: Pending): Entry<Place> {
    const sess = sessionOf(event);
    const numbered = withNumber(event, () => this._tallies.next(sess));
    const bytes = bytesOf(JSON.stringify(numbered));
    const key: EventKey = [this._options.dest, pile, order, bytes];
    return {
      event: numbered,
      sess,
      rank: rankOf(numbered),
      bytes,
      place: { key, saved: false }
    };
  }

  private _enqueue(entries: readonly Entry<Place>[]): void {
    for (const entry of entries) {
      this._queue.add(entry);
      this._unnumbered.delete(entry.event.uuid);
    }
    this._makeRoom();
  }

  private _adopt(rows: readonly KeptEvent[]): void {
    const gone: Place[] = [];
    for (const { key, text } of rows) {
      const event = readEvent(text);
      const place: Place = { key, saved: true };
      if (!event) {
        gone.push(place);
      } else if (this._isKnown(event.uuid)) {
        const known = this._queue.get(event.uuid)?.place.key ?? key;
        if (known.join() !== key.join()) {
          gone.push(place); // Another tab had it too.
        }
      } else if (this._isForgotten(event, key[2])) {
        gone.push(place);
      } else {
        const [, , , bytes] = key;
        const sess = sessionOf(event);
        this._queue.add({ event, sess, rank: rankOf(event), bytes, place });
      }
    }
    this._writer.erase(gone);
    this._makeRoom();
    this._listener?.changed();
  }

  /** Events that a page wrote down in its last moment, and that may be nowhere else. */
  private async _inherit(events: Left['events']): Promise<void> {
    const entries: Entry<Place>[] = [];
    for (const [order, text] of events) {
      const event = readEvent(text);
      if (event && !this._isKnown(event.uuid)) {
        this._tallies.claim(sessionOf(event), numberOf(event));
        if (!this._isForgotten(event, order)) {
          const { pile } = this._writer;
          entries.push(this._number({ event, pile, order: this._nextOrder() }));
        }
      }
    }
    this._enqueue(entries);
    this._unsaved ||= entries.length > 0;
    this._listener?.changed();
    await this._save();
  }

  /** Whether `clear` was meant for this event too. */
  private _isForgotten(event: UnnumberedEvent, order: number): boolean {
    if (order > this._forget.upTo || this._forget.keep?.(event)) {
      return false;
    }
    this._forget.count += 1;
    this._tallies.settle(sessionOf(event), 'dropped');
    return true;
  }

  /** Events of a pile that wait here. */
  private _known(pile: string): number {
    let count = 0;
    for (const { place } of this._queue.entries()) {
      count += place.key[1] === pile ? 1 : 0;
    }
    const here = (one: Pending): boolean => one.pile === pile;
    return (
      count +
      this._pending.filter(here).length +
      (this._group?.pending.filter(here).length ?? 0)
    );
  }

  private _dropOld(): void {
    const before = (Date.now() - MAX_AGE_MS) * 1000;
    const old = [...this._queue.entries()].filter(
      ({ place }) => place.key[2] < before
    );
    if (old.length > 0) {
      this.remove(
        old.map(({ event }) => event.uuid),
        'dropped'
      );
      this._listener?.dropped(old.length, 'too old');
    }
  }

  private _makeRoom(): void {
    const gone: Place[] = [];
    const { events, bytes } = this._elsewhere;
    while (
      this._queue.size > 0 &&
      (this._queue.size + events > this._limits.events ||
        this._queue.bytes + bytes > this._limits.bytes)
    ) {
      const least = this._queue.takeLeast()!;
      this._tallies.settle(least.sess, 'dropped');
      gone.push(least.place);
    }
    if (gone.length > 0) {
      this._writer.erase(gone);
      this._listener?.dropped(gone.length, 'too many events are waiting');
    }
  }

  private _markSaved(entries: readonly Entry<Place>[]): void {
    entries.forEach(({ place }) => (place.saved = true));
    this._unsay();
  }

  /** Takes back the farewell of a page that lives on, once it is not needed. */
  private _unsay(): void {
    const { tabs } = this._options;
    if (this._farewells.isWritten && this._unsavedEntries().length === 0) {
      this._farewells.erase(tabs.id);
    }
  }

  private _unsavedEntries(): Entry<Place>[] {
    return [...this._queue.entries()].filter(({ place }) => !place.saved);
  }

  private _isKnown(uuid: string): boolean {
    return this._queue.has(uuid) || this._unnumbered.has(uuid);
  }

  /** Grows, and says when: microseconds since 1970, or a little later. */
  private _nextOrder(): number {
    this._order = Math.max(this._order + 1, Date.now() * 1000);
    return this._order;
  }

  private _options: IdbStoreOptions;
  private _limits: StoreLimits;
  private _listener: StoreListener | null = null;
  private _channel: NumbersChannel | null;
  private _adoption: Adoption;
  private _farewells: Farewells;
  private _writer: Writer;
  private _order = 0;
  private _queue = new Queue<Place>();
  private _tallies = new Tallies();
  private _pending: Pending[] = [];
  /** Ids of what is pending, also in a transaction. */
  private _unnumbered = new Set<string>();
  private _group: Group | null = null;
  /** Something is in memory alone. */
  private _unsaved = false;
  private _elsewhere = { events: 0, bytes: 0 };
  /** What is adopted is forgotten up to that order. */
  private _forget: Forgetting = { upTo: 0, keep: undefined, count: 0 };
  private _started: Promise<void>;
  /** The first look at what was left behind. */
  private _first: Promise<void>;
  private _writes: Promise<void> | null = null;
}

interface Forgetting {
  upTo: number;
  keep: ((event: QueuedEvent) => boolean) | undefined;
  count: number;
}

function numberOf(event: UnnumberedEvent): number {
  const { seq } = event.properties;
  return typeof seq === 'number' ? seq : 0;
}

/** Whether an event can be written down at all; another extension may put anything into it. */
function isStorable(event: UnnumberedEvent): boolean {
  try {
    JSON.stringify(event);
    return true;
  } catch (error) {
    noteFault('writing an event as JSON', error);
    return false;
  }
}

/** The event in `text`; null where it is damaged. */
function readEvent(text: unknown): UnnumberedEvent | null {
  try {
    const event = JSON.parse(String(text)) as Partial<UnnumberedEvent> | null;
    if (
      typeof event?.uuid === 'string' &&
      typeof event.event === 'string' &&
      typeof event.distinct_id === 'string' &&
      typeof event.properties === 'object' &&
      event.properties !== null
    ) {
      return event as UnnumberedEvent;
    }
    throw new Error('not an event');
  } catch (error) {
    noteFault('reading a kept event', error);
    return null;
  }
}
