/** Unwraps what clients of the v0 routes wrap around their JSON: gzip, lz-string, base64, and a form's `data` field, in any of the usual orders. */
import { isUtf8 } from 'node:buffer';
import { RelayError } from '../errors.js';
import { unzip } from './encodings.js';
import { decompressLz64, Lz64TooLongError } from './lz64.js';

/** What the request says of its body. */
export interface Hints {
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** The query's `compression`. */
  compression?: string | null | undefined;
}

/** Form, base64, gzip, and base64 once more: nobody wraps deeper. */
const MAX_LAYERS = 5;
/** Longest text taken from lz-string, in UTF-16 units: it is decompressed without a thread of its own. */
export const MAX_LZ64_UNITS = 8 * 1024 * 1024;

/**
 * The JSON text, in UTF-8 and without a byte order mark.
 *
 * Hints are only hints, as with PostHog: what counts is what the bytes are. A gzip stream is
 * known by its first two bytes, and clients of today announce it in no other way. lz-string's
 * text alone cannot be told from other base64, so it is looked for only where it is announced.
 *
 * @param limit largest result in bytes.
 * @throws RelayError if the bytes cannot be unwrapped.
 */
export async function decodeBody(
  received: Buffer,
  hints: Hints,
  limit: number
): Promise<Buffer> {
  let bytes = received;
  let hint = clean(hints.compression ?? hints.contentEncoding);
  let wasForm = false;
  let wasGzip = false;
  for (let layer = 0; layer < MAX_LAYERS; layer += 1) {
    if (bytes.length === 0) {
      throw new RelayError('empty_body');
    }
    if (isGzip(bytes)) {
      if (wasGzip) {
        throw new RelayError('bad_gzip');
      }
      wasGzip = true;
      bytes = await unzip('gzip', bytes, limit);
      continue;
    }
    if (looksLikeJson(bytes)) {
      break;
    }
    const form = wasForm ? undefined : formOf(bytes, hints);
    if (form !== undefined) {
      wasForm = true;
      bytes = form.data;
      if (hints.compression == null && form.compression !== null) {
        hint = clean(form.compression);
      }
      continue;
    }
    const inner =
      (isLz64(hint) ? lz64(bytes, limit) : undefined) ?? base64(bytes);
    if (inner === undefined) {
      break;
    }
    bytes = inner;
  }
  if (bytes.length > limit) {
    throw new RelayError('decompressed_too_large', { limit });
  }
  if (!looksLikeJson(bytes)) {
    explain(hint, wasGzip);
  }
  return utf8(bytes);
}

/** The same bytes without a byte order mark. @throws RelayError `not_utf8` */
export function utf8(bytes: Buffer): Buffer {
  if (!isUtf8(bytes)) {
    throw new RelayError('not_utf8');
  }
  return hasMark(bytes) ? bytes.subarray(3) : bytes;
}

/** Names the compression that was announced and cannot be undone; other text is left to the JSON parser. */
function explain(hint: string, wasGzip: boolean): void {
  if (/^(gzip|gzip-js|x-gzip)$/.test(hint)) {
    if (!wasGzip) {
      throw new RelayError('bad_gzip');
    }
  } else if (isLz64(hint)) {
    throw new RelayError('bad_lz64');
  } else if (!/^(|identity|base64|b64)$/.test(hint)) {
    throw new RelayError('unsupported_compression', {
      given: /^[\w-]{1,20}$/.test(hint) ? hint : 'something else'
    });
  }
}

function clean(hint: string | null | undefined): string {
  return (hint ?? '').trim().toLowerCase();
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

function isLz64(hint: string): boolean {
  return hint === 'lz64' || hint === 'lz-string';
}

function hasMark(bytes: Buffer): boolean {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
}

/** Whether the text begins as a JSON object or list does. */
function looksLikeJson(bytes: Buffer): boolean {
  for (let i = hasMark(bytes) ? 3 : 0; i < bytes.length; i += 1) {
    switch (bytes[i]) {
      case 0x20:
      case 0x09:
      case 0x0a:
      case 0x0d:
        continue;
      case 0x7b: // {
      case 0x5b: // [
        return true;
      default:
        return false;
    }
  }
  return false;
}

/** Content of the form's `data` field, if the body is such a form, and what the form says of its compression. */
function formOf(
  bytes: Buffer,
  hints: Hints
): { data: Buffer; compression: string | null } | undefined {
  const type = hints.contentType ?? '';
  if (
    !type.startsWith('application/x-www-form-urlencoded') &&
    bytes.subarray(0, 5).toString('latin1') !== 'data='
  ) {
    return undefined;
  }
  const form = new URLSearchParams(bytes.toString('utf8'));
  const data = form.get('data');
  return data === null
    ? undefined
    : { data: dataField(data), compression: form.get('compression') };
}

/** The bytes of a form's or query's `data`: some clients leave `+` as it is, and a form takes it for a blank. */
export function dataField(data: string): Buffer {
  return Buffer.from(
    looksLikeJson(Buffer.from(data.slice(0, 64)))
      ? data
      : data.replaceAll(' ', '+')
  );
}

/** The JSON behind lz-string's base64, if it is such. */
function lz64(bytes: Buffer, limit: number): Buffer | undefined {
  let text: string | undefined;
  try {
    text = decompressLz64(
      bytes.toString('latin1').trim(),
      Math.min(limit, MAX_LZ64_UNITS)
    );
  } catch (error) {
    throw error instanceof Lz64TooLongError
      ? new RelayError('decompressed_too_large', {
          limit: Math.min(limit, MAX_LZ64_UNITS)
        })
      : error;
  }
  if (text === undefined) {
    return undefined;
  }
  // Halves of characters have no form in UTF-8, but in JSON they have.
  const inner = Buffer.from(
    text.replace(
      /\p{Surrogate}/gu,
      half => `\\u${half.charCodeAt(0).toString(16)}`
    )
  );
  return looksLikeJson(inner) ? inner : undefined;
}

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}\s*$/;

/** The bytes behind base64 text, if it is such and holds something that is worth looking at. */
function base64(bytes: Buffer): Buffer | undefined {
  if (!BASE64.test(bytes.subarray(0, 128).toString('latin1').trim())) {
    return undefined;
  }
  const text = bytes.toString('latin1').trim();
  if (!BASE64.test(text)) {
    return undefined;
  }
  const inner = Buffer.from(text, 'base64');
  return isGzip(inner) ||
    looksLikeJson(inner) ||
    BASE64.test(inner.toString('latin1'))
    ? inner
    : undefined;
}
