/** Where events wait to be delivered: what the outbox asks of a store, whatever keeps it. */
import type { WireEvent } from '../events/types.js';
import { noteFault } from './guard.js';
import type { Journal } from './journal.js';
import type { Counts } from './made.js';

/** An event in the outbox: its id is always there, and its number (`properties.seq`). */
export type QueuedEvent = WireEvent & { uuid: string };

/** An event before the store has given it its `seq`. */
export type UnnumberedEvent = WireEvent & { uuid: string };

/** Events that travel together. */
export interface Batch {
  events: QueuedEvent[];
  /** Of their JSON in UTF-8, commas included. */
  bytes: number;
}

/** How much is kept for one destination while nothing can be delivered. */
export interface StoreLimits {
  events: number;
  /** Of JSON in UTF-8. */
  bytes: number;
}

/** Beyond that the least valuable events are given up. */
export const LIMITS: StoreLimits = { events: 10_000, bytes: 20_000_000 };

/** What a store does by itself. */
export interface StoreListener {
  /** More, or other, events wait than before. */
  changed(): void;
  /** Events were given up. */
  dropped(count: number, reason: string): void;
}

/**
 * Keeps events of one course until they are removed, each one once, and numbers them:
 * `seq` counts per session from 1 without gaps, whatever tabs and reloads share the session.
 *
 * The outbox asks from within `pagehide`, where nothing can be awaited: what is not a
 * promise here is answered from memory. Nothing here throws or rejects.
 */
export interface CourseStore {
  /** Events that wait. */
  readonly size: number;
  /** Events given up, in all sessions that are remembered. */
  readonly dropped: number;
  /** What left from here. */
  readonly journal: Journal;
  /** @param listener hears what the store does by itself; there is one. */
  listen(listener: StoreListener): void;
  /** Takes events. One that has a number keeps it; one whose id is waiting already is no news. */
  add(events: readonly UnnumberedEvent[]): void;
  /**
   * The events that are to be sent next: `maxEvents` at most, and `maxBytes`, but one at
   * least, and none of `except`.
   */
  next(
    maxEvents: number,
    maxBytes: number,
    except?: ReadonlySet<string>
  ): Batch;
  /** The page may be gone in a moment: makes as many events as possible ready for `next`. */
  hasten(): void;
  /** Removes events by id and returns those that were there. */
  remove(uuids: Iterable<string>, fate: 'delivered' | 'dropped'): QueuedEvent[];
  /** What became of a session's events. */
  countsOf(sess: string): Counts;
  /** Up to `max` events that wait, the oldest first, with those that tabs left behind. */
  waiting(max: number): Promise<QueuedEvent[]>;
  /**
   * Forgets what waits, here and in tabs that are gone, except what `keep` wants kept.
   * Resolves with the number of events when it is done.
   */
  clear(keep?: (event: QueuedEvent) => boolean): Promise<number>;
  /** Lets go of everything; what waits stays where it is kept. */
  dispose(): void;
}

/** The stores of all courses, of which one has its turn. */
export interface OutboxStore extends CourseStore {
  /**
   * It is the turn of `course`. Before it is said for the first time nothing can be sent;
   * events of another course wait until it is that course's turn again.
   */
  open(course: string): void;
}

/** The event in `text`; null where it is damaged. */
export function readEvent(text: unknown): UnnumberedEvent | null {
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

/** The session of an event; '' for one without. */
export function sessionOf(event: UnnumberedEvent): string {
  const { sess } = event.properties;
  return typeof sess === 'string' ? sess : '';
}

/** The number of an event; 0 for one without. */
export function numberOf(event: UnnumberedEvent): number {
  const { seq } = event.properties;
  return typeof seq === 'number' ? seq : 0;
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

export { chooseStore, openStore } from './openStore.js';

const encoder = new TextEncoder();

/** Bytes of `text` in UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** Bytes of `value` as JSON in UTF-8. */
export function sizeOf(value: unknown): number {
  return bytesOf(JSON.stringify(value));
}
