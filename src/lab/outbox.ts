/** Carries events to the Jupyter server: in batches, again and again until they are safe, each by its id. */
import type { Journal } from './journal.js';
import type { Counts } from './made.js';
import type { Outcome } from './outcomes.js';
import {
  type Batch,
  type OutboxStore,
  type QueuedEvent,
  type UnnumberedEvent
} from './store.js';

export type { Journal, JournalEntry } from './journal.js';

/**
 * Sends one batch. A failed request is an outcome too.
 *
 * @param keepalive the request shall outlive the page.
 * @param signal calls the request off.
 */
export type SendBatch = (
  batch: readonly QueuedEvent[],
  keepalive: boolean,
  signal?: AbortSignal
) => Promise<Outcome>;

/** What an outbox works with. */
export interface OutboxOptions {
  store: OutboxStore;
  send: SendBatch;
  /**
   * The course that events are for; null until it is known, and nothing is sent before. An
   * event that waited for one course is never sent to another. Without it all is one course.
   */
  course?: () => string | null;
  /**
   * What may leave of an event now: what waited in a looser time leaves reduced, or (null)
   * not at all. Without it all leaves as it was taken.
   */
  reduce?: (event: QueuedEvent) => QueuedEvent | null;
  /** These events need no more care: delivered, withheld, or set aside at the relay. */
  onSettled?: (events: readonly QueuedEvent[]) => void;
  /** The state changed. */
  onChange?: () => void;
  /** Says something to whoever reads the console. */
  warn?: (message: string) => void;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later: (ms: number, action: () => void) => () => void;
  /** 0 ≤ x < 1. */
  random?: () => number;
  /** Milliseconds since 1970. */
  now?: () => number;
}

/** How long an event may wait for company before it is sent. */
export const FLUSH_DELAY_MS = 50;
/**
 * Least time from one batch to the next while somebody works: a request costs the page more
 * than all else that a run does. The first event after a pause goes at once.
 */
export const SPACING_MS = 1000;
/** Browsers let 64 KiB of keepalive bodies be in flight at a time; the rest is for the envelope. */
export const MAX_BATCH_BYTES = 60_000;
/** Events of a batch. */
export const MAX_BATCH_EVENTS = 200;
/** Longest time for an answer. */
export const ANSWER_TIMEOUT_MS = 20_000;

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/** Where the outbox stands. */
export interface OutboxState {
  /** Events not yet safe at the relay. */
  waiting: number;
  /** Events that this page delivered. */
  delivered: number;
  /** Events given up: refused by the relay, too many to keep, or withdrawn. Survives a reload. */
  dropped: number;
  /** Why the last attempt failed; null once one succeeds. */
  trouble: string | null;
  /** Milliseconds since 1970; null where no failed attempt waits to be repeated. */
  nextAttemptAt: number | null;
  /** Why nobody collects here, so that nothing is taken or sent; null where somebody may. */
  off: string | null;
}

/** The events of one page on their way. */
export class Outbox {
  constructor(options: OutboxOptions) {
    this._options = options;
    options.store.listen({
      changed: () => this._onStoreChanged(),
      dropped: (_count, reason) => this._sayDropped(reason)
    });
    this._schedule(0);
  }

  get state(): OutboxState {
    const { store } = this._options;
    return {
      waiting: store.size,
      delivered: this._delivered,
      dropped: store.dropped,
      trouble: this._trouble,
      nextAttemptAt: this._failures > 0 ? (this._timer?.at ?? null) : null,
      off: this._off
    };
  }

  /** What left this browser. */
  get journal(): Journal {
    return this._options.store.journal;
  }

  /** What became of the events of a session so far, in all tabs and before reloads. */
  countsOf(sess: string): Counts {
    return this._options.store.countsOf(sess);
  }

  /** Up to `max` events that wait, the oldest first, as they would leave now. */
  async waiting(max: number): Promise<QueuedEvent[]> {
    this._follow();
    return this._reduced(await this._options.store.waiting(max));
  }

  /** Takes events for delivery; the store gives them their numbers. */
  add(events: readonly UnnumberedEvent[]): void {
    if (this._off === null && !this._stopped && events.length > 0) {
      this._follow();
      this._options.store.add(events);
    }
  }

  /** Tries at once, whatever the back-off says: the network came back, say. */
  flush(): void {
    this._schedule(0);
  }

  /** Sends nothing until `resume`; what waits is kept. */
  pause(): void {
    this._paused = true;
    this._cancelTimer();
  }

  /** Goes on after `pause`. */
  resume(): void {
    if (this._paused) {
      this._paused = false;
      this._failures = 0;
      this._schedule(0);
    }
  }

  /**
   * Forgets everything that waits, except what `keep` wants kept, and calls off what is
   * under way. Resolves with the number of events when nothing of it can leave any more.
   */
  async clear(keep?: (event: QueuedEvent) => boolean): Promise<number> {
    this._follow();
    // What failed is gone: what comes next is not to wait for its back-off.
    this._failures = 0;
    const flights = [...this._flights];
    const cleared = this._options.store.clear(keep);
    for (const flight of flights) {
      flight.cleared = true;
      flight.abort.abort();
    }
    await Promise.all(flights.map(flight => flight.landed));
    return cleared;
  }

  /**
   * The page may be gone in a moment: what still fits into bodies that outlive it is sent
   * now. What is under way already outlives it too.
   */
  flushBeforeHide(): void {
    if (this._isHeld) {
      return;
    }
    this._follow();
    this._options.store.hasten();
    const except = this._underway();
    let room = MAX_BATCH_BYTES;
    for (const { bytes } of this._flights) {
      room -= bytes;
    }
    const { store } = this._options;
    let batch = store.next(MAX_BATCH_EVENTS, room, except);
    while (batch.events.length > 0 && batch.bytes > room) {
      except.add(batch.events[0]!.uuid); // Alone too large: it stays in the store.
      batch = store.next(MAX_BATCH_EVENTS, room, except);
    }
    if (batch.events.length > 0) {
      void this._deliver(batch);
    }
  }

  /** Stops; what waits stays in the store. */
  dispose(): void {
    this._stopped = true;
    this._cancelTimer();
    this._options.store.dispose();
  }

  private get _isHeld(): boolean {
    return this._stopped || this._paused || this._off !== null;
  }

  /** Tells the store whose turn it is. */
  private _follow(): void {
    const { course, store } = this._options;
    const current = course ? course() : '';
    if (current !== null) {
      store.open(current);
    }
  }

  private _onStoreChanged(): void {
    if (this._failures === 0) {
      this._schedule(this._companyDelay());
    }
    this._changed();
  }

  /** How long new events wait for company. */
  private _companyDelay(): number {
    const since = this._now() - this._sentAt;
    return Math.max(FLUSH_DELAY_MS, since >= 0 ? SPACING_MS - since : 0);
  }

  private _schedule(ms: number): void {
    if (this._isHeld || (this._timer !== null && this._timer.ms <= ms)) {
      return;
    }
    this._cancelTimer();
    const cancel = this._options.later(ms, () => {
      this._timer = null;
      void this._pump();
    });
    this._timer = { ms, at: this._now() + ms, cancel };
  }

  private async _pump(): Promise<void> {
    if (this._pumping || this._isHeld) {
      return;
    }
    this._pumping = true;
    try {
      this._follow();
      while (!this._isHeld) {
        const batch = this._options.store.next(
          this._batchLimit,
          MAX_BATCH_BYTES,
          this._underway()
        );
        const limit = this._batchLimit;
        const more = this._options.store.size > batch.events.length;
        if (batch.events.length === 0 || !(await this._deliver(batch))) {
          break;
        }
        if (!more && this._batchLimit >= limit) {
          break; // What came meanwhile waits for company.
        }
      }
    } finally {
      this._pumping = false;
    }
    // What came while the last answer was on its way found the pump running.
    if (this._failures === 0 && this._options.store.size > 0) {
      const { events } = this._options.store.next(1, 1, this._underway());
      if (events.length > 0) {
        this._schedule(this._companyDelay());
      }
    }
  }

  /** Sends one batch; true if the next one may go. */
  private async _deliver(batch: Batch): Promise<boolean> {
    const { later, onSettled, store } = this._options;
    const events = this._reduced(batch.events);
    if (events.length < batch.events.length) {
      const left = new Set(uuidsOf(events));
      const withheld = batch.events.filter(({ uuid }) => !left.has(uuid));
      store.remove(uuidsOf(withheld), 'dropped');
      onSettled?.(withheld);
      this._changed();
      if (events.length === 0) {
        return true;
      }
    }
    const flight = newFlight({ events, bytes: batch.bytes });
    this._sentAt = this._now();
    this._flights.add(flight);
    const cancelTimeout = later(ANSWER_TIMEOUT_MS, () => flight.abort.abort());
    const outcome = await this._send(
      { events, bytes: batch.bytes },
      flight.abort.signal
    );
    cancelTimeout();
    this._flights.delete(flight);
    flight.land();
    if (flight.cleared && outcome.kind !== 'ok' && outcome.kind !== 'off') {
      return true;
    }
    switch (outcome.kind) {
      case 'ok': {
        this._failures = 0;
        this._trouble = null;
        this._batchLimit = MAX_BATCH_EVENTS;
        const reasons = new Map(
          outcome.rejected.map(({ uuid, message }) => [uuid, message])
        );
        const bad = events.filter(event => reasons.has(event.uuid));
        const good = events.filter(event => !reasons.has(event.uuid));
        store.remove(uuidsOf(good), 'delivered');
        store.remove(uuidsOf(bad), 'dropped');
        this._delivered += good.length;
        this.journal.add(good, 'page', 'delivered');
        if (bad.length > 0) {
          this.journal.add(bad, 'page', 'refused');
          this._sayDropped(outcome.rejected[0]?.message ?? '');
        }
        onSettled?.(events);
        this._changed();
        return true;
      }
      case 'too-large':
        if (events.length > 1) {
          this._batchLimit = Math.max(1, Math.floor(events.length / 2));
        } else {
          store.remove(uuidsOf(events), 'dropped');
          this._sayDropped('too large');
          this._changed();
        }
        return true;
      case 'refused':
        store.remove(uuidsOf(events), 'dropped');
        this.journal.add(events, 'page', 'refused');
        this._sayDropped(outcome.reason);
        onSettled?.(events);
        this._changed();
        return true;
      case 'retry':
        this._failures += 1;
        this._trouble = outcome.reason;
        this._cancelTimer();
        this._schedule(this._retryDelay(outcome.afterMs));
        this._changed();
        return false;
      case 'off':
        this._off = outcome.reason;
        this._cancelTimer();
        this._changed();
        return false;
    }
  }

  /**
   * Every request outlives the page if it is small enough, so that closing a tab neither
   * loses nor doubles what is under way.
   */
  private async _send(
    { events, bytes }: Batch,
    signal: AbortSignal
  ): Promise<Outcome> {
    try {
      return await this._options.send(events, bytes <= MAX_BATCH_BYTES, signal);
    } catch (error) {
      return { kind: 'retry', reason: String(error), afterMs: null };
    }
  }

  /** What of `events` may leave now. */
  private _reduced(events: readonly QueuedEvent[]): QueuedEvent[] {
    const { reduce } = this._options;
    return events
      .map(event => (reduce ? reduce(event) : event))
      .filter(event => event !== null);
  }

  /** Ids of what is being sent. */
  private _underway(): Set<string> {
    const uuids = new Set<string>();
    for (const flight of this._flights) {
      flight.uuids.forEach(uuid => uuids.add(uuid));
    }
    return uuids;
  }

  private _sayDropped(reason: string): void {
    if (!this._saidDropped) {
      this._saidDropped = true;
      this._options.warn?.(
        `ipynb-telemetry: event(s) given up (${reason}); further ones are only counted`
      );
    }
  }

  /** Exponential with full jitter, so that a class does not come back in one wave. */
  private _retryDelay(afterMs: number | null): number {
    const ceiling = Math.min(
      LONGEST_RETRY_MS,
      FIRST_RETRY_MS * 2 ** Math.min(this._failures - 1, 10)
    );
    const delay = (this._options.random ?? Math.random)() * ceiling;
    return Math.max(delay, afterMs ?? 0, 50);
  }

  private _now(): number {
    return (this._options.now ?? Date.now)();
  }

  private _cancelTimer(): void {
    this._timer?.cancel();
    this._timer = null;
  }

  private _changed(): void {
    this._options.onChange?.();
  }

  private _options: OutboxOptions;
  private _timer: { ms: number; at: number; cancel: () => void } | null = null;
  private _pumping = false;
  private _paused = false;
  private _flights = new Set<Flight>();
  private _failures = 0;
  /** When the latest batch left. */
  private _sentAt = -Infinity;
  private _batchLimit = MAX_BATCH_EVENTS;
  private _delivered = 0;
  private _saidDropped = false;
  private _trouble: string | null = null;
  private _off: string | null = null;
  private _stopped = false;
}

/** A request under way. */
interface Flight {
  uuids: string[];
  bytes: number;
  abort: AbortController;
  /** Its events were withdrawn. */
  cleared: boolean;
  landed: Promise<void>;
  land: () => void;
}

function newFlight({ events, bytes }: Batch): Flight {
  let land = (): void => {};
  const landed = new Promise<void>(resolve => (land = resolve));
  return {
    uuids: uuidsOf(events),
    bytes,
    abort: new AbortController(),
    cleared: false,
    landed,
    land
  };
}

const uuidsOf = (events: readonly QueuedEvent[]): string[] =>
  events.map(event => event.uuid);
