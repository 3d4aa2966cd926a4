/** A store that survives reloads, crashes and days offline: memory first, and a copy in IndexedDB. */
import { Adoption, MAX_AGE_MS, type KeptEvent } from './adoption.js';
import {
  startingWith,
  write,
  type Connection,
  type Database,
  type EventKey,
  type StoredTally,
  type Writing
} from './database.js';
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

/** Where the database keeps an event. */
interface Place {
  key: EventKey;
  /** Where it is kept without a number; null where it is not. */
  draft: EventKey | null;
  /** It is written under `key`. */
  saved: boolean;
}

/** An event without a number, and where it belongs. */
interface Pending {
  event: UnnumberedEvent;
  pile: string;
  order: number;
  draft: EventKey | null;
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
 * all tabs gave. A page that ends has no time to read (`hasten`): there an event gets the
 * next number that is known here, or, where another tab numbers the same session, is kept
 * without one for whoever comes next.
 */
export class IdbStore implements CourseStore {
  constructor(options: IdbStoreOptions) {
    const { dest, connection, tabs } = options;
    this._options = options;
    this._limits = options.limits ?? LIMITS;
    this._pile = tabs.id;
    this.journal = new IdbJournal(dest, connection);
    this._channel = openChannel(dest, (tab, sess, last) => {
      if (tab !== tabs.id) {
        this._tallies.raise(sess, tab, last);
        this._shared.add(sess);
      }
    });
    this._adoption = new Adoption({
      dest,
      connection,
      tabs,
      adopted: rows => this._adopt(rows)
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
        this._pending.push({ event, pile: this._pile, order, draft: null });
        this._unnumbered.add(event.uuid);
      }
    }
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
    if (this._pending.length === 0) {
      return;
    }
    const { now } = this._options.connection;
    const waits: Pending[] = [];
    const entries: Entry<Place>[] = [];
    for (const pending of this._pending) {
      const sess = sessionOf(pending.event);
      if (now && (!this._knowsNumbers || this._shared.has(sess))) {
        waits.push(pending);
      } else {
        entries.push(this._number(pending));
      }
    }
    if (now) {
      this._writeNow(now, entries, waits);
    }
    this._pending = waits;
    this._enqueue(entries);
    void this._writeAll();
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
    this._erase(gone);
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
    await this._erased;
    return forget.count;
  }

  /** The connection is lost, and perhaps all that was written: it is written again. */
  lost(): void {
    for (const { place } of this._queue.entries()) {
      place.saved = false;
    }
    this._notKept();
    void this.care();
  }

  /** Others may have sent what was this tab's: it goes on with what comes from now on. */
  reborn(former: string): void {
    this._leaveGroup();
    this._pile = this._options.tabs.id;
    for (const { event, place } of [...this._queue.entries()]) {
      if (place.saved) {
        this._queue.take(event.uuid);
      } else {
        place.key[1] = this._pile;
      }
    }
    for (const pending of this._pending) {
      pending.pile = this._pile;
    }
    this._tallies.handOver(former);
    this._hasPile = false;
    void this.care();
  }

  /** To be called now and then: mends what failed, looks for what tabs left behind, and clears away. */
  async care(): Promise<void> {
    await this._started;
    if (!this._knowsNumbers) {
      await this._start();
    }
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

  /** Learns which numbers were given. */
  private async _start(): Promise<void> {
    const { connection, dest } = this._options;
    try {
      const database = await connection.open();
      if (database) {
        const tx = write(database, ['sessions'], 'readonly');
        await this._readTallies(tx, startingWith(dest));
        this._knowsNumbers = true;
      }
    } catch (error) {
      noteFault('reading the numbers given', error);
    }
  }

  private async _readTallies(tx: Writing, range: IDBKeyRange): Promise<void> {
    const store = tx.store('sessions');
    const [keys, rows] = await Promise.all([
      tx.read(store.getAllKeys(range)) as Promise<string[][]>,
      tx.read<StoredTally[]>(store.getAll(range))
    ]);
    keys.forEach(([, sess, tab], i) => {
      if (tab !== this._options.tabs.id) {
        this._tallies.setOther(sess!, tab!, rows[i]!);
      }
    });
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
    const { connection, dest, tabs } = this._options;
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
      const tx = write(database, ['events', 'piles', 'sessions']);
      group.tx = tx;
      const sessions = new Set(group.pending.map(one => sessionOf(one.event)));
      await Promise.all(
        [...sessions].map(sess =>
          this._readTallies(tx, startingWith(dest, sess))
        )
      );
      if (group.left) {
        return;
      }
      const entries = group.pending.map(pending => this._number(pending));
      group.entries = entries;
      this._put(tx, entries);
      tx.commit();
      await tx.done;
      markSaved(entries);
      for (const sess of sessions) {
        this._channel?.tell(tabs.id, sess, this.countsOf(sess).made);
      }
    } catch (error) {
      if (!group.left || group.entries) {
        this._failed('keeping events', error, database);
      }
    }
  }

  /** Writes events in a transaction that needs nothing more of this page. */
  private _writeNow(
    database: Database,
    entries: readonly Entry<Place>[],
    waits: readonly Pending[]
  ): void {
    try {
      const tx = write(database, ['events', 'piles', 'sessions']);
      this._put(tx, entries);
      for (const pending of waits) {
        const text = JSON.stringify(pending.event);
        pending.draft ??= this._keyOf(pending, bytesOf(text));
        tx.store('events').put(text, pending.draft);
      }
      tx.commit();
      tx.done.then(
        () => markSaved(entries),
        (error: unknown) => this._failed('keeping events', error, database)
      );
    } catch (error) {
      this._failed('keeping events', error, database);
    }
  }

  private _put(tx: Writing, entries: readonly Entry<Place>[]): void {
    const { dest, tabs } = this._options;
    const events = tx.store('events');
    for (const { event, place } of entries) {
      events.put(JSON.stringify(event), place.key);
      if (place.draft) {
        events.delete(place.draft);
      }
    }
    if (!this._hasPile) {
      tx.store('piles').put({ tab: tabs.id }, [dest, this._pile]);
      this._hasPile = true;
    }
    this._putTallies(tx);
  }

  private _putTallies(tx: Writing): void {
    const { dest, tabs } = this._options;
    const at = Date.now();
    for (const [sess, tally] of this._tallies.takeChanged()) {
      tx.store('sessions').put({ ...tally, at }, [dest, sess, tabs.id]);
    }
  }

  /** Erases what was taken out of the queue, now or as soon as it can be done. */
  private _erase(gone: readonly Entry<Place>[]): void {
    for (const { place } of gone) {
      this._toErase.push(place.key, ...(place.draft ? [place.draft] : []));
    }
    const { now } = this._options.connection;
    if (!now || this._toErase.length === 0) {
      return;
    }
    const keys = this._toErase.splice(0);
    const failed = (error: unknown): void => {
      this._toErase.push(...keys);
      this._failed('erasing events', error, now);
    };
    try {
      const tx = write(now, ['events', 'sessions']);
      keys.forEach(key => tx.store('events').delete(key));
      this._putTallies(tx);
      tx.commit();
      this._erased = Promise.all([this._erased, tx.done.catch(failed)]);
    } catch (error) {
      failed(error);
    }
  }

  /** Writes what is in memory alone. */
  private async _save(): Promise<void> {
    const { connection, tabs } = this._options;
    if (!this._unsaved && this._toErase.length === 0) {
      return;
    }
    const database = await connection.open();
    await tabs.join();
    this._erase([]);
    if (!database) {
      return;
    }
    this._unsaved = false;
    const unsaved = [...this._queue.entries()].filter(
      ({ place }) => !place.saved
    );
    try {
      while (unsaved.length > 0) {
        // What was delivered meanwhile must not be written again.
        const entries = unsaved
          .splice(0, GROUP)
          .filter(({ event }) => this._queue.has(event.uuid));
        const tx = write(database, ['events', 'piles', 'sessions']);
        this._put(tx, entries);
        tx.commit();
        await tx.done;
        markSaved(entries);
      }
    } catch (error) {
      this._failed('keeping events', error, database);
    }
  }

  private _failed(what: string, error: unknown, database: Database): void {
    const { connection } = this._options;
    if (connection.now === database) {
      noteFault(what, error);
    }
    this._notKept();
    if (error instanceof DOMException && error.name === 'InvalidStateError') {
      connection.lose(database);
    }
  }

  /** Something was not written that should have been. */
  private _notKept(): void {
    this._unsaved = true;
    this._hasPile = false;
    this._tallies.changedAll();
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

  private _number({ event, pile, order, draft }: Pending): Entry<Place> {
    const sess = sessionOf(event);
    const numbered = withNumber(event, () => this._tallies.next(sess));
    const bytes = bytesOf(JSON.stringify(numbered));
    const key: EventKey = [this._options.dest, pile, order, bytes];
    return {
      event: numbered,
      sess,
      rank: rankOf(numbered),
      bytes,
      place: { key, draft, saved: false }
    };
  }

  private _keyOf({ pile, order }: Pending, bytes: number): EventKey {
    return [this._options.dest, pile, order, bytes];
  }

  private _enqueue(entries: readonly Entry<Place>[]): void {
    for (const entry of entries) {
      this._queue.add(entry);
      this._unnumbered.delete(entry.event.uuid);
    }
    this._makeRoom();
  }

  private _adopt(rows: readonly KeptEvent[]): void {
    const gone: Entry<Place>[] = [];
    for (const { key, text } of rows) {
      const event = readEvent(text);
      const [, pile, order, bytes] = key;
      const sess = event ? sessionOf(event) : '';
      const isNumbered = typeof event?.properties['seq'] === 'number';
      const entry = {
        event: event as QueuedEvent,
        sess,
        rank: event ? rankOf(event) : 0,
        bytes,
        place: { key, draft: null, saved: true }
      };
      if (!event || this._isKnown(event.uuid)) {
        gone.push(entry);
      } else if (order <= this._forget.upTo && !this._forget.keep?.(event)) {
        gone.push(entry);
        this._forget.count += 1;
        if (isNumbered) {
          this._tallies.settle(sess, 'dropped');
        }
      } else if (isNumbered) {
        this._queue.add(entry);
      } else {
        this._pending.push({ event, pile, order, draft: key });
        this._unnumbered.add(event.uuid);
      }
    }
    this._erase(gone);
    this._makeRoom();
    void this._writeAll();
    this._listener?.changed();
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
    const gone: Entry<Place>[] = [];
    const { events, bytes } = this._elsewhere;
    while (
      this._queue.size > 0 &&
      (this._queue.size + events > this._limits.events ||
        this._queue.bytes + bytes > this._limits.bytes)
    ) {
      const least = this._queue.takeLeast()!;
      this._tallies.settle(least.sess, 'dropped');
      gone.push(least);
    }
    if (gone.length > 0) {
      this._erase(gone);
      this._listener?.dropped(gone.length, 'too many events are waiting');
    }
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
  private _pile: string;
  /** The pile is in the database. */
  private _hasPile = false;
  private _order = 0;
  private _queue = new Queue<Place>();
  private _tallies = new Tallies();
  private _pending: Pending[] = [];
  /** Ids of what is pending, also in a transaction. */
  private _unnumbered = new Set<string>();
  private _group: Group | null = null;
  /** The numbers given before this page are known. */
  private _knowsNumbers = false;
  /** Sessions that other tabs number too. */
  private _shared = new Set<string>();
  /** Something is in memory alone. */
  private _unsaved = false;
  private _toErase: EventKey[] = [];
  private _elsewhere = { events: 0, bytes: 0 };
  /** What is adopted is forgotten up to that order. */
  private _forget: Forgetting = { upTo: 0, keep: undefined, count: 0 };
  private _started: Promise<void>;
  /** The first look at what was left behind. */
  private _first: Promise<void>;
  private _writes: Promise<void> | null = null;
  private _erased: Promise<unknown> = Promise.resolve();
}

interface Forgetting {
  upTo: number;
  keep: ((event: QueuedEvent) => boolean) | undefined;
  count: number;
}

function markSaved(entries: readonly Entry<Place>[]): void {
  for (const { place } of entries) {
    place.saved = true;
    place.draft = null;
  }
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
