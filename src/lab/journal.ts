/** What was sent about the student from this browser, for the student to look at. */
import type { QueuedEvent } from './store.js';

/** One event that left. */
export interface JournalEntry {
  event: QueuedEvent;
  /** ISO 8601. */
  sentAt: string;
  /** Who sent it. */
  by: 'page' | 'kernel';
  /** `refused`: it arrived and was not kept. */
  outcome: 'delivered' | 'refused';
}

/** Events kept; the oldest go first. */
export const MAX_JOURNAL = 2000;

/** The last events that left. Nothing here throws or rejects. */
export interface Journal {
  /** Notes events; `outcome` is `delivered` unless it is given. */
  add(
    events: readonly QueuedEvent[],
    by: JournalEntry['by'],
    outcome?: JournalEntry['outcome']
  ): void;
  /** The last `max` events, the newest first. */
  list(max: number): Promise<JournalEntry[]>;
  clear(): Promise<void>;
}

/** A journal that ends with the page. */
export class MemoryJournal implements Journal {
  add(
    events: readonly QueuedEvent[],
    by: JournalEntry['by'],
    outcome: JournalEntry['outcome'] = 'delivered'
  ): void {
    const sentAt = new Date().toISOString();
    this._entries.push(
      ...events.map(event => ({ event, sentAt, by, outcome }))
    );
    this._entries.splice(0, this._entries.length - MAX_JOURNAL);
  }

  async list(max: number): Promise<JournalEntry[]> {
    return this._entries.slice(-Math.max(max, 1)).reverse();
  }

  async clear(): Promise<void> {
    this._entries = [];
  }

  private _entries: JournalEntry[] = [];
}
