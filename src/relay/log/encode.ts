/** A record as bytes, checked for its size, but for what is known only when it is written. */
import { FRAME_BYTES, payloadCrc } from './format.js';
import {
  MAX_BODY_BYTES,
  MAX_HEADER_BYTES,
  type RecordHeader
} from './types.js';

/** A record on its way, encoded but for its number. */
export interface PendingRecord {
  /** Room for the frame, then the JSON header. */
  head: Buffer;
  body: Uint8Array;
  /** Checksum of header and body. */
  crc: number;
}

/** Encodes a record. @throws RangeError if the body or the header is longer than a record may be. */
export function encode(header: RecordHeader, body: Uint8Array): PendingRecord {
  const json = JSON.stringify(header);
  const headerLength = Buffer.byteLength(json);
  if (body.length > MAX_BODY_BYTES || headerLength > MAX_HEADER_BYTES) {
    throw new RangeError(
      `A record takes a body of at most ${MAX_BODY_BYTES} bytes and a header of at most ${MAX_HEADER_BYTES}, got ${body.length} and ${headerLength}.`
    );
  }
  const head = Buffer.allocUnsafe(FRAME_BYTES + headerLength);
  head.write(json, FRAME_BYTES);
  return { head, body, crc: payloadCrc(head.subarray(FRAME_BYTES), body) };
}
