/** A set of 128-bit ids in flat memory (16 bytes a slot), from which members can be taken out again. */
import { randomInt } from 'node:crypto';

const SHARDS = 256;
const FIRST_SLOTS = 16;
/** Share of the slots in use at which a shard doubles. */
const MAX_LOAD = 0.7;

/** An id as four words of 32 bits, unsigned, not all zero. */
export type Words = readonly [number, number, number, number];

interface Shard {
  /** Open addressing, four words a slot; all zero means free. */
  slots: Uint32Array;
  used: number;
}

/** 23 to 46 bytes an id. Shards grow one by one, so that no single call takes long. */
export class UuidTable {
  #size = 0;
  // Clients choose ids; with seeds of our own they cannot choose which of them meet in a slot.
  readonly #seeds: Words = [
    randomInt(0x1_0000_0000),
    randomInt(0x1_0000_0000),
    randomInt(0x1_0000_0000),
    randomInt(0x1_0000_0000)
  ];
  readonly #shards: (Shard | undefined)[] = new Array<undefined>(SHARDS).fill(
    undefined
  );

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory in use for the slots. */
  get bytes(): number {
    return this.#shards.reduce(
      (sum, shard) => sum + (shard ? shard.slots.byteLength : 0),
      0
    );
  }

  has(id: Words): boolean {
    const hash = this.#hash(id[0], id[1], id[2], id[3]);
    const shard = this.#shards[hash & (SHARDS - 1)];
    return shard !== undefined && find(shard.slots, id, hash >>> 8) >= 0;
  }

  /** Adds an id that is not in the table. */
  add(id: Words): void {
    const hash = this.#hash(id[0], id[1], id[2], id[3]);
    const number = hash & (SHARDS - 1);
    const shard = (this.#shards[number] ??= {
      slots: new Uint32Array(FIRST_SLOTS * 4),
      used: 0
    });
    if (shard.used >= (shard.slots.length / 4) * MAX_LOAD) {
      shard.slots = this.#doubled(shard.slots);
    }
    put(shard.slots, id[0], id[1], id[2], id[3], hash >>> 8);
    shard.used += 1;
    this.#size += 1;
  }

  /** Takes an id out; false if it was not there. */
  delete(id: Words): boolean {
    const hash = this.#hash(id[0], id[1], id[2], id[3]);
    const shard = this.#shards[hash & (SHARDS - 1)];
    const at = shard ? find(shard.slots, id, hash >>> 8) : -1;
    if (!shard || at < 0) {
      return false;
    }
    this.#closeGap(shard.slots, at);
    shard.used -= 1;
    this.#size -= 1;
    return true;
  }

  #hash(a: number, b: number, c: number, d: number): number {
    const [s0, s1, s2, s3] = this.#seeds;
    let hash = mix(a ^ s0);
    hash = mix((b ^ hash) + s1);
    hash = mix((c ^ hash) + s2);
    return mix((d ^ hash) + s3);
  }

  /** Frees a slot and moves up what had to step past it, so that searches still find everything. */
  #closeGap(slots: Uint32Array, freed: number): void {
    const mask = slots.length / 4 - 1;
    let gap = freed;
    for (
      let slot = (gap + 1) & mask;
      !isFree(slots, slot * 4);
      slot = (slot + 1) & mask
    ) {
      const home = this.#homeOf(slots, slot * 4) & mask;
      // Movable where its home does not lie between the gap and itself.
      if (((slot - home) & mask) >= ((slot - gap) & mask)) {
        slots.copyWithin(gap * 4, slot * 4, slot * 4 + 4);
        gap = slot;
      }
    }
    slots.fill(0, gap * 4, gap * 4 + 4);
  }

  #doubled(old: Uint32Array): Uint32Array {
    const slots = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 4) {
      if (!isFree(old, i)) {
        const home = this.#homeOf(old, i);
        put(slots, old[i]!, old[i + 1]!, old[i + 2]!, old[i + 3]!, home);
      }
    }
    return slots;
  }

  #homeOf(slots: Uint32Array, i: number): number {
    return (
      this.#hash(slots[i]!, slots[i + 1]!, slots[i + 2]!, slots[i + 3]!) >>> 8
    );
  }
}

/** Slot of the id, or -1. The search begins at `home`. */
function find(slots: Uint32Array, id: Words, home: number): number {
  const [a, b, c, d] = id;
  const mask = slots.length / 4 - 1;
  for (let slot = home & mask; ; slot = (slot + 1) & mask) {
    const i = slot * 4;
    if (
      slots[i] === a &&
      slots[i + 1] === b &&
      slots[i + 2] === c &&
      slots[i + 3] === d
    ) {
      return slot;
    }
    if (isFree(slots, i)) {
      return -1;
    }
  }
}

function put(
  slots: Uint32Array,
  a: number,
  b: number,
  c: number,
  d: number,
  home: number
): void {
  const mask = slots.length / 4 - 1;
  let slot = home & mask;
  while (!isFree(slots, slot * 4)) {
    slot = (slot + 1) & mask;
  }
  const i = slot * 4;
  slots[i] = a;
  slots[i + 1] = b;
  slots[i + 2] = c;
  slots[i + 3] = d;
}

function isFree(slots: Uint32Array, i: number): boolean {
  return (slots[i]! | slots[i + 1]! | slots[i + 2]! | slots[i + 3]!) === 0;
}

/** Spreads every bit of a 32-bit word over all others. */
function mix(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
