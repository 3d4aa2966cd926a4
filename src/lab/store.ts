/** Where events wait to be delivered. In memory; a store that survives a reload fits the same interface. */
import type { WireEvent } from '../events/types.js';

/** An event in the outbox: its id is always there. */
export type QueuedEvent = WireEvent & { uuid: string };

/**
 * A queue of events. The outbox asks from within `pagehide`, where nothing can be
 * awaited, so the answers are immediate; a durable store keeps a copy in memory.
 */
export interface OutboxStore {
  readonly size: number;
  /** Adds events at the end. */
  add(events: readonly QueuedEvent[]): void;
  /** The oldest events: `maxEvents` at most, and `maxBytes` of JSON in UTF-8, but one at least. */
  oldest(maxEvents: number, maxBytes: number): QueuedEvent[];
  /** Removes events by id and returns those that were there. */
  remove(uuids: Iterable<string>): QueuedEvent[];
}

/** Events in memory, oldest first. */
export class MemoryStore implements OutboxStore {
  get size(): number {
    return this._events.size;
  }

  add(events: readonly QueuedEvent[]): void {
    for (const event of events) {
      this._events.set(event.uuid, { event, bytes: sizeOf(event) });
    }
  }

  oldest(maxEvents: number, maxBytes: number): QueuedEvent[] {
    const chosen: QueuedEvent[] = [];
    let bytes = 0;
    for (const entry of this._events.values()) {
      bytes += entry.bytes + 1;
      if (
        chosen.length > 0 &&
        (chosen.length >= maxEvents || bytes > maxBytes)
      ) {
        break;
      }
      chosen.push(entry.event);
    }
    return chosen;
  }

  remove(uuids: Iterable<string>): QueuedEvent[] {
    const removed: QueuedEvent[] = [];
    for (const uuid of uuids) {
      const entry = this._events.get(uuid);
      if (entry && this._events.delete(uuid)) {
        removed.push(entry.event);
      }
    }
    return removed;
  }

  private _events = new Map<string, { event: QueuedEvent; bytes: number }>();
}

const encoder = new TextEncoder();

/** Bytes of `value` as JSON in UTF-8. */
export function sizeOf(value: unknown): number {
  return encoder.encode(JSON.stringify(value)).length;
}
