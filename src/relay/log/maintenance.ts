/** Takes segments out of an open log: whole ones that nobody needs, and records that have to go. */
import type { Disk } from './disk.js';
import { rewriteSegment, type Decider } from './rewrite.js';
import type { Segment } from './segment.js';
import type { Released, RewriteProgress, Rewritten } from './types.js';

/**
 * Removes the oldest of `segments` that hold only numbers below `below`. The last one always
 * stays: its name keeps the numbers before it from being given out again.
 */
export async function releaseSegments(
  disk: Disk,
  folder: string,
  segments: Segment[],
  below: number
): Promise<Released> {
  const released: Released = { segments: 0, bytes: 0 };
  while (segments.length > 1 && segments[1]!.firstSeq <= below) {
    const oldest = segments.shift()!;
    oldest.replacement = Promise.resolve(undefined);
    await disk.remove(oldest.path);
    released.segments += 1;
    released.bytes += oldest.end;
  }
  if (released.segments > 0) {
    await disk.flushFolder(folder);
  }
  return released;
}

/**
 * Lets `decider` decide about the records of all sealed segments that may hold one of its range.
 * Calls `onChanged` after each that was replaced or removed.
 */
export async function rewriteSegments(
  disk: Disk,
  folder: string,
  segments: Segment[],
  decider: Decider,
  progress: (progress: RewriteProgress) => void = () => undefined,
  onChanged: () => void = () => undefined
): Promise<Rewritten> {
  const affected = segments.filter(
    (segment, index) =>
      segment.sealed &&
      !segment.empty &&
      segment.firstSeq < decider.to &&
      (segments[index + 1]?.firstSeq ?? Infinity) > decider.from
  );
  const total = affected.reduce((sum, segment) => sum + segment.end, 0);
  const sum: Rewritten = { records: 0, changed: 0, dropped: 0, damaged: 0 };
  let bytes = 0;
  progress({ bytes, total });
  for (const old of affected) {
    const { counts, segment } = await rewriteSegment(
      disk,
      folder,
      old,
      decider
    );
    sum.records += counts.records;
    sum.changed += counts.changed;
    sum.dropped += counts.dropped;
    sum.damaged += counts.damaged;
    if (segment !== old) {
      segments.splice(segments.indexOf(old), 1, ...(segment ? [segment] : []));
      onChanged();
      await disk.flushFolder(folder);
    }
    bytes += old.end;
    progress({ bytes, total });
  }
  return sum;
}
