/** Carries events to the Jupyter server: in batches, again and again until they are safe, each by its id. */
import type { Outcome } from './outcomes.js';
import type { OutboxStore, QueuedEvent } from './store.js';

/** Sends one batch. Never throws: a failed request is an outcome too. */
export type SendBatch = (
  batch: readonly QueuedEvent[],
  keepalive: boolean
) => Promise<Outcome>;

/** What an outbox works with. */
export interface OutboxOptions {
  store: OutboxStore;
  send: SendBatch;
  /** These events need no more care: delivered, or set aside at the relay. */
  onSettled?: (events: readonly QueuedEvent[]) => void;
  /** The state changed. */
  onChange?: () => void;
  /** Says something to whoever reads the console. */
  warn?: (message: string) => void;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later: (ms: number, action: () => void) => () => void;
  /** 0 ≤ x < 1. */
  random?: () => number;
}

/** How long an event may wait for company before it is sent. */
export const FLUSH_DELAY_MS = 50;
/** Browsers let 64 KiB of keepalive bodies be in flight at a time; the rest is for the envelope. */
export const MAX_BATCH_BYTES = 60_000;
/** Events of a batch. */
export const MAX_BATCH_EVENTS = 200;
/** Events kept while nothing can be delivered; beyond that the oldest are given up. */
export const MAX_WAITING = 5000;

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 30_000;

/** Where the outbox stands. */
export interface OutboxState {
  /** Events not yet safe at the relay. */
  waiting: number;
  delivered: number;
  /** Events given up: refused by the relay, or too many to keep. */
  dropped: number;
  /** Why the last attempt failed; null once one succeeds. */
  trouble: string | null;
  /** Why nobody collects here, so that nothing is kept or sent; null where somebody may. */
  off: string | null;
}

/** The events of one page on their way. */
export class Outbox {
  constructor(options: OutboxOptions) {
    this._options = options;
    this._schedule(0);
  }

  get state(): OutboxState {
    return {
      waiting: this._options.store.size,
      delivered: this._delivered,
      dropped: this._dropped,
      trouble: this._trouble,
      off: this._off
    };
  }

  /** Takes events for delivery. */
  add(events: readonly QueuedEvent[]): void {
    if (this._off !== null || this._stopped || events.length === 0) {
      return;
    }
    const { store } = this._options;
    store.add(events);
    const excess = store.size - MAX_WAITING;
    if (excess > 0) {
      const oldest = store.oldest(excess, Infinity);
      store.remove(oldest.map(event => event.uuid));
      this._drop(oldest.length, `more than ${MAX_WAITING} events are waiting`);
    }
    if (this._failures === 0) {
      this._schedule(FLUSH_DELAY_MS);
    }
    this._changed();
  }

  /** Tries at once, whatever the back-off says: the network came back, say. */
  flush(): void {
    this._schedule(0);
  }

  /**
   * The page may be gone in a moment: one batch that outlives it. What is under way is
   * sent along, since its request may die with the page; the relay knows it by its id.
   */
  flushBeforeHide(): void {
    if (this._hiding || this._off !== null || this._stopped) {
      return; // A second keepalive body would exceed what browsers let through.
    }
    const batch = this._options.store.oldest(MAX_BATCH_EVENTS, MAX_BATCH_BYTES);
    if (batch.length > 0) {
      this._hiding = true;
      void this._deliver(batch, true).finally(() => {
        this._hiding = false;
      });
    }
  }

  /** Stops; what waits stays in the store. */
  dispose(): void {
    this._stopped = true;
    this._cancelTimer();
  }

  private _schedule(ms: number): void {
    if (this._stopped || this._off !== null) {
      return;
    }
    if (this._timer !== null && this._timer.ms <= ms) {
      return;
    }
    this._cancelTimer();
    const cancel = this._options.later(ms, () => {
      this._timer = null;
      void this._pump();
    });
    this._timer = { ms, cancel };
  }

  private async _pump(): Promise<void> {
    if (this._pumping) {
      return;
    }
    this._pumping = true;
    try {
      while (!this._stopped && this._off === null) {
        const batch = this._options.store.oldest(
          this._batchLimit,
          MAX_BATCH_BYTES
        );
        if (batch.length === 0 || !(await this._deliver(batch, false))) {
          break;
        }
      }
    } finally {
      this._pumping = false;
    }
    // What came while the last answer was on its way found the pump running.
    if (this._failures === 0 && this._options.store.size > 0) {
      this._schedule(FLUSH_DELAY_MS);
    }
  }

  /** Sends one batch; true if the next one may go. */
  private async _deliver(
    batch: readonly QueuedEvent[],
    keepalive: boolean
  ): Promise<boolean> {
    const outcome = await this._options.send(batch, keepalive);
    switch (outcome.kind) {
      case 'ok': {
        this._failures = 0;
        this._trouble = null;
        this._batchLimit = MAX_BATCH_EVENTS;
        const settled = this._take(batch);
        const refused = new Set(outcome.rejected.map(entry => entry.uuid));
        const bad = settled.filter(event => refused.has(event.uuid)).length;
        this._delivered += settled.length - bad;
        if (bad > 0) {
          this._drop(bad, outcome.rejected[0]?.message ?? '');
        }
        this._options.onSettled?.(settled);
        this._changed();
        return true;
      }
      case 'too-large':
        if (batch.length > 1) {
          this._batchLimit = Math.max(1, Math.floor(batch.length / 2));
        } else {
          this._drop(this._take(batch).length, 'too large');
          this._changed();
        }
        return true;
      case 'refused': {
        const settled = this._take(batch);
        this._drop(settled.length, outcome.reason);
        this._options.onSettled?.(settled);
        this._changed();
        return true;
      }
      case 'retry':
        this._failures += 1;
        this._trouble = outcome.reason;
        this._schedule(this._retryDelay(outcome.afterMs));
        this._changed();
        return false;
      case 'off':
        this._switchOff(outcome.reason);
        return false;
    }
  }

  private _switchOff(reason: string): void {
    this._off = reason;
    this._cancelTimer();
    const { store } = this._options;
    store.remove(store.oldest(Infinity, Infinity).map(event => event.uuid));
    this._changed();
  }

  private _take(batch: readonly QueuedEvent[]): QueuedEvent[] {
    return this._options.store.remove(batch.map(event => event.uuid));
  }

  private _drop(count: number, reason: string): void {
    if (count === 0) {
      return;
    }
    if (this._dropped === 0) {
      this._options.warn?.(
        `ipynb-telemetry: ${count} event(s) given up (${reason}); further ones are only counted`
      );
    }
    this._dropped += count;
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

  private _cancelTimer(): void {
    this._timer?.cancel();
    this._timer = null;
  }

  private _changed(): void {
    this._options.onChange?.();
  }

  private _options: OutboxOptions;
  private _timer: { ms: number; cancel: () => void } | null = null;
  private _pumping = false;
  private _hiding = false;
  private _failures = 0;
  private _batchLimit = MAX_BATCH_EVENTS;
  private _delivered = 0;
  private _dropped = 0;
  private _trouble: string | null = null;
  private _off: string | null = null;
  private _stopped = false;
}
