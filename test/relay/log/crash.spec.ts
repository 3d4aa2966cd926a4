/**
 * The log against a disk that loses its power, its cache's writes, single flushes and its free
 * space: whatever was acknowledged is there afterwards, once, and no number ever means two things.
 */
import { describe, expect, it, jest } from '@jest/globals';
import fc from 'fast-check';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import type { EventLog } from '../../../src/relay/log/types.js';
import { Dice, ModelDisk } from './modelDisk.js';
import { body, header, idOf } from './support.js';

jest.setTimeout(600_000);
const RUNS = process.env['LONG'] === '1' ? 20_000 : 200;

/** One process's time with the log. */
interface Life {
  /** Sizes of the bodies it appends. */
  sizes: number[];
  posters: number;
  /** Disk operations after which it ends while it opens the log; it does not if 0. */
  opening: number;
  /** Disk operations after which it ends later on; 0 is a regular close. */
  operations: number;
  how: 'power cut' | 'kill';
  /** Shares of flushes that fail, and of writes that find the disk full. */
  failing: number;
  full: number;
  readers: number;
  /** Rounds of releasing and rewriting beside the appends. */
  rounds: number;
}

const life: fc.Arbitrary<Life> = fc.record({
  sizes: fc.array(fc.integer({ min: 0, max: 900 }), { maxLength: 40 }),
  posters: fc.integer({ min: 1, max: 8 }),
  opening: fc.oneof(
    fc.constant(0),
    fc.constant(0),
    fc.integer({ min: 1, max: 20 })
  ),
  operations: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 120 })),
  how: fc.constantFrom('power cut' as const, 'kill' as const),
  failing: fc.constantFrom(0, 0, 0.1, 0.3),
  full: fc.constantFrom(0, 0, 0.1),
  readers: fc.integer({ min: 0, max: 2 }),
  rounds: fc.constantFrom(0, 1, 1, 4)
});

/** Id of the bodies that a rewrite puts in. */
const CHANGED = 'changed';

/** All that was ever learnt about the log, over its lives. */
class History {
  /** Id of the record by number, as acknowledged or as read. */
  readonly ids = new Map<number, string>();
  readonly acknowledged = new Set<number>();
  /** Ids of bodies that were ever handed over. */
  readonly sent = new Set<string>();
  /** Numbers below it may be gone. */
  released = 1;
  /** Numbers that a rewrite was to drop, and those for which it said that they are gone. */
  readonly dropping = new Set<number>();
  readonly dropped = new Set<number>();
  /** The same for records that were to be changed. */
  readonly changing = new Set<number>();
  readonly changed = new Set<number>();
  /** The system has lost writes behind the log's back; what was read unacknowledged may go. */
  flushFailed = false;

  learn(seq: number, id: string): void {
    if (id === CHANGED) {
      expect(this.changing).toContain(seq);
      return;
    }
    if (!this.sent.has(id) || (this.ids.get(seq) ?? id) !== id) {
      throw new Error(`${seq} is ${id}, and was ${this.ids.get(seq)}`);
    }
    this.ids.set(seq, id);
  }

  acknowledge(seq: number, id: string): void {
    if (this.acknowledged.has(seq)) {
      throw new Error(`${seq} was given out twice`);
    }
    this.learn(seq, id);
    this.acknowledged.add(seq);
  }

  /** Checks one reading from the start: in order, and with all that must be there up to its end. */
  check(seqs: readonly number[], what: 'up to its end' | 'all'): void {
    const rising = [...new Set(seqs)].sort((a, b) => a - b);
    expect(seqs).toEqual(rising);
    const end = what === 'all' ? Infinity : (seqs.at(-1) ?? 0);
    const needed = this.flushFailed ? this.acknowledged : this.ids.keys();
    const read = new Set(seqs);
    expect(
      [...needed].filter(
        seq =>
          seq <= end &&
          seq >= this.released &&
          !this.dropping.has(seq) &&
          !read.has(seq)
      )
    ).toEqual([]);
  }

  /** Checks that what is gone for good is gone. */
  checkGone(records: ReadonlyMap<number, string>): void {
    for (const [seq, id] of records) {
      expect(this.dropped).not.toContain(seq);
      if (this.changed.has(seq)) {
        expect(id).toBe(CHANGED);
      }
    }
  }
}

async function read(log: EventLog, history: History): Promise<number[]> {
  return [...(await readIds(log, history)).keys()];
}

async function readIds(
  log: EventLog,
  history: History
): Promise<Map<number, string>> {
  const ids = new Map<number, string>();
  for await (const record of log.read(1)) {
    history.learn(record.seq, idOf(record));
    expect(ids.has(record.seq)).toBe(false);
    ids.set(record.seq, idOf(record));
  }
  return ids;
}

/** Releases up to somewhere, and drops and changes some of the records. */
async function maintain(
  log: EventLog,
  history: History,
  dice: Dice
): Promise<void> {
  const { last } = log.status();
  const below = history.released + dice.below(12);
  // What may go counts as gone from the moment it is asked for.
  history.released = Math.max(history.released, Math.min(below, last));
  await log.release(history.released).catch(() => undefined);
  const from = dice.below(last + 1);
  const decided = { drop: new Set<number>(), change: new Set<number>() };
  await log
    .rewrite(
      ({ seq, header: was }) => {
        if (dice.chance(0.2) || history.dropping.has(seq)) {
          history.dropping.add(seq);
          decided.drop.add(seq);
          return 'drop';
        }
        if (dice.chance(0.2) || history.changing.has(seq)) {
          history.changing.add(seq);
          decided.change.add(seq);
          return { header: was, body: body(CHANGED, dice.below(900)) };
        }
        return 'keep';
      },
      { from, to: from + dice.below(40) }
    )
    .then(
      () => {
        decided.drop.forEach(seq => history.dropped.add(seq));
        decided.change.forEach(seq => history.changed.add(seq));
      },
      () => undefined
    );
}

/** Lives one life on `disk`; returns once it is over. */
async function live(
  disk: ModelDisk,
  plan: Life,
  history: History,
  dice: Dice
): Promise<void> {
  disk.trouble = { endsAt: plan.opening };
  const options = { dir: '/log', disk, segmentBytes: 3000, pauseMs: 0 };
  const log = await Promise.race([openSegmentLog(options), disk.ended]);
  if (!log) {
    return;
  }
  disk.trouble = {};
  const found = await readIds(log, history);
  history.check([...found.keys()], 'all');
  history.checkGone(found);

  disk.trouble = {
    endsAt: plan.operations && disk.operations + plan.operations,
    flushFails: () => {
      const fails = dice.chance(plan.failing);
      history.flushFailed ||= fails;
      return fails;
    },
    full: () => dice.chance(plan.full)
  };
  const queue = [...plan.sizes];
  let posting = true;
  const post = async (): Promise<void> => {
    for (let size = queue.pop(); size !== undefined; size = queue.pop()) {
      const id = String(history.sent.size);
      history.sent.add(id);
      const seq = await log.append(header(), body(id, size)).catch(() => 0);
      if (seq > 0) {
        history.acknowledge(seq, id);
      }
    }
  };
  const follow = async (): Promise<void> => {
    while (posting) {
      history.check(await read(log, history), 'up to its end');
      await new Promise(resolve => setImmediate(resolve));
    }
  };
  const posters = Promise.all(Array.from({ length: plan.posters }, post));
  const tidy = async (): Promise<void> => {
    for (let round = 0; round < plan.rounds; round += 1) {
      await new Promise(resolve => setImmediate(resolve));
      await maintain(log, history, dice);
    }
  };
  const work = [
    tidy(),
    posters.then(() => (posting = false)),
    ...Array.from({ length: plan.readers }, follow)
  ];
  await Promise.race([Promise.all(work), disk.ended]);
  posting = false;
  disk.trouble = {};
  if (plan.operations === 0) {
    await log.close();
  }
  disk.stop();
}

describe('the log over crashes', () => {
  it('keeps what it acknowledged, invents nothing and repeats no number', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer(),
        fc.array(life, { minLength: 1, maxLength: 7 }),
        async (seed, lives) => {
          const dice = new Dice(seed);
          const history = new History();
          let disk = new ModelDisk(dice);
          for (const plan of lives) {
            await live(disk, plan, history, dice);
            disk = disk.next(plan.how);
          }
          const quiet = { ...lives[0]!, opening: 0, operations: 0 };
          await live(disk, quiet, history, dice);
        }
      ),
      { numRuns: RUNS }
    );
  });
});
