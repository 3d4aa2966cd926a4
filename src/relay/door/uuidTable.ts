/** A set of 128-bit ids in flat memory (16 bytes a slot), from which members can be taken out again. */
import { randomInt } from 'node:crypto';

const SHARDS = 256;
const FIRST_SLOTS = 64;
/** Share of the slots in use at which a shard doubles. */
const MAX_LOAD = 0.7;

interface Shard {
  /** Open addressing, four words a slot; all zero means free. */
  slots: Uint32Array;
  used: number;
}

/** 23 to 46 bytes an id. Shards grow one by one, so that no single call takes long. */
export class UuidTable {
  #size = 0;
  // Clients choose ids; with seeds of our own they cannot choose which of them meet in a slot.
  readonly #s0 = randomInt(0x1_0000_0000);
  readonly #s1 = randomInt(0x1_0000_0000);
  readonly #s2 = randomInt(0x1_0000_0000);
  readonly #s3 = randomInt(0x1_0000_0000);
  readonly #shards: Shard[] = Array.from({ length: SHARDS }, () => ({
    slots: new Uint32Array(FIRST_SLOTS * 4),
    used: 0
  }));

  get size(): number {
    return this.#size;
  }

  /** Bytes of memory in use for the slots. */
  get bytes(): number {
    return this.#shards.reduce((sum, { slots }) => sum + slots.byteLength, 0);
  }

  /** Whether the id of these four words (32 bits each, unsigned, not all zero) is in the table. */
  has(a: number, b: number, c: number, d: number): boolean {
    const hash = this.#hash(a, b, c, d);
    const { slots } = this.#shards[hash & (SHARDS - 1)]!;
    return !isFree(slots, find(slots, a, b, c, d, hash >>> 8));
  }

  /** Adds an id; false if it is in the table already. */
  add(a: number, b: number, c: number, d: number): boolean {
    const hash = this.#hash(a, b, c, d);
    const shard = this.#shards[hash & (SHARDS - 1)]!;
    const i = find(shard.slots, a, b, c, d, hash >>> 8);
    if (!isFree(shard.slots, i)) {
      return false;
    }
    write(shard.slots, i, a, b, c, d);
    shard.used += 1;
    this.#size += 1;
    if (shard.used > (shard.slots.length / 4) * MAX_LOAD) {
      shard.slots = this.#doubled(shard.slots);
    }
    return true;
  }

  /** Takes an id out; false if it was not there. */
  delete(a: number, b: number, c: number, d: number): boolean {
    const hash = this.#hash(a, b, c, d);
    const shard = this.#shards[hash & (SHARDS - 1)]!;
    const i = find(shard.slots, a, b, c, d, hash >>> 8);
    if (isFree(shard.slots, i)) {
      return false;
    }
    this.#closeGap(shard.slots, i);
    shard.used -= 1;
    this.#size -= 1;
    return true;
  }

  #hash(a: number, b: number, c: number, d: number): number {
    let hash = mix(a ^ this.#s0);
    hash = mix((b ^ hash) + this.#s1);
    hash = mix((c ^ hash) + this.#s2);
    return mix((d ^ hash) + this.#s3);
  }

  /** Frees a slot and moves up what had to step past it, so that searches still find everything. */
  #closeGap(slots: Uint32Array, freed: number): void {
    const mask = slots.length - 1;
    let gap = freed;
    for (let i = (gap + 4) & mask; !isFree(slots, i); i = (i + 4) & mask) {
      const home = (this.#homeOf(slots, i) << 2) & mask;
      // Movable where its home does not lie between the gap and itself.
      if (((i - home) & mask) >= ((i - gap) & mask)) {
        slots.copyWithin(gap, i, i + 4);
        gap = i;
      }
    }
    slots.fill(0, gap, gap + 4);
  }

  #doubled(old: Uint32Array): Uint32Array {
    const slots = new Uint32Array(old.length * 2);
    for (let i = 0; i < old.length; i += 4) {
      if (!isFree(old, i)) {
        const [a, b, c, d] = [old[i]!, old[i + 1]!, old[i + 2]!, old[i + 3]!];
        const home = this.#hash(a, b, c, d) >>> 8;
        write(slots, find(slots, a, b, c, d, home), a, b, c, d);
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

/** Where the id is, or the free slot where it belongs: an index into `slots`. The search begins at slot `home`. */
function find(
  slots: Uint32Array,
  a: number,
  b: number,
  c: number,
  d: number,
  home: number
): number {
  const mask = slots.length - 1;
  for (let i = (home << 2) & mask; ; i = (i + 4) & mask) {
    const first = slots[i]!;
    if (
      (first === a &&
        slots[i + 1] === b &&
        slots[i + 2] === c &&
        slots[i + 3] === d) ||
      (first === 0 && isFree(slots, i))
    ) {
      return i;
    }
  }
}

function write(
  slots: Uint32Array,
  i: number,
  a: number,
  b: number,
  c: number,
  d: number
): void {
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
