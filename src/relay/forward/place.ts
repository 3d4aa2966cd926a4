/** Where a forwarder stands in the log, and since when the engine has what came before: one small durable file. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readIfThere, writeFileWhole } from '../files.js';
import { flushFolder } from '../log/disk.js';
import type { Receipt, StreamFacts } from './engine.js';

/** At this time, everything below `seq` was acknowledged by the engine. */
export interface Mark {
  /** Milliseconds since 1970. */
  at: number;
  seq: number;
}

/** A forwarder's place. `seq` and `skip` are as in every cursor file; a record is forwarded whole. */
export interface Place {
  /** Number of the next record to publish. */
  seq: number;
  skip: 0;
  /** Incarnation of the stream that has the records before; null before the first one. */
  stream: string | null;
  /** The stream's keeper then; see `StreamFacts`. */
  keeper: string | null;
  /** What the engine acknowledged last. */
  last: Receipt | null;
  /** Oldest first; records below the first one's number are not needed any more. */
  marks: Mark[];
}

/** How many marks a keeping time is divided into. */
const STEPS = 24;

/** The place of a door that has forwarded nothing. */
export function startPlace(nowMs: number): Place {
  return {
    seq: 1,
    skip: 0,
    stream: null,
    keeper: null,
    last: null,
    marks: [{ at: nowMs, seq: 1 }]
  };
}

/** The place after the engine has acknowledged everything below `seq`. */
export function advance(
  place: Place,
  seq: number,
  nowMs: number,
  keepMs: number
): Place {
  const marks = [...place.marks];
  const newest = marks.at(-1)!;
  if (nowMs - newest.at >= keepMs / STEPS || nowMs < newest.at) {
    marks.push({ at: nowMs, seq });
  }
  return { ...place, seq, marks: trimmed(marks, nowMs, keepMs) };
}

/**
 * The lowest sequence number that is still needed: not acknowledged, or acknowledged less than
 * `keepMs` ago.
 */
export function lowestOf(
  { seq, marks }: Place,
  nowMs: number,
  keepMs: number
): number {
  return keepMs === 0
    ? seq
    : Math.min(seq, trimmed(marks, nowMs, keepMs)[0]!.seq);
}

/** The place from which everything from `seq` on is published again, to this stream. */
export function startOver(
  seq: number,
  { incarnation: stream, keeper }: Pick<StreamFacts, 'incarnation' | 'keeper'>,
  nowMs: number
): Place {
  return {
    seq,
    skip: 0,
    stream,
    keeper,
    last: null,
    marks: [{ at: nowMs, seq }]
  };
}

/** Without the marks that a later one has made needless: one that is old enough itself. */
function trimmed(
  marks: readonly Mark[],
  nowMs: number,
  keepMs: number
): Mark[] {
  const young = marks.findIndex(({ at }) => at > nowMs - keepMs);
  const oldEnough = young < 0 ? marks.length - 1 : young - 1;
  return marks.slice(Math.max(0, oldEnough));
}

/** A place, kept in a file. */
export interface PlaceFile {
  readonly place: Place;
  /** What was wrong with the stored place, if it had to be given up for the log's start. */
  readonly problem: string | null;
  /** Resolves once it survives a power cut. Not for concurrent use. */
  write(place: Place): Promise<void>;
}

/**
 * Opens the file, which need not exist yet. One that cannot be understood means the log's start:
 * everything kept is then published again, which consumers recognise.
 */
export async function openPlace(
  file: string,
  nowMs: number
): Promise<PlaceFile> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await flushFolder(dirname(dirname(file)));
  const text = await readIfThere(file);
  const stored = text === undefined ? undefined : parse(text);
  let place = stored ?? startPlace(nowMs);
  return {
    get place() {
      return place;
    },
    problem:
      text !== undefined && stored === undefined
        ? `${file}: expected a forwarder's place, got ${JSON.stringify(text.slice(0, 60))}; publishing from the beginning of the log`
        : null,
    async write(next) {
      await writeFileWhole(file, `${JSON.stringify(next)}\n`);
      place = next;
    }
  };
}

function parse(text: string): Place | undefined {
  try {
    const value = JSON.parse(text) as Partial<Place> | null;
    const { seq, stream, keeper, last, marks } = value ?? {};
    const fits =
      isSeq(seq) &&
      (stream === null || typeof stream === 'string') &&
      (keeper === null || typeof keeper === 'string') &&
      (last === null ||
        (typeof last?.id === 'string' && typeof last.place === 'string')) &&
      Array.isArray(marks) &&
      marks.length > 0 &&
      marks.every(mark => isSeq(mark.seq) && Number.isFinite(mark.at));
    return fits ? { seq, skip: 0, stream, keeper, last, marks } : undefined;
  } catch {
    return undefined;
  }
}

function isSeq(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
