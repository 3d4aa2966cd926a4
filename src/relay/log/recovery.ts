/** Looks at a log's folder at start: which segments there are, what is torn, and which number comes next. */
import { join } from 'node:path';
import type { Disk, LogFile } from './disk.js';
import {
  decodeSegmentHeader,
  firstSeqOf,
  FORMAT_VERSION,
  FRAME_BYTES,
  SEGMENT_HEADER_BYTES
} from './format.js';
import { NEW_LENGTHS_NAME, readLengths, type Lengths } from './lengths.js';
import { scan } from './scan.js';
import { Segment } from './segment.js';
import { LogFormatError } from './types.js';

/** Name of a segment that is being made; one that is left over holds nothing acknowledged. */
export const SPARE_NAME = 'next.tmp';
/** Name of a segment that is being written again; one that is left over has not taken its place. */
export const REWRITE_NAME = 'rewrite.tmp';

/** What a folder holds. */
export interface Recovered {
  /** In order of their numbers, all sealed. */
  segments: Segment[];
  lastSeq: number;
  nextSeq: number;
  /** Bytes cut off because no flush had been acknowledged for them. */
  tornBytes: number;
  /** Reports damage once more when readers come upon it: as `segment:offset`. */
  damaged: string[];
}

/**
 * Reads the folder and cuts the torn tail off.
 *
 * A tail may also be an acknowledged record that was damaged later, and a reader may have
 * passed it: the numbers that it can have borne are not given out again.
 *
 * @throws LogFormatError if a segment was written by a later version.
 */
export async function recover(disk: Disk, folder: string): Promise<Recovered> {
  const found: Recovered = {
    segments: [],
    lastSeq: 0,
    nextSeq: 1,
    tornBytes: 0,
    damaged: []
  };
  const names = (await disk.list(folder)).sort();
  for (const name of [SPARE_NAME, REWRITE_NAME, NEW_LENGTHS_NAME]) {
    if (names.includes(name)) {
      await disk.remove(join(folder, name));
    }
  }
  const lengths = await readLengths(disk, folder);
  for (const name of names) {
    const firstSeq = firstSeqOf(name);
    if (firstSeq !== undefined) {
      found.nextSeq = Math.max(found.nextSeq, firstSeq);
      const known = lengths.has(firstSeq);
      await addSegment(disk, join(folder, name), firstSeq, known, found);
    }
  }
  stretch(found, lengths);
  // The last records may lie before segments that were opened and never used.
  for (let index = found.segments.length - 1; index >= 0; index -= 1) {
    const isLast = index === found.segments.length - 1;
    const segment = found.segments[index]!;
    // A finished segment has no tail that was never acknowledged: what is wrong there is damage.
    const mayBeTorn =
      isLast && (lengths.get(segment.firstSeq) ?? 0) < segment.end;
    if (await scanTail(disk, segment, mayBeTorn, found)) {
      break;
    }
  }
  await disk.flushFolder(folder);
  return found;
}

/** Gives segments that became shorter their length again: what is missing is then found as damage. */
function stretch(found: Recovered, lengths: Lengths): void {
  for (const [firstSeq, length] of lengths) {
    const segment = found.segments.find(one => one.firstSeq === firstSeq);
    if (segment) {
      segment.end = Math.max(segment.end, length);
    } else {
      found.damaged.push(`${firstSeq}.0:0`);
      const records = Math.ceil(length / FRAME_BYTES);
      found.nextSeq = Math.max(found.nextSeq, firstSeq + records);
    }
  }
}

async function addSegment(
  disk: Disk,
  path: string,
  firstSeq: number,
  finished: boolean,
  found: Recovered
): Promise<void> {
  const file = await disk.open(path, 'read');
  try {
    const size = await file.size();
    if (size < SEGMENT_HEADER_BYTES) {
      // Header and first records are flushed as one: nothing here was acknowledged, unless it was longer.
      found.tornBytes += finished ? 0 : size;
      await disk.remove(path);
      return;
    }
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await file.read(bytes, 0);
    const { header, damagedAt } = decodeSegmentHeader(bytes);
    if (header && header.version !== FORMAT_VERSION) {
      throw new LogFormatError(
        `${path} has format version ${header.version}, and this version reads ${FORMAT_VERSION} only. Start the version of ipynb-telemetry that wrote it.`
      );
    }
    const segment = new Segment(path, firstSeq, header?.id);
    segment.end = size;
    segment.sealed = true;
    found.segments.push(segment);
    found.damaged.push(...damagedAt.map(at => damageKey(segment, at)));
  } finally {
    await file.close();
  }
}

/** Walks a segment for its last record. Returns whether it has one. */
async function scanTail(
  disk: Disk,
  segment: Segment,
  cut: boolean,
  found: Recovered
): Promise<boolean> {
  const file = await disk.open(segment.path, 'write');
  try {
    let soundEnd = SEGMENT_HEADER_BYTES;
    let tailFrom = segment.end;
    let has = false;
    for await (const part of scan(file, {
      from: SEGMENT_HEADER_BYTES,
      to: segment.end,
      seq: segment.firstSeq,
      id: segment.id
    })) {
      if (part.kind === 'record') {
        has = true;
        soundEnd = part.end;
        found.lastSeq = Math.max(found.lastSeq, part.seq);
        segment.mark(part.seq, part.offset);
      } else if (part.end === segment.end) {
        tailFrom = part.offset;
      } else {
        found.damaged.push(damageKey(segment, part.offset));
      }
    }
    const tail = segment.end - tailFrom;
    found.nextSeq = Math.max(
      found.nextSeq,
      (has ? found.lastSeq + 1 : segment.firstSeq) +
        Math.ceil(tail / FRAME_BYTES)
    );
    await settleTail(file, segment, { cut, has, soundEnd, tail }, found);
    return has;
  } finally {
    await file.close();
  }
}

async function settleTail(
  file: LogFile,
  segment: Segment,
  scanned: { cut: boolean; has: boolean; soundEnd: number; tail: number },
  found: Recovered
): Promise<void> {
  const { cut, has, soundEnd, tail } = scanned;
  if (tail > 0 && cut && (has || segment.id !== undefined)) {
    found.tornBytes += tail;
    await file.truncate(soundEnd);
    segment.end = soundEnd;
  } else if (tail > 0) {
    found.damaged.push(damageKey(segment, segment.end - tail));
  }
  // What a killed process left in the page cache is read as durable from now on: make it so.
  await file.flush();
}

/** Names a damaged place, so that several readers count it once. */
export function damageKey(segment: Segment, offset: number): string {
  return `${segment.firstSeq}.${segment.edition}:${offset}`;
}
