/** Unwraps what clients wrap around their JSON: gzip, base64, and a form's `data` field, in any of the usual orders. */
import { isUtf8 } from 'node:buffer';
import { promisify } from 'node:util';
import { gunzip, gunzipSync } from 'node:zlib';
import { RelayError } from '../errors.js';

/** What the request says of its body. */
export interface Hints {
  contentType?: string | undefined;
  contentEncoding?: string | undefined;
  /** The query's `compression`. */
  compression?: string | null | undefined;
}

/** From this size on, decompression goes to a thread of its own. */
const ASYNC_BYTES = 16 * 1024;
/** Output of one step of decompression; each step of a large body visits that thread once. */
const CHUNK_BYTES = 128 * 1024;
/** Form, base64, gzip, and base64 once more: nobody wraps deeper. */
const MAX_LAYERS = 5;

const gunzipAsync = promisify(gunzip);

/**
 * The JSON text, in UTF-8 and without a byte order mark.
 *
 * Hints are only hints, as with PostHog: what counts is what the bytes are. A gzip stream is
 * known by its first two bytes, and clients of today announce it in no other way.
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
      bytes = await decompress(bytes, limit);
      continue;
    }
    if (looksLikeJson(bytes)) {
      break;
    }
    const form = wasForm ? undefined : formData(bytes, hints);
    if (form !== undefined) {
      wasForm = true;
      bytes = form;
      continue;
    }
    const inner = base64(bytes);
    if (inner === undefined) {
      break;
    }
    bytes = inner;
  }
  if (bytes.length > limit) {
    throw new RelayError('decompressed_too_large', { limit });
  }
  if (!looksLikeJson(bytes)) {
    explain(hints, wasGzip);
  }
  if (!isUtf8(bytes)) {
    throw new RelayError('not_utf8');
  }
  return hasMark(bytes) ? bytes.subarray(3) : bytes;
}

async function decompress(bytes: Buffer, limit: number): Promise<Buffer> {
  try {
    return bytes.length < ASYNC_BYTES
      ? gunzipSync(bytes, { maxOutputLength: limit })
      : await gunzipAsync(bytes, {
          maxOutputLength: limit,
          chunkSize: CHUNK_BYTES
        });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'ERR_BUFFER_TOO_LARGE'
      ? new RelayError('decompressed_too_large', { limit })
      : new RelayError('bad_gzip');
  }
}

/** Names the compression that was announced and cannot be undone; other text is left to the JSON parser. */
function explain(hints: Hints, wasGzip: boolean): void {
  const given = (hints.compression ?? hints.contentEncoding ?? '')
    .trim()
    .toLowerCase();
  if (/^(gzip|gzip-js|x-gzip)$/.test(given)) {
    if (!wasGzip) {
      throw new RelayError('bad_gzip');
    }
  } else if (!/^(|identity|base64|b64)$/.test(given)) {
    throw new RelayError('unsupported_compression', {
      given: /^[\w-]{1,20}$/.test(given) ? given : 'something else'
    });
  }
}

function isGzip(bytes: Buffer): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
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

/** Content of the form's `data` field, if the body is such a form. */
function formData(bytes: Buffer, hints: Hints): Buffer | undefined {
  const type = hints.contentType ?? '';
  if (
    !type.startsWith('application/x-www-form-urlencoded') &&
    bytes.subarray(0, 5).toString('latin1') !== 'data='
  ) {
    return undefined;
  }
  const data = new URLSearchParams(bytes.toString('latin1')).get('data');
  // Some clients leave `+` as it is, and a form takes it for a blank.
  return data === null
    ? undefined
    : Buffer.from(
        looksLikeJson(Buffer.from(data.slice(0, 64)))
          ? data
          : data.replaceAll(' ', '+')
      );
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
