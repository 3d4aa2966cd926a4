/** The LMDB log as an event log, and as the oracle of the segment log. */
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { openLmdbLog } from '../../../src/relay/log/lmdbLog.js';
import { openLog } from '../../../src/relay/log/openLog.js';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type {
  Change,
  EventLog,
  LogRecord
} from '../../../src/relay/log/types.js';
import { describeEventLog } from './conformance.js';
import { body, folders, header, readAll } from './support.js';

jest.setTimeout(300_000);
const RUNS = process.env['LONG'] ? 500 : 12;
const temporary = folders();
afterAll(() => temporary.remove());

describeEventLog('LMDB', dir => openLmdbLog({ dir, segmentBytes: 20_000 }), {
  erases: false
});

/** One thing that is done to both logs. */
type Step =
  | { kind: 'append'; sizes: number[] }
  | { kind: 'release'; share: number }
  | { kind: 'rewrite'; modulus: number; from: number; to: number }
  | { kind: 'reopen' };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      sizes: fc.array(fc.integer({ min: 0, max: 5000 }), {
        minLength: 1,
        maxLength: 8
      })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('release' as const),
      share: fc.double({ min: 0, max: 1.1, noNaN: true })
    })
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('rewrite' as const),
      modulus: fc.integer({ min: 1, max: 5 }),
      from: fc.integer({ min: 0, max: 40 }),
      to: fc.integer({ min: 0, max: 60 })
    })
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'reopen' as const }) }
);

const plain = ({ seq, header: h, body: b }: LogRecord): unknown => ({
  seq,
  header: h,
  body: Buffer.from(b).toString()
});

describe('segments and LMDB', () => {
  it('hold the same after the same', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 14 }), async steps => {
        const openers = [openSegmentLog, openLmdbLog];
        const dirs = await Promise.all(openers.map(() => temporary.make()));
        const openBoth = (): Promise<EventLog[]> =>
          Promise.all(
            openers.map((open, index) =>
              open({ dir: dirs[index]!, segmentBytes: 8000 })
            )
          );
        let logs = await openBoth();
        try {
          let released = 1;
          let id = 0;
          for (const one of steps) {
            if (one.kind === 'append') {
              const bodies = one.sizes.map(size => body((id += 1), size));
              const seqs = await Promise.all(
                logs.map(log =>
                  Promise.all(bodies.map(bytes => log.append(header(), bytes)))
                )
              );
              expect(seqs[1]).toEqual(seqs[0]);
            } else if (one.kind === 'release') {
              const below = Math.ceil(logs[0]!.status().next * one.share);
              released = Math.max(released, below);
              await Promise.all(logs.map(log => log.release(below)));
            } else if (one.kind === 'rewrite') {
              const change = ({ seq, header: was }: LogRecord): Change =>
                seq % (one.modulus + 1) === 0
                  ? 'drop'
                  : seq % one.modulus === 0
                    ? { header: { ...was, n: 0 }, body: body('new', seq * 7) }
                    : 'keep';
              await Promise.all(
                logs.map(log =>
                  log.rewrite(change, { from: one.from, to: one.to })
                )
              );
            } else {
              await Promise.all(logs.map(log => log.close()));
              logs = await openBoth();
            }
            const [left, right] = await Promise.all(
              // Parts are cut at other places: how much of what may go is gone differs.
              logs.map(async log => (await readAll(log, released)).map(plain))
            );
            expect(right).toEqual(left);
            expect(logs[1]!.status().next).toBe(logs[0]!.status().next);
          }
        } finally {
          await Promise.all(logs.map(log => log.close()));
        }
      }),
      { numRuns: RUNS }
    );
  });

  it('do not open each other’s folders', async () => {
    for (const [first, second] of [
      ['segments', 'lmdb'],
      ['lmdb', 'segments']
    ] as const) {
      const dir = await temporary.make();
      const log = await openLog(first, { dir });
      await log.append(header(), body(1));
      await log.close();
      await expect(openLog(second, { dir })).rejects.toThrow(
        `Start with --log-engine ${first}`
      );
      const again = await openLog(first, { dir });
      expect(await readAll(again)).toHaveLength(1);
      await again.close();
    }
  });
});
