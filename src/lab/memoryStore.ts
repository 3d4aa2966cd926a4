/** A store that ends with the page, for browsers that keep nothing. */
import { MemoryJournal } from './journal.js';
import type { Counts } from './made.js';
import { Queue } from './queue.js';
import {
  LIMITS,
  sessionOf,
  sizeOf,
  withNumber,
  type Batch,
  type CourseStore,
  type QueuedEvent,
  type StoreLimits,
  type StoreListener,
  type UnnumberedEvent
} from './store.js';
import { Tallies } from './tallies.js';
import { rankOf } from './value.js';

/** The events of one course, in memory. */
export class MemoryStore implements CourseStore {
  constructor(limits: StoreLimits = LIMITS) {
    this._limits = limits;
  }

  readonly journal = new MemoryJournal();

  get size(): number {
    return this._queue.size;
  }

  get dropped(): number {
    return this._tallies.dropped;
  }

  listen(listener: StoreListener): void {
    this._listener = listener;
  }

  add(events: readonly UnnumberedEvent[]): void {
    for (const event of events) {
      if (!this._queue.has(event.uuid)) {
        const sess = sessionOf(event);
        const numbered = withNumber(event, () => this._tallies.next(sess));
        this._queue.add({
          event: numbered,
          sess,
          rank: rankOf(event),
          bytes: sizeOf(numbered),
          place: null
        });
      }
    }
    this._makeRoom();
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
    // Everything is ready at once.
  }

  remove(
    uuids: Iterable<string>,
    fate: 'delivered' | 'dropped'
  ): QueuedEvent[] {
    const removed: QueuedEvent[] = [];
    for (const uuid of uuids) {
      const entry = this._queue.take(uuid);
      if (entry) {
        this._tallies.settle(entry.sess, fate);
        removed.push(entry.event);
      }
    }
    return removed;
  }

  countsOf(sess: string): Counts {
    return this._tallies.countsOf(sess);
  }

  async waiting(max: number): Promise<QueuedEvent[]> {
    return this._queue.next(max, Infinity).events;
  }

  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    const gone = [...this._queue.entries()]
      .map(({ event }) => event)
      .filter(event => !keep?.(event));
    this.remove(
      gone.map(event => event.uuid),
      'dropped'
    );
    this._listener?.changed();
    return gone.length;
  }

  dispose(): void {
    this._listener = null;
  }

  private _makeRoom(): void {
    const { events, bytes } = this._limits;
    let count = 0;
    while (this._queue.size > events || this._queue.bytes > bytes) {
      const least = this._queue.takeLeast();
      this._tallies.settle(least?.sess ?? '', 'dropped');
      count += 1;
    }
    if (count > 0) {
      this._listener?.dropped(count, 'too many events are waiting');
    }
  }

  private _limits: StoreLimits;
  private _listener: StoreListener | null = null;
  private _queue = new Queue<null>();
  private _tallies = new Tallies();
}
