/** Randomness that can be repeated: the seed is printed, and SEED=… brings the same run again. */

/** A number in [0, 1) at each call. */
export type Random = () => number;

/** Takes SEED from the environment or makes one, and says which. */
export function seededRandom(what: string): { seed: number; random: Random } {
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
  process.stderr.write(`${what}: SEED=${seed}\n`);
  return { seed, random: mulberry32(seed) };
}

/** A whole number from `min` to `max`, both included. */
export function between(random: Random, min: number, max: number): number {
  return min + Math.floor(random() * (max - min + 1));
}

/** Numbers in [0, 1) that follow from the seed alone. */
export function mulberry32(seed: number): Random {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
