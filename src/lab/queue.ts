/** Events in memory, in the order in which they came, and by what they are worth. */
import type { Batch, QueuedEvent } from './store.js';

/** An event that waits, and what is asked about it often. */
export interface Entry<Place = unknown> {
  event: QueuedEvent;
  sess: string;
  /** See `rankOf`. */
  rank: number;
  /** Of its JSON in UTF-8. */
  bytes: number;
  /** Where a durable store keeps it. */
  place: Place;
}

/** A queue without doubles. */
export class Queue<Place = unknown> {
  get size(): number {
    return this._entries.size;
  }

  /** Bytes of all events. */
  get bytes(): number {
    return this._bytes;
  }

  has(uuid: string): boolean {
    return this._entries.has(uuid);
  }

  get(uuid: string): Entry<Place> | undefined {
    return this._entries.get(uuid);
  }

  /** Adds an entry at the end; false if its id is there already. */
  add(entry: Entry<Place>): boolean {
    const { uuid } = entry.event;
    if (this._entries.has(uuid)) {
      return false;
    }
    this._entries.set(uuid, entry);
    let peers = this._byRank.get(entry.rank);
    if (!peers) {
      this._byRank.set(entry.rank, (peers = new Set()));
    }
    peers.add(uuid);
    this._bytes += entry.bytes;
    return true;
  }

  /** Takes an entry out. */
  take(uuid: string): Entry<Place> | undefined {
    const entry = this._entries.get(uuid);
    if (entry) {
      this._entries.delete(uuid);
      this._byRank.get(entry.rank)?.delete(uuid);
      this._bytes -= entry.bytes;
    }
    return entry;
  }

  /** Takes out the oldest entry of the least valuable kind. */
  takeLeast(): Entry<Place> | undefined {
    let least: number | undefined;
    for (const [rank, peers] of this._byRank) {
      if (peers.size > 0 && (least === undefined || rank < least)) {
        least = rank;
      }
    }
    const [uuid] = least === undefined ? [] : this._byRank.get(least)!;
    return uuid === undefined ? undefined : this.take(uuid);
  }

  /** The oldest events, as `OutboxStore.next` asks for them. */
  next(
    maxEvents: number,
    maxBytes: number,
    except?: ReadonlySet<string>
  ): Batch {
    const batch: Batch = { events: [], bytes: 0 };
    for (const { event, bytes } of this._entries.values()) {
      if (except?.has(event.uuid)) {
        continue;
      }
      const total = batch.bytes + bytes + 1;
      if (
        batch.events.length > 0 &&
        (batch.events.length >= maxEvents || total > maxBytes)
      ) {
        break;
      }
      batch.events.push(event);
      batch.bytes = total;
    }
    return batch;
  }

  /** Every entry, the oldest first. */
  entries(): IterableIterator<Entry<Place>> {
    return this._entries.values();
  }

  private _entries = new Map<string, Entry<Place>>();
  private _byRank = new Map<number, Set<string>>();
  private _bytes = 0;
}
