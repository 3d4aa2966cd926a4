/** A store that survives reloads, crashes and days offline: memory first, and a copy in IndexedDB. */
import { Adoption, MAX_AGE_MS, type KeptEvent } from './adoption.js';
import type { Connection, EventKey } from './database.js';
import { Farewells } from './farewell.js';
import { noteFault } from './guard.js';
import { IdbJournal } from './idbJournal.js';
import type { Counts } from './made.js';
import { Numbering, type Pending } from './numbering.js';
import { openChannel, type NumbersChannel } from './numbersChannel.js';
import { Queue, type Entry } from './queue.js';
import {
  bytesOf,
  LIMITS,
  numberOf,
  readEvent,
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

/** Events written in one transaction when they were in memory alone. */
const GROUP = 200;

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
      onKept: () => this._renewFarewell(),
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
    const started = this._start().then(() => {
      this._isStarted = true;
    });
    this._numbering = new Numbering({
      connection,
      tabs,
      writer: this._writer,
      started,
      number: pending => this._number(pending),
      numbered: entries => this._numbered(entries)
    });
    this._first = started.then(() => this._adoption.run());
  }

  readonly journal: IdbJournal;

  get size(): number {
    return this._queue.size + this._numbering.size;
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
        this._numbering.add({ event, order: this._nextOrder() });
      }
    }
    // Whoever finds what a page leaves as it ends must not take it for dead before.
    void this._options.tabs.join();
    void this._numbering.run();
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
    const pending = this._numbering.take();
    const entries = this._isStarted
      ? pending.splice(0).map(one => this._number(one))
      : [];
    const { now } = this._options.connection;
    if (now && entries.length > 0) {
      this._writer.putNow(now, entries);
    }
    this._numbered(entries);
    this._resume(pending);
    this._sayFarewell();
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
    this._renewFarewell();
    return gone.map(({ event }) => event);
  }

  countsOf(sess: string): Counts {
    return this._tallies.countsOf(sess);
  }

  async waiting(max: number): Promise<QueuedEvent[]> {
    await this._first;
    await this._numbering.run();
    return this._queue.next(max, Infinity).events;
  }

  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    const pending = this._numbering.take();
    const kept = pending.filter(({ event }) => keep?.(event));
    const gone = [...this._queue.entries()]
      .map(({ event }) => event)
      .filter(event => !keep?.(event));
    const count = gone.length + pending.length - kept.length;
    const forget = { upTo: this._nextOrder(), keep, count };
    this._forget = forget;
    this.remove(
      gone.map(event => event.uuid),
      'dropped'
    );
    this._resume(kept);
    this._listener?.changed();
    await this._adoption.run();
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
    const pending = this._numbering.take();
    this._writer.reborn();
    for (const { event, place } of [...this._queue.entries()]) {
      if (place.saved) {
        this._queue.take(event.uuid);
      } else {
        place.key[1] = this._writer.pile;
      }
    }
    this._tallies.handOver(former);
    this._farewells.erase(former);
    this._resume(pending);
    void this.care();
  }

  /**
   * To be called now and then: mends what failed, looks for what tabs left behind, and clears away.
   *
   * @param clears false on a page that has just begun and has better things to load.
   */
  async care(clears = true): Promise<void> {
    await this._first;
    await this._start();
    await this._save();
    await this._adoption.run();
    if (clears) {
      await this._adoption.clean();
    }
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
    const { connection, tabs } = this._options;
    for (const { tab, events } of this._farewells.read()) {
      for (const { event } of events) {
        if (tab !== tabs.id) {
          this._tallies.raise(sessionOf(event), tab, numberOf(event));
        }
      }
    }
    const database = await connection.open();
    try {
      if (database) {
        await this._writer.readSessions(database);
      }
    } catch (error) {
      this._writer.failed('reading the numbers given', error, database!);
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
        this._writer.kept(entries);
      }
    } catch (error) {
      this._writer.failed('keeping events', error, database);
    }
  }

  /** Goes on with events that were taken out of the numbering. */
  private _resume(pending: readonly Pending[]): void {
    pending.forEach(one => this._numbering.add(one));
    void this._numbering.run();
  }

  private _number({ event, order }: Pending): Entry<Place> {
    const sess = sessionOf(event);
    const numbered = withNumber(event, () => this._tallies.next(sess));
    const bytes = bytesOf(JSON.stringify(numbered));
    const { pile } = this._writer;
    const key: EventKey = [this._options.dest, pile, order, bytes];
    return {
      event: numbered,
      sess,
      rank: rankOf(numbered),
      bytes,
      place: { key, saved: false }
    };
  }

  /** These have their numbers: they may leave, and the other tabs shall know. */
  private _numbered(entries: readonly Entry<Place>[]): void {
    if (entries.length === 0) {
      return;
    }
    entries.forEach(entry => this._queue.add(entry));
    this._unsaved ||= entries.some(({ place }) => !place.saved);
    for (const sess of new Set(entries.map(entry => entry.sess))) {
      const { made } = this.countsOf(sess);
      this._channel?.tell(this._options.tabs.id, sess, made);
    }
    this._makeRoom();
    this._listener?.changed();
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
  private async _inherit(events: readonly Pending[]): Promise<void> {
    const known = events.filter(({ event, order }) => {
      this._tallies.claim(sessionOf(event), numberOf(event));
      return !this._isKnown(event.uuid) && !this._isForgotten(event, order);
    });
    this._resume(known);
    await this._numbering.run();
    await this._save();
  }

  /** Whether `clear` was meant for this event too. */
  private _isForgotten(event: UnnumberedEvent, order: number): boolean {
    if (order > this._forget.upTo || this._forget.keep?.(event)) {
      return false;
    }
    this._forget.count += 1;
    if (numberOf(event) > 0) {
      this._tallies.settle(sessionOf(event), 'dropped');
    }
    return true;
  }

  /** Events of a pile that wait here. */
  private _known(pile: string): number {
    let count = 0;
    for (const { place } of this._queue.entries()) {
      count += place.key[1] === pile ? 1 : 0;
    }
    return count;
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

  /** Writes down what is in memory alone, or takes it back if there is nothing any more. */
  private _sayFarewell(): void {
    const { tabs } = this._options;
    const left = [
      ...this._unsavedEntries().map(({ event, place }) => ({
        event,
        order: place.key[2]
      })),
      ...this._numbering.waiting
    ];
    if (left.length > 0) {
      this._farewells.write(tabs.id, left);
    } else if (this._farewells.isWritten) {
      this._farewells.erase(tabs.id);
    }
  }

  /** A page that said farewell lives on. */
  private _renewFarewell(): void {
    if (this._farewells.isWritten) {
      this._sayFarewell();
    }
  }

  private _unsavedEntries(): Entry<Place>[] {
    return [...this._queue.entries()].filter(({ place }) => !place.saved);
  }

  private _isKnown(uuid: string): boolean {
    return this._queue.has(uuid) || this._numbering.has(uuid);
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
  private _numbering: Numbering;
  /** Something is in memory alone. */
  private _unsaved = false;
  private _elsewhere = { events: 0, bytes: 0 };
  /** What is adopted is forgotten up to that order. */
  private _forget: Forgetting = { upTo: 0, keep: undefined, count: 0 };
  /** It is known which numbers were given before. */
  private _isStarted = false;
  /** The first look at what was left behind. */
  private _first: Promise<void>;
}

interface Forgetting {
  upTo: number;
  keep: ((event: QueuedEvent) => boolean) | undefined;
  count: number;
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
