/** Reads the files of a log without opening it: beside a running relay, changing nothing, and telling where they are damaged. */
import { join } from 'node:path';
import { open as openLmdb } from 'lmdb';
import { nodeDisk, type Disk } from './disk.js';
import {
  decodeSegmentHeader,
  firstSeqOf,
  FORMAT_VERSION,
  SEGMENT_HEADER_BYTES,
  segmentName
} from './format.js';
import { readLengths } from './lengths.js';
import { LMDB_FILE, recordOf } from './lmdbLog.js';
import { engineIn } from './openLog.js';
import { scan } from './scan.js';
import { LogFormatError, type LogRecord } from './types.js';

/** A place that is not as it was written. */
export interface Damage {
  /** Name of the file. */
  segment: string;
  /** Place in the file; null where the engine does not tell. */
  offset: number | null;
  bytes: number;
  /** Numbers of the records that may be lost; null if no record is. */
  seqs: { from: number; to: number | null } | null;
  /** In words. */
  what: string;
}

/** What is found on the way through the files. */
export type Inspected =
  | { kind: 'record'; record: LogRecord; segment: string }
  | { kind: 'damage'; damage: Damage }
  | {
      /** How far it is: `bytes` of `total`. */
      kind: 'progress';
      bytes: number;
      total: number;
    };

/** How the files are read. */
export interface InspectOptions {
  /** Lowest number of interest; what lies before is passed over where that is possible. */
  from?: number;
  /** A relay appends to the log: what is not complete at its end is being written. */
  running?: boolean;
  disk?: Disk;
}

/**
 * All records of the log in `folder`, in order, and all damage; nothing where there is no log yet.
 *
 * @throws LogFormatError if a later version wrote it.
 */
export async function* inspectLog(
  folder: string,
  options: InspectOptions = {}
): AsyncGenerator<Inspected, void, undefined> {
  // Another disk than the real one holds segments.
  const engine = options.disk ? 'segments' : await engineIn(folder);
  if (engine !== undefined) {
    yield* engine === 'lmdb'
      ? inspectLmdb(folder, options)
      : inspectSegments(folder, options);
  }
}

async function* inspectSegments(
  folder: string,
  { from = 1, running = false, disk = nodeDisk }: InspectOptions
): AsyncGenerator<Inspected, void, undefined> {
  const names = (await disk.list(folder))
    .filter(name => firstSeqOf(name) !== undefined)
    .sort();
  const wanted = names.filter((_name, index) => {
    const next = names[index + 1];
    return next === undefined || firstSeqOf(next)! > from;
  });
  for (const [index, name] of wanted.entries()) {
    yield { kind: 'progress', bytes: index, total: wanted.length };
    const next = wanted[index + 1];
    yield* inspectSegment(disk, folder, name, {
      next: next === undefined ? null : firstSeqOf(next)!,
      running
    });
  }
  yield { kind: 'progress', bytes: wanted.length, total: wanted.length };
  if (!running) {
    for (const [seq, bytes] of await readLengths(disk, folder)) {
      const name = segmentName(seq);
      if (!names.includes(name)) {
        yield damaged(
          name,
          0,
          bytes,
          { from: seq, to: null },
          'the file is missing'
        );
      }
    }
  }
}

async function* inspectSegment(
  disk: Disk,
  folder: string,
  name: string,
  { next, running }: { next: number | null; running: boolean }
): AsyncGenerator<Inspected, void, undefined> {
  const file = await disk
    .open(join(folder, name), 'read')
    .catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') {
        // The relay removed it meanwhile.
        return undefined;
      }
      throw error;
    });
  if (!file) {
    return;
  }
  try {
    const size = await file.size();
    const first = firstSeqOf(name)!;
    // Looked up after the file was opened: a relay takes the note away before it shortens a segment.
    const noted = (await readLengths(disk, folder)).get(first) ?? 0;
    const start = Buffer.alloc(SEGMENT_HEADER_BYTES);
    if (size < SEGMENT_HEADER_BYTES) {
      if (size > 0 || next !== null || noted > 0) {
        yield damaged(
          name,
          0,
          size,
          null,
          noted > 0
            ? 'the file has lost all of its records'
            : 'a file shorter than its header, in which nothing was acknowledged'
        );
      }
      return;
    }
    await file.read(start, 0);
    const { header, damagedAt } = decodeSegmentHeader(start);
    if (header && header.version !== FORMAT_VERSION) {
      throw new LogFormatError(
        `${name} has format version ${header.version}, and this version reads ${FORMAT_VERSION} only.`
      );
    }
    for (const at of damagedAt) {
      yield damaged(
        name,
        at,
        SEGMENT_HEADER_BYTES / 2,
        null,
        'a copy of the header; no record is lost by that'
      );
    }
    if (header && header.firstSeq !== first) {
      yield damaged(
        name,
        16,
        8,
        null,
        `the header says ${header.firstSeq} is its first number`
      );
    }
    let seq = first;
    let open: Damage | undefined;
    for await (const found of scan(file, {
      from: SEGMENT_HEADER_BYTES,
      // What a finished segment has lost at its end reads as zeros, which are no record.
      to: Math.max(size, noted),
      seq,
      id: header?.id
    })) {
      if (found.kind === 'record') {
        if (open) {
          open.seqs = { from: seq, to: Math.max(seq, found.seq - 1) };
          yield { kind: 'damage', damage: open };
          open = undefined;
        }
        const { header: noted, body } = found;
        seq = found.seq + 1;
        yield {
          kind: 'record',
          record: { seq: found.seq, header: noted, body },
          segment: name
        };
      } else {
        const bytes = found.end - found.offset;
        open = damaged(
          name,
          found.offset,
          bytes,
          null,
          'no sound record'
        ).damage;
      }
    }
    // What stands at the very end while a relay writes is not complete yet.
    if (open && !(running && next === null)) {
      open.seqs = { from: seq, to: next === null ? null : next - 1 };
      open.what =
        next === null && noted < size
          ? 'no sound record at the end: a write that was never acknowledged, or damage since'
          : open.what;
      yield { kind: 'damage', damage: open };
    }
  } finally {
    await file.close();
  }
}

async function* inspectLmdb(
  folder: string,
  { from = 1 }: InspectOptions
): AsyncGenerator<Inspected, void, undefined> {
  const root = openLmdb({
    path: join(folder, LMDB_FILE),
    noSubdir: true,
    readOnly: true,
    maxDbs: 4
  });
  try {
    const records = root.openDB<Buffer, number>({
      name: 'records',
      encoding: 'binary'
    });
    const total = records.getKeysCount({ start: from });
    let count = 0;
    for (const { key, value } of records.getRange({
      start: from,
      snapshot: false
    })) {
      const record = recordOf(key, value);
      yield record
        ? { kind: 'record', record, segment: LMDB_FILE }
        : {
            kind: 'damage',
            damage: {
              segment: LMDB_FILE,
              offset: null,
              bytes: value.length,
              seqs: { from: key, to: key },
              what: 'a record that is not as it was written'
            }
          };
      count += 1;
      if (count % 1000 === 0) {
        yield { kind: 'progress', bytes: count, total };
      }
    }
  } finally {
    await root.close();
  }
}

function damaged(
  segment: string,
  offset: number,
  bytes: number,
  seqs: Damage['seqs'],
  what: string
): { kind: 'damage'; damage: Damage } {
  return { kind: 'damage', damage: { segment, offset, bytes, seqs, what } };
}
