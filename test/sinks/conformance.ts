/**
 * What every sink promises (src/sinks/types.ts), run against each of them: alone, and fed from a
 * log. A new sink gives `describeSink` a function that makes it with its destination.
 */
import type { Properties, TelemetryRecord } from '../../src/events/index.js';
import type { Outcome, Sink } from '../../src/sinks/index.js';
import { describeFedSink } from './fedConformance.js';
import { deepFreeze, makeRecord, makeRecords } from '../support/records.js';

/** A failure that a destination can be made to show. */
export type Trouble = Exclude<Outcome['kind'], 'ok'>;

/** A sink with its destination, as the suite needs to see it. */
export interface SinkUnderTest {
  sink: Sink;
  /** Number of distinct events the destination counts. */
  count(): number;
  /** Their uuids in order of first arrival, where the destination can tell. */
  uuids?(): string[];
  /** Makes every following delivery end so, until `heal`; by kinds that can happen. */
  provoke: Partial<Record<Trouble, () => void | Promise<void>>>;
  heal?(): void | Promise<void>;
  /**
   * Makes the destination answer nothing until it is gone, where it can.
   * The function it gives resolves once a delivery is waiting for the answer.
   */
  hang?(): () => Promise<void>;
  /** Makes the destination refuse, from now on, every batch with an event whose property `poison` is true. */
  poison?(): void | Promise<void>;
  /** Another sink to the same destination, as after a restart; `count` and `uuids` then tell of it. */
  reopen?(): Sink | Promise<Sink>;
  /** Set where it starts anew with each process, and reads the log from its start. */
  forgets?: true;
  /** Takes down what `make` set up beside the sink. */
  teardown?(): Promise<void>;
}

/** Runs the suite against the sink that `make` gives. */
export function describeSink(
  title: string,
  make: () => SinkUnderTest | Promise<SinkUnderTest>
): void {
  describeFedSink(title, make);
  describe(`the ${title} sink keeps a sink's promises`, () => {
    let under: SinkUnderTest;

    beforeEach(async () => {
      under = await make();
    });

    afterEach(async () => {
      await under.sink.close();
      await under.teardown?.();
    });

    it('has a name and a batch size', () => {
      expect(under.sink.name).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(under.sink.maxBatch).toBeGreaterThan(0);
    });

    it('takes batches in order', async () => {
      const records = makeRecords(250);
      for (const batch of batches(records, under.sink.maxBatch)) {
        expect(await under.sink.deliver(batch)).toEqual({ kind: 'ok' });
      }
      expect(under.count()).toBe(250);
      if (under.uuids) {
        expect(under.uuids()).toEqual(records.map(({ uuid }) => uuid));
      }
    });

    it('takes an empty batch', async () => {
      expect(await under.sink.deliver([])).toEqual({ kind: 'ok' });
      expect(under.count()).toBe(0);
    });

    it('counts a record once however often it comes', async () => {
      const records = makeRecords(20);
      await under.sink.deliver(records);
      await under.sink.deliver(records.slice(5, 15));
      await under.sink.deliver([...records, ...records].slice(0, 20));
      expect(await under.sink.deliver(records)).toEqual({ kind: 'ok' });
      expect(under.count()).toBe(20);
    });

    it('keeps records of equal content and different uuids apart', async () => {
      await under.sink.deliver([makeRecord(), makeRecord()]);
      expect(under.count()).toBe(2);
    });

    it('leaves the records as they are', async () => {
      const records = deepFreeze(
        makeRecords(3, { properties: { $set: { a: 1 }, deep: [{ b: [1] }] } })
      );
      const before = JSON.stringify(records);
      expect(await under.sink.deliver(records)).toEqual({ kind: 'ok' });
      expect(JSON.stringify(records)).toBe(before);
    });

    it('answers with an outcome to records it cannot have expected', async () => {
      for (const record of oddRecords()) {
        const outcome = await under.sink.deliver([record]);
        expect(outcome).toEqual({
          ...outcome,
          kind: expect.stringMatching(/^(ok|refused)$/)
        });
      }
      expect(await under.sink.deliver(makeRecords(1))).toEqual({ kind: 'ok' });
    });

    it('tells each trouble of the destination by its outcome, with a reason', async () => {
      for (const [kind, provoke] of Object.entries(under.provoke)) {
        await provoke();
        const outcome = await under.sink.deliver(makeRecords(3));
        expect(outcome).toEqual(
          expect.objectContaining({
            kind,
            reason: expect.stringMatching(/\S{3}/)
          })
        );
        await under.heal?.();
      }
    });

    it('delivers after a trouble what it could not deliver before', async () => {
      const records = makeRecords(7);
      for (const provoke of Object.values(under.provoke)) {
        await provoke();
        await under.sink.deliver(records);
        await under.heal?.();
      }
      expect(await under.sink.deliver(records)).toEqual({ kind: 'ok' });
      expect(under.count()).toBe(7);
    });

    it('closes twice, and leaves nothing running', async () => {
      const before = liveTimers();
      await under.sink.deliver(makeRecords(3));
      await under.sink.close();
      await under.sink.close();
      expect(liveTimers()).toBeLessThanOrEqual(before);
    });

    it('closes in the middle of a delivery, which still has an outcome', async () => {
      if (!under.hang) {
        return; // Nothing to wait for: its deliveries end at once.
      }
      const waiting = under.hang();
      const before = liveTimers();
      const pending = under.sink.deliver(makeRecords(3));
      await waiting();
      const started = Date.now();
      await under.sink.close();
      expect((await pending).kind).toBe('retry');
      expect(Date.now() - started).toBeLessThan(1000);
      expect(liveTimers()).toBeLessThanOrEqual(before);
    });

    it('never throws after it was closed', async () => {
      await under.sink.close();
      const outcome = await under.sink.deliver(makeRecords(1));
      expect(['ok', 'retry']).toContain(outcome.kind);
    });
  });
}

/** Number of timers that keep the process alive; the test runner's own are among them. */
function liveTimers(): number {
  return process.getActiveResourcesInfo().filter(name => name === 'Timeout')
    .length;
}

function batches<T>(items: T[], size: number): T[][] {
  const result: T[][] = [];
  for (let at = 0; at < items.length; at += size) {
    result.push(items.slice(at, at + size));
  }
  return result;
}

function oddRecords(): TelemetryRecord[] {
  let nested: unknown = 0;
  for (let depth = 0; depth < 3000; depth += 1) {
    nested = [nested];
  }
  const { uuid: _uuid, ...withoutUuid } = makeRecord();
  return [
    makeRecord({ properties: { note: 'half of a pair: \ud83d' } }),
    makeRecord({ properties: { note: 'nul \0 and é, 名, 🙂' } }),
    makeRecord({ properties: { nested } }),
    makeRecord({ properties: { big: 'x'.repeat(900_000) } }),
    makeRecord({
      properties: JSON.parse('{"__proto__": {"a": 1}}') as Properties
    }),
    makeRecord({ student: ' ' }),
    { ...makeRecord(), timestamp: 'not a time' },
    { ...makeRecord(), event: '$identify', payload: {} },
    withoutUuid
  ];
}
