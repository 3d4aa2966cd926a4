/** A set of UUIDs at some 30 bytes each, so that every event of a long course can be told from its repeats. */

const SHARDS = 256;
const FIRST_SLOTS = 8;
/** Share of the slots in use at which a shard doubles. */
const MAX_LOAD = 0.7;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** Four words of 32 bits. */
type Words = [number, number, number, number];

interface Shard {
  /** Open addressing, four words a slot; all zero means free. */
  slots: Uint32Array;
  used: number;
}

/**
 * A grow-only set. A JavaScript `Set` of strings takes three times the memory and
 * ends at 16.7 million entries; growing in shards keeps each pause short.
 */
export class UuidSet {
  /** Adds `uuid`, in either case; false if it was there. Anything but a UUID is kept as it is. */
  add(uuid: string): boolean {
    const words = UUID.test(uuid) ? wordsOf(uuid) : null;
    if (words === null || words.every(word => word === 0)) {
      const size = this._others.size;
      return this._others.add(uuid.toLowerCase()).size > size;
    }
    // The last bits are random in every version; the first ones of a v7 are time.
    const number = words[3] % SHARDS;
    const shard = (this._shards[number] ??= {
      slots: new Uint32Array(FIRST_SLOTS * 4),
      used: 0
    });
    if (!this._insert(shard.slots, words)) {
      return false;
    }
    shard.used += 1;
    if (shard.used > (shard.slots.length / 4) * MAX_LOAD) {
      shard.slots = this._doubled(shard.slots);
    }
    return true;
  }

  private _insert(slots: Uint32Array, [a, b, c, d]: Words): boolean {
    const mask = slots.length / 4 - 1;
    // Seeded: clients choose ids, and must not be able to choose collisions.
    let hash = Math.imul(a ^ this._seed, 0x9e3779b1);
    hash = Math.imul((hash ^ (hash >>> 15) ^ b) >>> 0, 0x85ebca77);
    hash = Math.imul((hash ^ (hash >>> 13) ^ c) >>> 0, 0xc2b2ae3d);
    hash = Math.imul((hash ^ (hash >>> 16) ^ d) >>> 0, 0x27d4eb2f);
    for (let slot = (hash ^ (hash >>> 15)) & mask; ; slot = (slot + 1) & mask) {
      const i = slot * 4;
      if (
        slots[i] === a &&
        slots[i + 1] === b &&
        slots[i + 2] === c &&
        slots[i + 3] === d
      ) {
        return false;
      }
      if ((slots[i]! | slots[i + 1]! | slots[i + 2]! | slots[i + 3]!) === 0) {
        slots.set([a, b, c, d], i);
        return true;
      }
    }
  }

  private _doubled(old: Uint32Array): Uint32Array {
    const slots = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 4) {
      const words: Words = [old[i]!, old[i + 1]!, old[i + 2]!, old[i + 3]!];
      if (words.some(word => word !== 0)) {
        this._insert(slots, words);
      }
    }
    return slots;
  }

  private readonly _seed = Math.floor(Math.random() * 2 ** 32);
  private readonly _shards: (Shard | undefined)[] = new Array<undefined>(
    SHARDS
  ).fill(undefined);
  private readonly _others = new Set<string>();
}

function wordsOf(uuid: string): Words {
  const hex = uuid.replaceAll('-', '');
  const word = (n: number): number =>
    Number.parseInt(hex.slice(n * 8, n * 8 + 8), 16);
  return [word(0), word(1), word(2), word(3)];
}
