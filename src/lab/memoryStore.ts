/** A store that ends with the page, for browsers that keep nothing. */
import { MemoryJournal } from './journal.js';
import type { Counts } from './made.js';
import { Queue } from './queue.js';
import {
  LIMITS,
  sizeOf,
  type Batch,
  type OutboxStore,
  type QueuedEvent,
  type StoreLimits,
  type StoreListener,
  type UnnumberedEvent
} from './store.js';
import { Tallies } from './tallies.js';
import { rankOf } from './value.js';

/** Events in memory. */
export class MemoryStore implements OutboxStore {
  constructor(limits: StoreLimits = LIMITS) {
    this._limits = limits;
  }

  readonly journal = new MemoryJournal();

  get size(): number {
    return this._early.length + this._shelf.queue.size;
  }

  get dropped(): number {
    return this._shelf.tallies.dropped;
  }

  listen(listener: StoreListener): void {
    this._listener = listener;
  }

  open(course: string): void {
    if (course === this._course) {
      return;
    }
    this._course = course;
    const shelf = this._shelves.get(course) ?? newShelf();
    this._shelves.set(course, shelf);
    this._shelf = shelf;
    this.add(this._early.splice(0));
  }

  add(events: readonly UnnumberedEvent[]): void {
    if (this._course === null) {
      this._early.push(...events);
    } else {
      events.forEach(event => this._put(event));
      this._makeRoom();
    }
    this._listener?.changed();
  }

  next(
    maxEvents: number,
    maxBytes: number,
    except?: ReadonlySet<string>
  ): Batch {
    return this._shelf.queue.next(maxEvents, maxBytes, except);
  }

  hasten(): void {
    // Everything is ready at once.
  }

  remove(
    uuids: Iterable<string>,
    fate: 'delivered' | 'dropped'
  ): QueuedEvent[] {
    const { queue, tallies } = this._shelf;
    const removed: QueuedEvent[] = [];
    for (const uuid of uuids) {
      const entry = queue.take(uuid);
      if (entry) {
        tallies.own(entry.sess)[fate] += 1;
        removed.push(entry.event);
      }
    }
    return removed;
  }

  countsOf(sess: string): Counts {
    return this._shelf.tallies.countsOf(sess);
  }

  async waiting(max: number): Promise<QueuedEvent[]> {
    return this._shelf.queue.next(max, Infinity).events;
  }

  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    const { queue } = this._shelf;
    const early = this._early.length;
    this._early = this._early.filter(event => keep?.(event));
    const gone = [...queue.entries()].filter(({ event }) => !keep?.(event));
    this.remove(
      gone.map(({ event }) => event.uuid),
      'dropped'
    );
    this._listener?.changed();
    return gone.length + early - this._early.length;
  }

  dispose(): void {
    this._listener = null;
  }

  private _put(event: UnnumberedEvent): void {
    const { queue, tallies } = this._shelf;
    if (!queue.has(event.uuid)) {
      const sess = sessionOf(event);
      const numbered = withNumber(event, () => tallies.next(sess));
      queue.add({
        event: numbered,
        sess,
        rank: rankOf(event),
        bytes: sizeOf(numbered),
        place: null
      });
    }
  }

  private _makeRoom(): void {
    const { queue, tallies } = this._shelf;
    const { events, bytes } = this._limits;
    let count = 0;
    while (queue.size > events || queue.bytes > bytes) {
      const least = queue.takeLeast();
      tallies.own(least?.sess ?? '').dropped += 1;
      count += 1;
    }
    if (count > 0) {
      this._listener?.dropped(count, 'too many events are waiting');
    }
  }

  private _limits: StoreLimits;
  private _listener: StoreListener | null = null;
  private _course: string | null = null;
  /** What came before the course was known. */
  private _early: UnnumberedEvent[] = [];
  private _shelf = newShelf();
  private _shelves = new Map<string, Shelf>();
}

interface Shelf {
  queue: Queue<null>;
  tallies: Tallies;
}

const newShelf = (): Shelf => ({ queue: new Queue(), tallies: new Tallies() });

/** The session of an event; '' for one without. */
export function sessionOf(event: UnnumberedEvent): string {
  const { sess } = event.properties;
  return typeof sess === 'string' ? sess : '';
}

/** The event with its own number, or with the one that `next` gives. */
export function withNumber(
  event: UnnumberedEvent,
  next: () => number
): QueuedEvent {
  return typeof event.properties['seq'] === 'number'
    ? event
    : { ...event, properties: { ...event.properties, seq: next() } };
}
