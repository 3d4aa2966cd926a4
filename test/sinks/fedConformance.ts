/** What every sink keeps to when it is fed from a real log: whatever happens to destination and relay, all events count, once, in order. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import type { EventLog } from '../../src/relay/log/types.js';
import {
  memoryCursor,
  openCursor,
  type Cursor
} from '../../src/relay/pipeline/cursor.js';
import {
  openDeadLetters,
  type DeadLetters
} from '../../src/relay/pipeline/deadLetters.js';
import { startFeeder, type Feeder } from '../../src/relay/pipeline/feeder.js';
import type { Sink } from '../../src/sinks/index.js';
import { between, mulberry32 } from '../support/random.js';
import { waitFor } from '../support/waitFor.js';
import type { SinkUnderTest } from './conformance.js';

const STUDENTS = ['ADA-LOVELACE', 'ALAN-TURING', 'GRACE-HOPPER'];
/** Records of the log, and events in each. */
const RECORDS = 9;
const EVENTS = 17;
const TOTAL = RECORDS * EVENTS;
/** The event that is poison where one is. */
const POISON = 70;
/** A restart is tried after each of the first so many moves of the cursor, and then at the start of a delivery. */
const MOVES = process.env['LONG'] === '1' ? 12 : 4;

const uuidOf = (n: number): string =>
  `0190163d-8694-739b-aea5-${n.toString(16).padStart(12, '0')}`;

/** Runs the suite against the sink that `make` gives; nothing where it cannot be opened again. */
export function describeFedSink(
  title: string,
  make: () => SinkUnderTest | Promise<SinkUnderTest>
): void {
  describe(`the ${title} sink, fed from a log,`, () => {
    let folder: string;
    let under: SinkUnderTest;
    let log: EventLog;
    let deadLetters: DeadLetters;
    const running = new Set<{ feeder: Feeder; sink: Sink }>();
    /** Lets those go on that were held for good, when nobody listens to them any more. */
    const held: (() => void)[] = [];

    beforeEach(async () => {
      under = await make();
      folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-sink-'));
      log = await openSegmentLog({ dir: join(folder, 'log') });
      deadLetters = await openDeadLetters(join(folder, 'letters.jsonl'));
    });

    afterEach(async () => {
      held.splice(0).forEach(release => release());
      for (const { feeder, sink } of running) {
        await feeder.stop();
        await feeder.done;
        await sink.close();
      }
      running.clear();
      await under.sink.close();
      await deadLetters.close();
      await log.close();
      await under.teardown?.();
      await rm(folder, { recursive: true, force: true });
    });

    /** Writes the log; event `POISON` has the property `poison` where wanted. */
    async function write(poison = false): Promise<void> {
      for (let record = 0; record < RECORDS; record += 1) {
        const batch = Array.from({ length: EVENTS }, (_, index) => {
          const n = record * EVENTS + index;
          return {
            event: 'note',
            distinct_id: STUDENTS[n % STUDENTS.length],
            uuid: uuidOf(n),
            timestamp: new Date(1_800_000_000_000 + n * 1000).toISOString(),
            properties: poison && n === POISON ? { poison: true } : { n }
          };
        });
        await log.append(
          {
            v: 1,
            at: '2026-11-21T09:30:00.000Z',
            course: 'demo',
            key: 'k_1',
            skew: 0,
            n: EVENTS
          },
          Buffer.from(JSON.stringify({ batch }))
        );
      }
    }

    function feed(
      sink: Sink,
      cursor: Cursor,
      onSleep: () => unknown = () => undefined
    ): Feeder {
      // Small batches: a restart can come between them.
      const small: Sink = { ...sink, maxBatch: Math.min(sink.maxBatch, 25) };
      const feeder = startFeeder({
        log,
        sink: small,
        cursor,
        deadLetters,
        stopGraceMs: 20,
        sleep: async () => {
          await onSleep();
          await new Promise(resolve => setImmediate(resolve));
        }
      });
      running.add({ feeder, sink });
      return feeder;
    }

    const openPlace = (): Promise<Cursor> =>
      under.forgets === true
        ? Promise.resolve(memoryCursor())
        : openCursor(join(folder, 'cursors', 'sink.json'));

    async function caughtUp(feeder: Feeder): Promise<void> {
      await waitFor(
        () => `it has everything: ${JSON.stringify(feeder.status())}`,
        () => feeder.status().lag === 0,
        20_000
      );
    }

    function expectAll(but: readonly number[] = []): void {
      const all = Array.from({ length: TOTAL }, (_, n) => n)
        .filter(n => !but.includes(n))
        .map(uuidOf);
      expect(under.count()).toBe(all.length);
      if (under.uuids) {
        // In the log's order altogether, and so in each student's.
        expect(under.uuids()).toEqual(all);
      }
    }

    it('gets all events, in order', async () => {
      await write();
      const feeder = feed(under.sink, await openPlace());
      await caughtUp(feeder);
      expectAll();
      expect(feeder.status()).toMatchObject({ delivered: TOTAL, setAside: 0 });
    });

    it('gets them once when they come a second time from the start', async () => {
      await write();
      await caughtUp(feed(under.sink, memoryCursor()));
      await caughtUp(feed(under.sink, memoryCursor()));
      expectAll();
    });

    it('gets them whatever its destination does meanwhile', async () => {
      await write();
      const random = mulberry32(7);
      const troubles = Object.entries(under.provoke)
        .filter(([kind]) => kind !== 'refused')
        .map(([, provoke]) => provoke);
      let left = troubles.length === 0 ? 0 : 12;
      const upset = async (): Promise<void> => {
        left -= 1;
        await (left > 0 && between(random, 0, 2) > 0
          ? troubles[between(random, 0, troubles.length - 1)]!()
          : under.heal?.());
      };
      const sink: Sink = {
        ...under.sink,
        deliver: async records => {
          const outcome = await under.sink.deliver(records);
          if (outcome.kind === 'ok' && left > 0) {
            await upset();
          }
          return outcome;
        }
      };
      await caughtUp(feed(sink, await openPlace(), upset));
      expectAll();
    });

    it('gets them when the relay ends anywhere, between delivery and cursor as well', async () => {
      if (!under.reopen) {
        return;
      }
      await write();
      let sink = under.sink;
      for (let allowed = 0; allowed < MOVES; allowed += 1) {
        const place = await openPlace();
        let moves = 0;
        let died = false;
        const feeder = feed(sink, {
          problem: null,
          position: () => place.position(),
          move: async position => {
            if (moves === allowed) {
              // Delivered and confirmed, but the place is never noted: the process is gone.
              died = true;
              await new Promise<void>(resolve => held.push(resolve));
              return;
            }
            moves += 1;
            await place.move(position);
          }
        });
        await waitFor('it dies', () => died || feeder.status().lag === 0);
        await feeder.stop();
        await sink.close();
        sink = await under.reopen();
      }
      // And in the middle of a delivery.
      const place = await openPlace();
      let begun = false;
      const dying: Sink = {
        ...sink,
        deliver: records => {
          begun = true;
          void sink.deliver(records);
          return new Promise(resolve =>
            held.push(() => resolve({ kind: 'retry', reason: 'too late' }))
          );
        }
      };
      const feeder = feed(dying, place);
      await waitFor('a delivery', () => begun || feeder.status().lag === 0);
      await feeder.stop();
      await sink.close();
      await caughtUp(feed(await under.reopen(), await openPlace()));
      expectAll();
    });

    it('loses the event that its destination refuses, and no other', async () => {
      if (!under.poison) {
        return;
      }
      await write(true);
      await under.poison();
      const feeder = feed(under.sink, await openPlace());
      await caughtUp(feeder);
      expectAll([POISON]);
      expect(await deadLetters.list()).toMatchObject([
        { uuid: uuidOf(POISON), course: 'demo', code: 'refused' }
      ]);
    });

    it('holds up no other sink when it is slow, and stops in the middle', async () => {
      await write();
      let release: () => void = () => undefined;
      const gate = new Promise<void>(resolve => (release = resolve));
      const slow: Sink = {
        ...under.sink,
        deliver: async records => {
          await gate;
          return under.sink.deliver(records);
        }
      };
      const slowly = feed(slow, await openPlace());
      const other = feed(
        {
          name: 'other',
          maxBatch: 100,
          deliver: () => Promise.resolve({ kind: 'ok' }),
          close: () => Promise.resolve()
        },
        memoryCursor()
      );
      await caughtUp(other);
      expect(slowly.status().lag).toBe(RECORDS);
      const stopping = slowly.stop();
      release();
      await stopping;
      expect(slowly.status().state).toBe('stopped');
      const sink = under.reopen ? await under.reopen() : under.sink;
      await caughtUp(feed(sink, await openPlace()));
      expectAll();
    });
  });
}
