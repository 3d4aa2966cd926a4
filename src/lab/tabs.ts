/** Which tabs of this browser are alive, so that one of them can send what a dead one left behind. */
import { eventId } from '../events/ids.js';
import { write, type Connection } from './database.js';
import { noteFault } from './guard.js';

/** This tab among the others. */
export interface Tabs {
  /** A new one for each load of the page. */
  readonly id: string;
  /** Resolves when other tabs can see that this one lives. Before it is called, nothing tells of this tab. */
  join(): Promise<void>;
  /**
   * Others may have taken this tab for dead, and sent what is its: it goes on under a new id.
   */
  onReborn: (former: string) => void;
  /** Those of `ids` that are alive; this one is. Null where that cannot be said now. */
  living(ids: readonly string[]): Promise<Set<string> | null>;
  /** Runs `action` unless another tab runs it just now. */
  alone(name: string, action: () => Promise<void>): Promise<void>;
  dispose(): void;
}

/** Web Locks where the browser has them (`https`, or this very machine), else signs of life. */
export function joinTabs(connection: Connection): Tabs {
  const locks =
    typeof navigator === 'undefined'
      ? undefined
      : (navigator as { locks?: LockManager }).locks;
  return locks ? new LockTabs(locks) : new HeartbeatTabs(connection);
}

const lockName = (id: string): string => `ipynb-telemetry tab ${id}`;

/** Each tab holds a lock as long as it lives. The browser takes it back, however the tab ends. */
export class LockTabs implements Tabs {
  constructor(locks: LockManager) {
    this._locks = locks;
  }

  readonly id = eventId();
  onReborn: Tabs['onReborn'] = () => {};

  join(): Promise<void> {
    this._joined ??= new Promise(resolve => {
      this._locks
        .request(lockName(this.id), () => {
          resolve();
          return this._disposed;
        })
        .catch((error: unknown) => {
          noteFault('joining the other tabs', error);
          resolve();
        });
    });
    return this._joined;
  }

  async living(ids: readonly string[]): Promise<Set<string> | null> {
    try {
      const { held = [] } = await this._locks.query();
      const names = new Set(held.map(({ name }) => name));
      return new Set(
        ids.filter(id => id === this.id || names.has(lockName(id)))
      );
    } catch (error) {
      noteFault('asking for the other tabs', error);
      return null;
    }
  }

  async alone(name: string, action: () => Promise<void>): Promise<void> {
    await this._locks.request(
      `ipynb-telemetry ${name}`,
      { ifAvailable: true },
      lock => (lock ? action() : undefined)
    );
  }

  dispose(): void {
    this._dispose();
  }

  private _locks: LockManager;
  private _joined: Promise<void> | null = null;
  private _dispose: () => void = () => {};
  private _disposed = new Promise<void>(resolve => (this._dispose = resolve));
}

/** How often a tab gives a sign of life, in milliseconds. */
export const BEAT_MS = 20_000;
/** Silence after which a tab counts as dead: timers of hidden tabs run once a minute. */
export const SILENCE_MS = 180_000;

/**
 * Each tab writes the time into the database now and then. A tab that the browser froze, or
 * that slept with the computer, may be taken for dead: when it wakes it leaves behind what
 * it had and goes on under a new id. What it was sending at that moment may arrive twice.
 */
export class HeartbeatTabs implements Tabs {
  constructor(
    connection: Connection,
    { beatMs = BEAT_MS, silenceMs = SILENCE_MS, now = Date.now } = {}
  ) {
    this._connection = connection;
    this._beatMs = beatMs;
    this._silenceMs = silenceMs;
    this._now = now;
    this._lastBeat = now();
  }

  get id(): string {
    return this._id;
  }

  onReborn: Tabs['onReborn'] = () => {};

  join(): Promise<void> {
    if (this._joined === null) {
      this._lastBeat = this._now();
      this._joined = this._beat();
      this._timer = setInterval(() => void this._beat(), this._beatMs);
      if (typeof addEventListener === 'function') {
        addEventListener('pagehide', this._onPageHide);
        addEventListener('pageshow', this._onPageShow);
      }
    }
    return this._joined;
  }

  async living(ids: readonly string[]): Promise<Set<string> | null> {
    const database = await this._connection.open();
    if (!database) {
      return null;
    }
    const beats = await Promise.all(ids.map(id => database.get('tabs', id)));
    const latest = this._now() - this._silenceMs;
    return new Set(
      ids.filter((id, i) => id === this._id || (beats[i] ?? 0) > latest)
    );
  }

  async alone(_name: string, action: () => Promise<void>): Promise<void> {
    await action(); // The database lets one of two win.
  }

  dispose(): void {
    if (this._joined === null) {
      this._joined = Promise.resolve();
      return;
    }
    clearInterval(this._timer);
    if (typeof removeEventListener === 'function') {
      removeEventListener('pagehide', this._onPageHide);
      removeEventListener('pageshow', this._onPageShow);
    }
    this._leave();
  }

  private async _beat(): Promise<void> {
    const now = this._now();
    if (now - this._lastBeat > this._silenceMs / 2) {
      const former = this._id;
      this._id = eventId();
      this.onReborn(former);
    }
    this._lastBeat = now;
    try {
      const database = await this._connection.open();
      await database?.put('tabs', now, this._id);
    } catch (error) {
      noteFault('a sign of life', error);
    }
  }

  private _leave(): void {
    try {
      const { now } = this._connection;
      if (now) {
        const tx = write(now, ['tabs']);
        tx.store('tabs').delete(this._id);
        tx.commit();
      }
    } catch (error) {
      noteFault('a last sign of life', error);
    }
  }

  private _onPageHide = (): void => this._leave();

  private _onPageShow = (event: PageTransitionEvent): void => {
    if (event.persisted) {
      this._lastBeat = 0; // It had left.
      void this._beat();
    }
  };

  private _connection: Connection;
  private _joined: Promise<void> | null = null;
  private _beatMs: number;
  private _silenceMs: number;
  private _now: () => number;
  private _id = eventId();
  private _lastBeat: number;
  private _timer: ReturnType<typeof setInterval> | undefined;
}
