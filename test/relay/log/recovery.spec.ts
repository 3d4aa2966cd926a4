/** What a damaged or torn segment costs: exactly the records that the damage touches. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  decodeSegmentHeader,
  encodeSegmentHeader,
  FRAME_BYTES,
  payloadCrc,
  sealFrame,
  SEGMENT_HEADER_BYTES,
  segmentName
} from '../../../src/relay/log/format.js';
import { inspectLog } from '../../../src/relay/log/inspect.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { LogFormatError, type EventLog } from '../../../src/relay/log/types.js';
import { Dice, ModelDisk } from './modelDisk.js';
import { body, folders, header, idOf, readAll } from './support.js';

jest.setTimeout(60_000);
const temporary = folders();
afterAll(() => temporary.remove());

/** One whole record as bytes. */
function record(seq: number, segmentId: bigint, bytes: Buffer): Buffer {
  const json = Buffer.from(JSON.stringify(header()));
  const head = Buffer.concat([Buffer.alloc(FRAME_BYTES), json]);
  sealFrame(head, bytes.length, seq, segmentId, payloadCrc(json, bytes));
  return Buffer.concat([head, bytes]);
}

/** A segment file with these bodies, and where each record starts; the last entry is the end. */
function segment(
  firstSeq: number,
  bodies: Buffer[],
  id = 0x1234_5678_9abc_def0n
): { bytes: Buffer; offsets: number[]; id: bigint } {
  const parts = [encodeSegmentHeader(firstSeq, id)];
  const offsets = [SEGMENT_HEADER_BYTES];
  for (const [index, content] of bodies.entries()) {
    const bytes = record(firstSeq + index, id, content);
    parts.push(bytes);
    offsets.push(offsets.at(-1)! + bytes.length);
  }
  return { bytes: Buffer.concat(parts), offsets, id };
}

/** Opens a folder that holds just these segments. */
async function opened(
  segments: Record<number, Buffer>,
  use: (log: EventLog, dir: string) => Promise<void>
): Promise<void> {
  const dir = await temporary.make();
  for (const [firstSeq, bytes] of Object.entries(segments)) {
    await writeFile(join(dir, segmentName(Number(firstSeq))), bytes);
  }
  const log = await openSegmentLog({ dir });
  try {
    await use(log, dir);
  } finally {
    await log.close();
  }
}

const three = [body('a', 60), body('b', 60), body('c', 60)];

describe('a torn tail', () => {
  it('is cut at every byte of the last record, and nothing before it', async () => {
    const { bytes, offsets } = segment(1, three);
    for (let length = offsets[2]!; length < bytes.length; length += 1) {
      await opened({ 1: bytes.subarray(0, length) }, async (log, dir) => {
        expect((await readAll(log)).map(idOf)).toEqual(['a', 'b']);
        expect(log.status()).toMatchObject({
          last: 2,
          damaged: 0,
          tornBytes: length - offsets[2]!
        });
        expect((await readFile(join(dir, segmentName(1)))).length).toBe(
          offsets[2]
        );
        expect(await log.append(header(), body('d'))).toBeGreaterThan(2);
        expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'd']);
      });
    }
  });

  it('leaves nothing of a segment that had no whole header yet', async () => {
    const { bytes } = segment(4, []);
    for (let length = 0; length < SEGMENT_HEADER_BYTES; length += 9) {
      await opened(
        { 1: segment(1, three).bytes, 4: bytes.subarray(0, length) },
        async log => {
          expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'c']);
          expect(log.status().damaged).toBe(0);
          expect(log.status().tornBytes).toBe(length);
          expect(await log.append(header(), body('d'))).toBe(4);
        }
      );
    }
  });

  it('is not taken for records when it is noise or zeros', async () => {
    const { bytes } = segment(1, three);
    for (const tail of [Buffer.alloc(5000), randomBytes(5000)]) {
      await opened({ 1: Buffer.concat([bytes, tail]) }, async log => {
        expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'c']);
        expect(log.status()).toMatchObject({ damaged: 0, tornBytes: 5000 });
      });
    }
  });

  it('never gives its numbers out again: a reader may have passed them', async () => {
    const { bytes, offsets } = segment(1, three);
    const harmed = Buffer.from(bytes);
    harmed[offsets[1]! + 50]! ^= 1;
    harmed[offsets[2]! + 50]! ^= 1;
    await opened({ 1: harmed }, async log => {
      expect((await readAll(log)).map(idOf)).toEqual(['a']);
      expect(await log.append(header(), body('d'))).toBeGreaterThan(3);
    });
  });

  it('does not bring back what a left-over new segment held', async () => {
    const dir = await temporary.make();
    await writeFile(join(dir, 'next.tmp'), segment(1, three).bytes);
    const log = await openSegmentLog({ dir });
    expect(await readAll(log)).toEqual([]);
    expect(await log.append(header(), body('d'))).toBe(1);
    await log.close();
    expect((await readdir(dir)).sort()).toEqual([
      segmentName(1),
      'lengths.json'
    ]);
  });
});

describe('a flipped bit', () => {
  const { bytes, offsets } = segment(1, three);
  const next = segment(4, [body('d', 60)]).bytes;

  /** What is left of the records a, b, c if byte `at` is damaged. */
  const spared = (at: number): string[] =>
    ['a', 'b', 'c'].filter(
      (_, index) => at < offsets[index]! || at >= offsets[index + 1]!
    );

  for (const place of ['last', 'earlier'] as const) {
    it(`at any place of the ${place} segment costs only the record it lies in`, async () => {
      for (let at = 0; at < bytes.length; at += 1) {
        const harmed = Buffer.from(bytes);
        harmed[at]! ^= 1 << (at % 8);
        const segments: Record<number, Buffer> =
          place === 'last' ? { 1: harmed } : { 1: harmed, 4: next };
        await opened(segments, async log => {
          const later = place === 'last' ? [] : ['d'];
          expect((await readAll(log)).map(idOf)).toEqual([
            ...spared(at),
            ...later
          ]);
          const { damaged, tornBytes } = log.status();
          const torn = place === 'last' && at >= offsets[2]!;
          expect({ damaged, torn: tornBytes > 0 }).toEqual({
            damaged: torn ? 0 : 1,
            torn
          });
          // Read by a second reader, it is still one damage.
          await readAll(log);
          expect(log.status().damaged).toBe(damaged);
          const seq = await log.append(header(), body('new'));
          expect(seq).toBeGreaterThan(place === 'last' ? 3 : 4);
        });
      }
    });
  }

  it('in both copies of the header costs no record', async () => {
    const harmed = Buffer.from(bytes);
    harmed[12]! ^= 1;
    harmed[44]! ^= 1;
    await opened({ 1: harmed }, async log => {
      expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'c']);
      expect(log.status().damaged).toBe(2);
      expect(await log.append(header(), body('new'))).toBe(4);
    });
  });
});

/** Lets a disk do everything at once. */
class Prompt extends Dice {
  override roll(): number {
    return 0;
  }
}

describe('a log that was closed', () => {
  const count = 4;

  /** A disk in memory with records 1 to 4 in several segments, and the names of these. */
  async function made(): Promise<{ disk: ModelDisk; names: string[] }> {
    const disk = new ModelDisk(new Prompt(1));
    const log = await openSegmentLog({ dir: '/log', disk, segmentBytes: 300 });
    for (let id = 1; id <= count; id += 1) {
      await log.append(header(), body(id, 60));
    }
    await log.close();
    return { disk, names: await segmentsOn(disk) };
  }

  async function segmentsOn(disk: ModelDisk): Promise<string[]> {
    const names = await disk.list('/log');
    return names.filter(name => name.endsWith('.seg')).sort();
  }

  async function sizeOf(disk: ModelDisk, name: string): Promise<number> {
    return (await disk.open(`/log/${name}`)).size();
  }

  /** Opens it, checks that what is there is right, and returns what is missing and what was counted. */
  async function harmed(
    disk: ModelDisk
  ): Promise<{ missing: number[]; damaged: number; verified: number }> {
    let verified = 0;
    for await (const found of inspectLog('/log', { disk })) {
      verified += found.kind === 'damage' ? 1 : 0;
    }
    const log = await openSegmentLog({ dir: '/log', disk });
    const records = await readAll(log);
    records.forEach(record => expect(idOf(record)).toBe(String(record.seq)));
    const seqs = records.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    expect(await log.append(header(), body('new'))).toBeGreaterThan(count);
    const missing = Array.from({ length: count }, (_, i) => i + 1).filter(
      seq => !seqs.includes(seq)
    );
    const { damaged, tornBytes } = log.status();
    expect(tornBytes).toBe(0);
    await log.close();
    return { missing, damaged, verified };
  }

  it('tells of a truncation at every byte of every segment, and loses what was cut off only', async () => {
    const { disk, names } = await made();
    expect(names.length).toBeGreaterThan(1);
    for (const name of names) {
      const size = await sizeOf(disk, name);
      const first = Number(name.slice(0, 16));
      for (let length = 0; length < size; length += 1) {
        const { disk: copy } = await made();
        await (await copy.open(`/log/${name}`)).truncate(length);
        const { missing, ...counted } = await harmed(copy);
        expect({ name, length, ...counted }).toEqual({
          name,
          length,
          damaged: 1,
          verified: 1
        });
        expect(missing.length).toBeGreaterThan(0);
        expect(missing.every(seq => seq >= first)).toBe(true);
        // Two of these records have 300 bytes and more.
        expect(missing.length).toBeLessThanOrEqual(2);
      }
    }
  });

  it('tells of a flipped bit at every byte, also in the last record', async () => {
    const { disk, names } = await made();
    for (const name of names) {
      const size = await sizeOf(disk, name);
      for (let at = 0; at < size; at += 1) {
        const { disk: copy } = await made();
        const file = await copy.open(`/log/${name}`);
        const byte = Buffer.alloc(1);
        await file.read(byte, at);
        byte[0]! ^= 1 << (at % 8);
        await file.write([byte], at);
        const { missing, ...counted } = await harmed(copy);
        expect({ name, at, ...counted }).toEqual({
          name,
          at,
          damaged: 1,
          verified: 1
        });
        expect(missing.length).toBe(at < SEGMENT_HEADER_BYTES ? 0 : 1);
      }
    }
  });

  it('tells of a segment that is missing', async () => {
    for (const index of [0, 1, -1]) {
      const { disk, names } = await made();
      await disk.remove(`/log/${names.at(index)!}`);
      const { missing, damaged, verified } = await harmed(disk);
      expect([damaged, verified]).toEqual([1, 1]);
      expect(missing.length).toBeGreaterThan(0);
    }
  });

  it('is no damaged one after it was released and written again, and killed', async () => {
    const { disk } = await made();
    const log = await openSegmentLog({ dir: '/log', disk });
    await log.release(3);
    await log.rewrite(({ seq }) => (seq === 4 ? 'drop' : 'keep'));
    disk.stop();
    const { missing, damaged, verified } = await harmed(disk.next('power cut'));
    expect([damaged, verified]).toEqual([0, 0]);
    expect(missing).toContain(4);
    expect(missing).not.toContain(3);
  });
});

describe('damage', () => {
  it('in a body does not let records inside that body through', async () => {
    const id = 77n;
    // What a client could send at best: a right record but for the segment's secret number.
    const forged = record(2, 78n, body('forged'));
    const tricky = Buffer.concat([forged, forged, body('tail')]);
    const { bytes, offsets } = segment(1, [tricky, body('good')], id);
    const harmed = Buffer.from(bytes);
    harmed[offsets[1]! - 1]! ^= 0x10;
    await opened({ 1: harmed }, async log => {
      expect((await readAll(log)).map(idOf)).toEqual(['good']);
      expect(log.status().damaged).toBe(1);
    });
  });

  it('over a long stretch with many markers is passed in good time', async () => {
    const marker = record(1, 5n, Buffer.alloc(0)).subarray(0, FRAME_BYTES);
    const traps = Buffer.concat(Array.from({ length: 100_000 }, () => marker));
    const { bytes, offsets } = segment(1, [traps, body('good')], 6n);
    const harmed = Buffer.from(bytes);
    harmed[offsets[0]! + 4]! ^= 1;
    const start = performance.now();
    await opened({ 1: harmed }, async log => {
      expect((await readAll(log)).map(idOf)).toEqual(['good']);
    });
    expect(performance.now() - start).toBeLessThan(30_000);
  });

  it('at the place where readers start is passed by them too', async () => {
    const bodies = Array.from({ length: 40 }, (_, index) =>
      body(index + 1, 10_000)
    );
    const { bytes, offsets } = segment(1, bodies);
    const harmed = Buffer.from(bytes);
    harmed.fill(0, offsets[19]! + 100, offsets[22]! + 5);
    await opened({ 1: harmed }, async log => {
      for (const from of [1, 15, 20, 21, 23, 24, 40]) {
        const seqs = (await readAll(log, from)).map(({ seq }) => seq);
        const all = Array.from({ length: 40 }, (_, index) => index + 1);
        expect(seqs).toEqual(
          all.filter(seq => seq >= from && (seq < 20 || seq > 23))
        );
      }
      expect(log.status().damaged).toBe(1);
    });
  });

  it('that shortens a sealed segment while it is open costs the end only', async () => {
    const { bytes, offsets } = segment(1, three);
    await opened(
      { 1: bytes, 4: segment(4, [body('d')]).bytes },
      async (log, dir) => {
        await truncate(join(dir, segmentName(1)), offsets[2]! + 10);
        expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'd']);
        expect(log.status().damaged).toBe(1);
      }
    );
  });

  it('that leaves nothing of a segment is counted and keeps the file', async () => {
    const noise = randomBytes(3000);
    await opened({ 1: segment(1, three).bytes, 4: noise }, async (log, dir) => {
      expect((await readAll(log)).map(idOf)).toEqual(['a', 'b', 'c']);
      expect(log.status().damaged).toBeGreaterThan(0);
      expect(await readFile(join(dir, segmentName(4)))).toEqual(noise);
      expect(await log.append(header(), body('d'))).toBeGreaterThan(4);
    });
  });
});

describe('a later format', () => {
  const inLaterVersion = (change: (bytes: Buffer) => void): Buffer => {
    const { bytes } = segment(1, three);
    change(bytes);
    return bytes;
  };

  it('is refused with a clear error, and left as it is', async () => {
    const later = inLaterVersion(bytes => {
      bytes.writeUInt32LE(2, 8);
      bytes.writeUInt32LE(2, 40);
    });
    const dir = await temporary.make();
    await writeFile(join(dir, segmentName(1)), later);
    for (let round = 0; round < 2; round += 1) {
      const opening = openSegmentLog({ dir });
      await expect(opening).rejects.toBeInstanceOf(LogFormatError);
      await expect(opening).rejects.toThrow(
        /0000000000000001\.seg has format version 2, .* reads 1 only/
      );
    }
    expect(await readFile(join(dir, segmentName(1)))).toEqual(later);
  });

  it('is told from a damaged version field', () => {
    const { bytes } = segment(9, []);
    bytes.writeUInt32LE(2, 8);
    expect(decodeSegmentHeader(bytes)).toMatchObject({
      header: { version: 1, firstSeq: 9 },
      damagedAt: [0]
    });
  });
});
