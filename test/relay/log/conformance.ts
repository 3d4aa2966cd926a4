/** What every event log must do, whichever way it stores. */
import { afterAll, describe, expect, it } from '@jest/globals';
import {
  LogUnavailableError,
  MAX_BODY_BYTES,
  type EventLog
} from '../../../src/relay/log/types.js';
import { body, folders, header, idOf, readAll } from './support.js';

/** Opens (makes or reopens) the log in a folder. */
export type OpenLog = (folder: string) => Promise<EventLog>;

/** Runs the suite against one implementation. */
export function describeEventLog(name: string, open: OpenLog): void {
  describe(`event log: ${name}`, () => {
    const temporary = folders();
    afterAll(() => temporary.remove());

    /** Opens a new log, and closes it whatever happens. */
    const withLog = async (
      use: (log: EventLog, folder: string) => Promise<void>
    ): Promise<void> => {
      const folder = await temporary.make();
      const log = await open(folder);
      try {
        await use(log, folder);
      } finally {
        await log.close();
      }
    };

    it('starts empty', () =>
      withLog(async log => {
        expect(await readAll(log)).toEqual([]);
        expect(log.status()).toMatchObject({
          first: 0,
          last: 0,
          next: 1,
          damaged: 0,
          tornBytes: 0
        });
      }));

    it('numbers from 1 in the order of the calls and gives back what it took', () =>
      withLog(async log => {
        const headers = [
          { ...header(3), notes: { 1: { uuid: 'u' } } },
          { ...header(), student: 'José', later: { field: true } },
          header(0)
        ];
        const bodies = [
          body('a'),
          Buffer.from('"\u{1F600} ü"'),
          Buffer.alloc(0)
        ];
        const seqs = await Promise.all(
          bodies.map((bytes, index) => log.append(headers[index]!, bytes))
        );
        expect(seqs).toEqual([1, 2, 3]);
        const records = await readAll(log);
        expect(records.map(record => record.seq)).toEqual([1, 2, 3]);
        expect(records.map(record => record.header)).toEqual(headers);
        expect(records.map(record => Buffer.from(record.body))).toEqual(bodies);
        expect(log.status()).toMatchObject({ first: 1, last: 3, next: 4 });
      }));

    it('keeps everything over a close, and goes on counting', async () => {
      const folder = await temporary.make();
      for (let round = 0; round < 4; round += 1) {
        const log = await open(folder);
        expect(await log.append(header(), body(`a${round}`))).toBe(
          2 * round + 1
        );
        expect(await log.append(header(), body(`b${round}`))).toBe(
          2 * round + 2
        );
        await log.close();
      }
      const log = await open(folder);
      expect((await readAll(log)).map(idOf)).toEqual([
        'a0',
        'b0',
        'a1',
        'b1',
        'a2',
        'b2',
        'a3',
        'b3'
      ]);
      expect(log.status()).toMatchObject({ first: 1, last: 8, next: 9 });
      await log.close();
    });

    it('can be opened often without use', async () => {
      const folder = await temporary.make();
      for (let round = 0; round < 5; round += 1) {
        await (await open(folder)).close();
      }
      const log = await open(folder);
      expect(log.status().segments).toBeLessThanOrEqual(1);
      expect(await log.append(header(), body(1))).toBe(1);
      await log.close();
    });

    it('reads from any number on', () =>
      withLog(async log => {
        const count = 300;
        await Promise.all(
          Array.from({ length: count }, (_, index) =>
            log.append(header(), body(index + 1, 2000))
          )
        );
        for (const from of [0, 1, 2, 77, 150, 299, 300, 301, 1000]) {
          const seqs = (await readAll(log, from)).map(record => record.seq);
          const first = Math.max(1, from);
          expect(seqs).toEqual(
            Array.from(
              { length: Math.max(0, count - first + 1) },
              (_, index) => first + index
            )
          );
        }
      }));

    it('gives readers durable records only, while appends go on', () =>
      withLog(async log => {
        const count = 400;
        let durable = 0;
        const appended = Promise.all(
          Array.from({ length: count }, async (_, index) => {
            const seq = await log.append(header(), body(index + 1, 3000));
            expect(log.status().last).toBeGreaterThanOrEqual(seq);
            durable = Math.max(durable, seq);
          })
        );
        let next = 1;
        while (next <= count) {
          for await (const record of log.read(next)) {
            expect(record.seq).toBe(next);
            expect(idOf(record)).toBe(String(next));
            expect(log.status().last).toBeGreaterThanOrEqual(record.seq);
            next += 1;
          }
          await new Promise(resolve => setImmediate(resolve));
        }
        await appended;
        expect(durable).toBe(count);
      }));

    it('serves readers that give up in the middle', () =>
      withLog(async log => {
        await Promise.all(
          Array.from({ length: 50 }, (_, index) =>
            log.append(header(), body(index))
          )
        );
        for (let round = 0; round < 20; round += 1) {
          for await (const record of log.read(10)) {
            expect(record.seq).toBe(10);
            break;
          }
        }
        expect(await readAll(log)).toHaveLength(50);
      }));

    it('tells of growth once it is durable', () =>
      withLog(async log => {
        const seen: number[] = [];
        const unsubscribe = log.onDurable(last => {
          expect(last).toBe(log.status().last);
          seen.push(last);
        });
        await Promise.all([1, 2, 3].map(id => log.append(header(), body(id))));
        await log.append(header(), body(4));
        expect(seen.at(-1)).toBe(4);
        expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
        unsubscribe();
        await log.append(header(), body(5));
        expect(seen.at(-1)).toBe(4);
      }));

    it('says when everything so far is durable', () =>
      withLog(async log => {
        await log.flushed();
        let done = 0;
        const appends = Array.from({ length: 20 }, async (_, index) => {
          await log.append(header(), body(index));
          done += 1;
        });
        await log.flushed();
        expect(log.status().last).toBe(20);
        await Promise.all(appends);
        expect(done).toBe(20);
      }));

    it('takes long records among short ones', () =>
      withLog(async log => {
        const long = body('long', 9_000_000);
        await Promise.all([
          log.append(header(), body('before')),
          log.append(header(), long),
          log.append(header(), body('after'))
        ]);
        const records = await readAll(log);
        expect(records.map(idOf)).toEqual(['before', 'long', 'after']);
        expect(Buffer.from(records[1]!.body).equals(long)).toBe(true);
      }));

    it('refuses a body that is too long, and goes on', () =>
      withLog(async log => {
        await expect(
          log.append(header(), Buffer.alloc(MAX_BODY_BYTES + 1))
        ).rejects.toThrow(RangeError);
        expect(await log.append(header(), body(1))).toBe(1);
      }));

    it('finishes what it took when it is closed, and takes no more', async () => {
      const folder = await temporary.make();
      const log = await open(folder);
      const appends = Array.from({ length: 30 }, (_, index) =>
        log.append(header(), body(index))
      );
      const closing = [log.close(), log.close()];
      const late = log.append(header(), body('late'));
      await expect(late).rejects.toMatchObject({ code: 'closed' });
      await expect(late).rejects.toBeInstanceOf(LogUnavailableError);
      await Promise.all([...appends, ...closing]);
      const again = await open(folder);
      expect(await readAll(again)).toHaveLength(30);
      await again.close();
    });

    it('lets nobody else in while it is open', () =>
      withLog(async (_log, folder) => {
        await expect(open(folder)).rejects.toMatchObject({ code: 'locked' });
      }));
  });
}
