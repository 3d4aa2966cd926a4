/** The bytes of a segment file: its header and the frame of a record. `docs/event-log.md` shows both. */
import { crc32 } from 'node:zlib';
import { MAX_BODY_BYTES, MAX_HEADER_BYTES } from './types.js';

/** Format of segment files that this version writes and reads. */
export const FORMAT_VERSION = 1;
/** Bytes of a segment's header: two equal copies, so that no single damage hides the records. */
export const SEGMENT_HEADER_BYTES = 64;
/** Bytes of a record before its JSON header. */
export const FRAME_BYTES = 32;
/** Starts every record. FF and FE occur in no UTF-8 text, so no sound body holds it. */
export const MARKER = Buffer.from([0xff, 0x4e, 0x42, 0xfe]);
/** Longest record, in bytes. */
export const MAX_RECORD_BYTES = FRAME_BYTES + MAX_HEADER_BYTES + MAX_BODY_BYTES;

const MAGIC = Buffer.from('IPYNBLOG', 'latin1');
const COPY_BYTES = SEGMENT_HEADER_BYTES / 2;
const MARKER_WORD = MARKER.readUInt32LE(0);

/** What a segment's header says. */
export interface SegmentHeader {
  version: number;
  firstSeq: number;
  /** Random number of this segment. Each of its records repeats it, so nothing a client sends passes for a record. */
  id: bigint;
}

/** What was made of a segment's first bytes. */
export interface HeaderReading {
  /** Undefined if neither copy is sound. */
  header: SegmentHeader | undefined;
  /** Offsets of damaged copies. */
  damagedAt: number[];
}

/** The fixed part of a record, as it stands; only the checksum tells whether it is true. */
export interface Frame {
  crc: number;
  /** Bytes of the whole record: frame, header and body. */
  length: number;
  headerLength: number;
  seq: number;
  segmentId: bigint;
}

/** A segment's header as bytes. */
export function encodeSegmentHeader(firstSeq: number, id: bigint): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt32LE(FORMAT_VERSION, 8);
  bytes.writeBigUInt64LE(BigInt(firstSeq), 16);
  bytes.writeBigUInt64LE(id, 24);
  bytes.writeUInt32LE(copyCrc(bytes.subarray(0, COPY_BYTES)), 12);
  bytes.copy(bytes, COPY_BYTES, 0, COPY_BYTES);
  return bytes;
}

/**
 * Reads a segment's header from its first 64 bytes.
 *
 * Where no copy is sound but the magic stands, the version is returned as it stands
 * there if it is a foreign one: a later format may check its header in another way.
 */
export function decodeSegmentHeader(bytes: Buffer): HeaderReading {
  const damagedAt: number[] = [];
  let header: SegmentHeader | undefined;
  for (const at of [0, COPY_BYTES]) {
    const copy = bytes.subarray(at, at + COPY_BYTES);
    if (
      copy.subarray(0, MAGIC.length).equals(MAGIC) &&
      copy.readUInt32LE(12) === copyCrc(copy)
    ) {
      header ??= fields(copy);
    } else {
      damagedAt.push(at);
    }
  }
  if (!header && bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    const claimed = fields(bytes);
    if (claimed.version !== FORMAT_VERSION) {
      return { header: claimed, damagedAt: [] };
    }
  }
  return { header, damagedAt };
}

function fields(copy: Buffer): SegmentHeader {
  return {
    version: copy.readUInt32LE(8),
    firstSeq: Number(copy.readBigUInt64LE(16)),
    id: copy.readBigUInt64LE(24)
  };
}

function copyCrc(copy: Buffer): number {
  return crc32(copy.subarray(16), crc32(copy.subarray(0, 12)));
}

/** Checksum of a record's header and body; `sealFrame` finishes it, once the number is known. */
export function payloadCrc(header: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(header));
}

/** Writes the frame into the first 32 bytes of `head`, the rest of which is the JSON header. */
export function sealFrame(
  head: Buffer,
  bodyLength: number,
  seq: number,
  segmentId: bigint,
  payload: number
): void {
  head.writeUInt32LE(MARKER_WORD, 0);
  head.writeUInt32LE(head.length + bodyLength, 8);
  head.writeUInt32LE(head.length - FRAME_BYTES, 12);
  head.writeBigUInt64LE(BigInt(seq), 16);
  head.writeBigUInt64LE(segmentId, 24);
  head.writeUInt32LE(crc32(head.subarray(8, FRAME_BYTES), payload), 4);
}

/** The frame at `at`, or undefined if none can stand there. `bytes` must hold 32 bytes from `at` on. */
export function readFrame(bytes: Buffer, at: number): Frame | undefined {
  if (bytes.readUInt32LE(at) !== MARKER_WORD) {
    return undefined;
  }
  const length = bytes.readUInt32LE(at + 8);
  const headerLength = bytes.readUInt32LE(at + 12);
  const seq = Number(bytes.readBigUInt64LE(at + 16));
  if (
    length > MAX_RECORD_BYTES ||
    headerLength > length - FRAME_BYTES ||
    !Number.isSafeInteger(seq)
  ) {
    return undefined;
  }
  return {
    crc: bytes.readUInt32LE(at + 4),
    length,
    headerLength,
    seq,
    segmentId: bytes.readBigUInt64LE(at + 24)
  };
}

/** Whether `record` (all its bytes) is as it was written. */
export function isSound(record: Buffer, frame: Frame): boolean {
  const payload = crc32(record.subarray(FRAME_BYTES));
  return crc32(record.subarray(8, FRAME_BYTES), payload) === frame.crc;
}

/** Name of the segment whose first record may have number `firstSeq`. Names sort as the numbers do. */
export function segmentName(firstSeq: number): string {
  return `${String(firstSeq).padStart(16, '0')}.seg`;
}

/** First number of the segment of that name; undefined for any other file. */
export function firstSeqOf(name: string): number | undefined {
  const digits = /^(\d{16})\.seg$/.exec(name)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
