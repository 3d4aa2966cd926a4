/** Divides the courses among consumers: a course's events always take the same way. */

/** How many parts there are, and so how many consumers at most. Fixed: it is part of the subjects. */
export const PARTITIONS = 4;

/** The part of a course, from 0: FNV-1a over its id's characters. */
export function partitionOf(course: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < course.length; at += 1) {
    hash = Math.imul(hash ^ course.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % PARTITIONS;
}
