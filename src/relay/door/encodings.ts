/** Undoes HTTP's content encodings within a limit: bodies of the v1 route name theirs in the header, and nowhere else. */
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { RelayError } from '../errors.js';

/** From this size on, decompression goes to a thread of its own. */
const ASYNC_BYTES = 16 * 1024;
/** Output of one step of decompression; each step of a large body visits that thread once. */
const CHUNK_BYTES = 128 * 1024;

interface Limits {
  maxOutputLength: number;
  chunkSize?: number;
}

/** The two ways to undo one encoding. */
interface Codec {
  now: (bytes: Buffer, limits: Limits) => Buffer;
  soon: (bytes: Buffer, limits: Limits) => Promise<Buffer>;
}

/** Node's zstd, which Node 20 does not have. */
const zstd = zlib as unknown as Partial<{
  zstdDecompressSync: Codec['now'];
  zstdDecompress: typeof zlib.gunzip;
}>;

const CODECS: ReadonlyMap<string, Codec> = new Map<string, Codec>([
  ['gzip', { now: zlib.gunzipSync, soon: promisify(zlib.gunzip) }],
  ['deflate', { now: zlib.inflateSync, soon: promisify(zlib.inflate) }],
  [
    'br',
    {
      now: zlib.brotliDecompressSync,
      soon: promisify(zlib.brotliDecompress)
    }
  ],
  ...(zstd.zstdDecompressSync && zstd.zstdDecompress
    ? ([
        [
          'zstd',
          {
            now: zstd.zstdDecompressSync,
            soon: promisify(zstd.zstdDecompress)
          }
        ]
      ] satisfies [string, Codec][])
    : [])
]);

/** Encodings that can be undone here. */
export const ENCODINGS: readonly string[] = [...CODECS.keys()];

/**
 * The bytes behind `encoding`.
 *
 * @param limit most bytes of the result.
 * @throws RelayError `unsupported_media_type` for an encoding that is not known here,
 * `decompressed_too_large`, or `bad_gzip` and `bad_encoding` where it cannot be undone.
 */
export async function unzip(
  encoding: string,
  bytes: Buffer,
  limit: number
): Promise<Buffer> {
  const codec = CODECS.get(encoding);
  if (!codec) {
    throw new RelayError('unsupported_media_type', {
      expected: `Content-Encoding ${ENCODINGS.join(', ')} or none`
    });
  }
  try {
    return bytes.length < ASYNC_BYTES
      ? codec.now(bytes, { maxOutputLength: limit })
      : await codec.soon(bytes, {
          maxOutputLength: limit,
          chunkSize: CHUNK_BYTES
        });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ERR_BUFFER_TOO_LARGE') {
      throw new RelayError('decompressed_too_large', { limit });
    }
    throw encoding === 'gzip'
      ? new RelayError('bad_gzip')
      : new RelayError('bad_encoding', { encoding });
  }
}

/**
 * The bytes behind a `Content-Encoding` header.
 *
 * @throws RelayError as `unzip`.
 */
export async function decodeEncoding(
  bytes: Buffer,
  header: string | undefined,
  limit: number
): Promise<Buffer> {
  const given = (header ?? 'identity').trim().toLowerCase();
  if (given === 'identity' || given === '') {
    return bytes;
  }
  return unzip(given, bytes, limit);
}
