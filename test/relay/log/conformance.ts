/** What every event log must do, whichever way it stores. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  LogUnavailableError,
  MAX_BODY_BYTES,
  type Change,
  type EventLog,
  type LogRecord,
  type RewriteProgress
} from '../../../src/relay/log/types.js';
import { body, folders, header, idOf, readAll } from './support.js';

/** Opens (makes or reopens) the log in a folder. */
export type OpenLog = (folder: string) => Promise<EventLog>;

/**
 * Runs the suite against one implementation.
 *
 * @param erases whether what is written again leaves no trace in the files.
 */
export function describeEventLog(
  name: string,
  open: OpenLog,
  { erases = true }: { erases?: boolean } = {}
): void {
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

    describe('that releases what nobody needs', () => {
      it('removes whole parts below a number, and nothing else', () =>
        withLog(async log => {
          for (let id = 1; id <= 60; id += 1) {
            await log.append(header(), body(id, 3000));
          }
          const before = log.status();
          const parts = log.parts();
          expect(parts[0]!.first).toBe(1);
          expect(parts.reduce((sum, part) => sum + part.bytes, 0)).toBe(
            before.bytes
          );
          expect(await log.release(1)).toEqual({ segments: 0, bytes: 0 });
          const released = await log.release(31);
          const seqs = (await readAll(log)).map(record => record.seq);
          const first = seqs[0]!;
          // The part that holds number 30 may hold later ones as well.
          expect(first).toBe(
            Math.max(...parts.map(part => part.first).filter(seq => seq <= 31))
          );
          expect(seqs).toEqual(
            Array.from({ length: 61 - first }, (_, index) => first + index)
          );
          expect(released.segments).toBe(
            parts.filter(part => part.first < first).length
          );
          expect(log.status()).toMatchObject({
            first,
            last: 60,
            next: 61,
            bytes: before.bytes - released.bytes
          });
        }));

      it('never gives a number out again, even with nothing left', async () => {
        const folder = await temporary.make();
        let expected = 1;
        for (let round = 0; round < 4; round += 1) {
          const log = await open(folder);
          expect(await readAll(log)).toEqual([]);
          for (let id = 0; id < 5; id += 1) {
            expect(await log.append(header(), body(id))).toBe(expected);
            expected += 1;
          }
          await log.release(expected);
          expect(await readAll(log)).toEqual([]);
          expect(log.status()).toMatchObject({ first: 0, next: expected });
          await log.close();
        }
      });

      it('while records are appended and read', () =>
        withLog(async log => {
          let appending = true;
          const appended = (async () => {
            for (let id = 1; id <= 120; id += 1) {
              await log.append(header(), body(id, 2000));
            }
            appending = false;
          })();
          let highest = 0;
          while (appending) {
            let previous = 0;
            for await (const record of log.read(1)) {
              expect(idOf(record)).toBe(String(record.seq));
              expect(record.seq).toBeGreaterThan(previous);
              previous = record.seq;
              if (record.seq % 25 === 0 && record.seq <= 100) {
                await log.release(record.seq - 10);
              }
            }
            expect(previous).toBeGreaterThanOrEqual(highest);
            highest = previous;
            await new Promise(resolve => setImmediate(resolve));
          }
          await appended;
          await log.release(101);
          const seqs = (await readAll(log)).map(record => record.seq);
          expect(seqs.at(-1)).toBe(120);
          expect(seqs).toContain(101);
          expect(log.status().damaged).toBe(0);
        }));
    });

    describe('that is written again', () => {
      const redacted = Buffer.from('{"id":"gone"}');
      /** Drops every third record and empties every fourth one. */
      const change = ({ seq, header: was }: LogRecord): Change =>
        seq % 3 === 0
          ? 'drop'
          : seq % 4 === 0
            ? { header: { ...was, n: 0 }, body: redacted }
            : 'keep';
      const after = (from: number, to: number): [number, string][] =>
        Array.from({ length: 60 }, (_, index) => index + 1).flatMap(
          (seq): [number, string][] =>
            seq < from || seq >= to
              ? [[seq, String(seq)]]
              : seq % 3 === 0
                ? []
                : [[seq, seq % 4 === 0 ? 'gone' : String(seq)]]
        );
      const fill = async (log: EventLog): Promise<void> => {
        for (let id = 1; id <= 60; id += 1) {
          await log.append(header(), body(id, 2500));
        }
      };
      const contents = async (log: EventLog): Promise<[number, string][]> =>
        (await readAll(log)).map(record => [record.seq, idOf(record)]);

      it('keeps, changes and drops records, which keep their numbers', async () => {
        const folder = await temporary.make();
        const log = await open(folder);
        await fill(log);
        const seen: RewriteProgress[] = [];
        expect(
          await log.rewrite(change, undefined, progress => seen.push(progress))
        ).toEqual({ records: 60, changed: 10, dropped: 20, damaged: 0 });
        expect(seen.at(-1)!.bytes).toBe(seen.at(-1)!.total);
        expect(await contents(log)).toEqual(after(1, 61));
        const emptied = (await readAll(log)).find(({ seq }) => seq === 4)!;
        expect(emptied.header).toEqual(header(0));
        for (const from of [2, 3, 4, 5, 40, 60]) {
          expect((await readAll(log, from)).map(({ seq }) => seq)).toEqual(
            after(1, 61).flatMap(([seq]) => (seq >= from ? [seq] : []))
          );
        }
        // The last record is one that was dropped.
        expect(await log.append(header(), body(61))).toBe(61);
        await log.close();
        const again = await open(folder);
        expect(await contents(again)).toEqual([...after(1, 61), [61, '61']]);
        expect(again.status().damaged).toBe(0);
        await again.close();
      });

      it('in a range only', () =>
        withLog(async log => {
          await fill(log);
          expect(await log.rewrite(change, { from: 20, to: 40 })).toEqual({
            records: 20,
            changed: 3,
            dropped: 7,
            damaged: 0
          });
          expect(await contents(log)).toEqual(after(20, 40));
        }));

      it('can lose all of its records, and goes on counting', async () => {
        const folder = await temporary.make();
        const log = await open(folder);
        await fill(log);
        expect(await log.rewrite(() => 'drop')).toMatchObject({ dropped: 60 });
        expect(await readAll(log)).toEqual([]);
        expect(log.status()).toMatchObject({ first: 0, last: 60, next: 61 });
        await log.close();
        const again = await open(folder);
        expect(await again.append(header(), body(1))).toBe(61);
        await again.close();
      });

      it('leaves nothing of what was dropped or changed in its files', async () => {
        const folder = await temporary.make();
        const log = await open(folder);
        const count = 20;
        for (let id = 1; id <= count; id += 1) {
          await log.append(
            { ...header(), student: `student-${id % 2}` },
            body(id, 3000)
          );
        }
        const find = async (text: string): Promise<boolean> => {
          const names = await readdir(folder);
          const files = await Promise.all(
            names.map(name => readFile(join(folder, name)))
          );
          return files.some(bytes => bytes.includes(text));
        };
        expect(await find('student-0')).toBe(true);
        await log.rewrite(({ header: { student, ...rest } }) =>
          student === 'student-0'
            ? { header: rest, body: Buffer.from('{"id":"gone"}') }
            : 'keep'
        );
        if (erases) {
          expect(await find('student-0')).toBe(false);
        }
        expect(await find('student-1')).toBe(true);
        await log.close();
      });

      it('gives nothing of what it was to readings that began before', () =>
        withLog(async log => {
          await fill(log);
          for (const stop of [1, 2, 7, 30, 59]) {
            const seen: [number, string][] = [];
            const target = Buffer.from(`{"id":"after ${stop}"}`);
            for await (const record of log.read(1)) {
              seen.push([record.seq, idOf(record)]);
              if (record.seq === stop) {
                await log.rewrite(({ seq, header: was }) =>
                  seq === stop + 1
                    ? 'drop'
                    : seq > 1
                      ? { header: was, body: target }
                      : 'keep'
                );
              }
            }
            const now = await contents(log);
            expect(seen.filter(([seq]) => seq > stop)).toEqual(
              now.filter(([seq]) => seq > stop)
            );
            expect(seen.at(-1)).toEqual(
              now.at(-1)![0] > stop ? now.at(-1) : seen.at(-1)
            );
          }
          await log.append(header(), body('last'));
          const seqs: number[] = [];
          for await (const { seq } of log.read(1)) {
            seqs.push(seq);
            if (seq === 1) {
              await log.rewrite(() => 'drop', { to: 61 });
            }
          }
          expect(seqs).toEqual([1, 61]);
        }));

      it('tells by its edition that records are not what they were', () =>
        withLog(async log => {
          await fill(log);
          const { edition } = log.status();
          await log.append(header(), body(61));
          await log.rewrite(() => 'keep');
          expect(log.status().edition).toBe(edition);
          await log.rewrite(({ seq }) => (seq === 61 ? 'drop' : 'keep'));
          const dropped = log.status().edition;
          expect(dropped).toBeGreaterThan(edition);
          await expect(
            log.rewrite(({ seq, header: was }) => {
              if (seq === 60) {
                throw new Error('undecided');
              }
              return { header: was, body: redacted };
            })
          ).rejects.toThrow('undecided');
          const isChanged = (await contents(log))[0]![1] === 'gone';
          expect(log.status().edition > dropped).toBe(isChanged);
          await log.rewrite(({ header: was }) => ({
            header: was,
            body: redacted
          }));
          expect(log.status().edition).toBeGreaterThan(dropped);
        }));

      it('while records are appended and read', () =>
        withLog(async log => {
          await fill(log);
          let working = true;
          let next = 61;
          const appending = (async () => {
            while (working) {
              expect(await log.append(header(), body(next))).toBe(next);
              next += 1;
            }
          })();
          const reading = (async () => {
            while (working) {
              let previous = 0;
              for await (const record of log.read(1)) {
                expect(record.seq).toBeGreaterThan(previous);
                expect(['gone', String(record.seq)]).toContain(idOf(record));
                previous = record.seq;
              }
              expect(previous).toBeGreaterThanOrEqual(59);
              await new Promise(resolve => setImmediate(resolve));
            }
          })();
          for (let round = 0; round < 5; round += 1) {
            await log.rewrite(change, { to: 61 });
            await log.rewrite(({ seq, header: was }) =>
              seq === 20 + round ? { header: was, body: redacted } : 'keep'
            );
          }
          working = false;
          await Promise.all([appending, reading]);
          expect(log.status().damaged).toBe(0);
          const seqs = (await readAll(log)).map(({ seq }) => seq);
          expect(seqs).toEqual([
            ...after(1, 61).map(([seq]) => seq),
            ...Array.from({ length: next - 61 }, (_, index) => 61 + index)
          ]);
        }));

      it('tells what went wrong with a decision, and stays whole', () =>
        withLog(async log => {
          await fill(log);
          await expect(
            log.rewrite(record => {
              if (record.seq === 30) {
                throw new Error('undecided');
              }
              return 'keep';
            })
          ).rejects.toThrow('undecided');
          await expect(
            log.rewrite(({ header: was }) => ({
              header: was,
              body: Buffer.alloc(MAX_BODY_BYTES + 1)
            }))
          ).rejects.toThrow(RangeError);
          expect(await contents(log)).toEqual(after(0, 0));
          await log.rewrite(change);
          expect(await contents(log)).toEqual(after(1, 61));
        }));

      it('stops when the log is closed, and is refused afterwards', async () => {
        const folder = await temporary.make();
        const log = await open(folder);
        await fill(log);
        let closing: Promise<void> | undefined;
        const rewriting = log.rewrite(record => {
          closing ??= log.close();
          return change(record);
        });
        await expect(rewriting).rejects.toMatchObject({ code: 'closed' });
        await closing;
        await expect(log.rewrite(change)).rejects.toMatchObject({
          code: 'closed'
        });
        await expect(log.release(10)).rejects.toMatchObject({ code: 'closed' });
        const again = await open(folder);
        expect(await contents(again)).toEqual(after(0, 0));
        await again.close();
      });
    });

    it('lets nobody else in while it is open', () =>
      withLog(async (_log, folder) => {
        await expect(open(folder)).rejects.toMatchObject({ code: 'locked' });
      }));
  });
}
