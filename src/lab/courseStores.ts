/** One store a course, of which one has its turn: what waits for a course never goes to another. */
import { MAX_JOURNAL, type Journal, type JournalEntry } from './journal.js';
import type { Counts } from './made.js';
import type {
  Batch,
  CourseStore,
  OutboxStore,
  QueuedEvent,
  StoreListener,
  UnnumberedEvent
} from './store.js';

/** The stores of one page. What comes before the course is known waits in memory. */
export class CourseStores implements OutboxStore {
  /** @param make the store of a course. */
  constructor(make: (course: string) => CourseStore) {
    this._make = make;
  }

  /** The journal of the course that has its turn. */
  readonly journal: Journal = {
    add: (...note) => {
      if (this._current) {
        this._current.journal.add(...note);
      } else {
        this._earlyNotes = [...this._earlyNotes, note].slice(-MAX_JOURNAL);
      }
    },
    list: async max => (await this._current?.journal.list(max)) ?? [],
    clear: async () => {
      this._earlyNotes = [];
      await this._current?.journal.clear();
    }
  };

  get size(): number {
    return this._early.length + (this._current?.size ?? 0);
  }

  get dropped(): number {
    return this._current?.dropped ?? 0;
  }

  listen(listener: StoreListener): void {
    this._listener = listener;
  }

  open(course: string): void {
    if (course === this._course) {
      return;
    }
    this._course = course;
    let store = this._stores.get(course);
    if (!store) {
      store = this._make(course);
      store.listen({
        changed: () => this._listener?.changed(),
        dropped: (count, reason) => this._listener?.dropped(count, reason)
      });
      this._stores.set(course, store);
    }
    this._current = store;
    if (this._early.length > 0) {
      store.add(this._early.splice(0));
    }
    for (const note of this._earlyNotes.splice(0)) {
      store.journal.add(...note);
    }
  }

  add(events: readonly UnnumberedEvent[]): void {
    if (this._current) {
      this._current.add(events);
    } else {
      this._early.push(...events);
      this._listener?.changed();
    }
  }

  next(
    maxEvents: number,
    maxBytes: number,
    except?: ReadonlySet<string>
  ): Batch {
    return (
      this._current?.next(maxEvents, maxBytes, except) ?? {
        events: [],
        bytes: 0
      }
    );
  }

  hasten(): void {
    this._current?.hasten();
  }

  remove(
    uuids: Iterable<string>,
    fate: 'delivered' | 'dropped'
  ): QueuedEvent[] {
    return this._current?.remove(uuids, fate) ?? [];
  }

  countsOf(sess: string): Counts {
    return (
      this._current?.countsOf(sess) ?? { made: 0, delivered: 0, dropped: 0 }
    );
  }

  async waiting(max: number): Promise<QueuedEvent[]> {
    return (await this._current?.waiting(max)) ?? [];
  }

  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    const early = this._early.length;
    this._early = this._early.filter(event => keep?.(event));
    const gone = early - this._early.length;
    return gone + ((await this._current?.clear(keep)) ?? 0);
  }

  dispose(): void {
    this._listener = null;
    this._stores.forEach(store => store.dispose());
  }

  private _make: (course: string) => CourseStore;
  private _listener: StoreListener | null = null;
  private _course: string | null = null;
  private _current: CourseStore | null = null;
  private _stores = new Map<string, CourseStore>();
  private _early: UnnumberedEvent[] = [];
  private _earlyNotes: Note[] = [];
}

type Note = [
  events: readonly QueuedEvent[],
  by: JournalEntry['by'],
  outcome?: JournalEntry['outcome']
];
