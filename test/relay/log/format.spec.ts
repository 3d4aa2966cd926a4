/** The bytes on disk are those that docs/event-log.md shows, for good. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  encodeSegmentHeader,
  FRAME_BYTES,
  payloadCrc,
  sealFrame,
  segmentName
} from '../../../src/relay/log/format.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { folders, header, readAll } from './support.js';

const temporary = folders();
afterAll(() => temporary.remove());

const text = '[{"event":"start"}]';

/** The bytes of the document's example. */
async function documented(): Promise<Buffer> {
  const page = await readFile('docs/event-log.md', 'utf8');
  const lines = [...page.matchAll(/^[0-9a-f]{4} {2}((?:[0-9a-f]{2} ?)+) /gm)];
  return Buffer.from(
    lines.map(line => line[1]!.replaceAll(' ', '')).join(''),
    'hex'
  );
}

describe('the format', () => {
  it('is written as documented', async () => {
    const id = 0x0123_4567_89ab_cdefn;
    const json = Buffer.from(JSON.stringify(header()));
    const body = Buffer.from(text);
    const head = Buffer.concat([Buffer.alloc(FRAME_BYTES), json]);
    sealFrame(head, body.length, 1, id, payloadCrc(json, body));
    expect(await documented()).toEqual(
      Buffer.concat([encodeSegmentHeader(1, id), head, body])
    );
  });

  it('is read as documented', async () => {
    const dir = await temporary.make();
    await writeFile(join(dir, segmentName(1)), await documented());
    const log = await openSegmentLog({ dir });
    expect(await readAll(log)).toEqual([
      { seq: 1, header: header(), body: Buffer.from(text) }
    ]);
    expect(log.status()).toMatchObject({ damaged: 0, tornBytes: 0 });
    await log.close();
  });

  it('has its fields where the tables say', async () => {
    const bytes = await documented();
    const headerLength = bytes.readUInt32LE(64 + 12);
    const record = bytes.subarray(64);
    expect(bytes.toString('latin1', 0, 8)).toBe('IPYNBLOG');
    expect(bytes.readUInt32LE(8)).toBe(1);
    expect(bytes.readUInt32LE(12)).toBe(
      crc32(Buffer.concat([bytes.subarray(0, 12), bytes.subarray(16, 32)]))
    );
    expect(record.toString('hex', 0, 4)).toBe('ff4e42fe');
    expect(record.readUInt32LE(4)).toBe(
      crc32(Buffer.concat([record.subarray(32), record.subarray(8, 32)]))
    );
    expect(record.readUInt32LE(8)).toBe(record.length);
    expect(record.readBigUInt64LE(16)).toBe(1n);
    expect(record.readBigUInt64LE(24)).toBe(bytes.readBigUInt64LE(24));
    expect(record.toString('utf8', 32 + headerLength)).toBe(text);
  });
});
