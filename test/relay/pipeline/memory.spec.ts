/** A long backlog costs disk and no memory, while the destination is away and while it is caught up with. */
import { afterAll, describe, expect, it } from '@jest/globals';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { openSegmentLog } from '../../../src/relay/log/segmentLog.js';
import { memoryCursor } from '../../../src/relay/pipeline/cursor.js';
import { startFeeder } from '../../../src/relay/pipeline/feeder.js';
import type { Outcome, Sink } from '../../../src/sinks/types.js';
import { waitFor } from '../../support/waitFor.js';
import { folders, header } from '../log/support.js';
import { cellEvent } from '../support/testRelay.js';

const temporary = folders();
afterAll(() => temporary.remove());

const LONG = process.env['LONG'] === '1';
const RECORDS = LONG ? 10_000 : 600;
const EVENTS = 100;
/** In bytes; the backlog is 40 MB of JSON at least. */
const BOUND = 25 * 1024 * 1024;

function heap(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

describe('a feeder with a backlog', () => {
  it(`of ${RECORDS * EVENTS} events holds a batch of them`, async () => {
    const log = await openSegmentLog({ dir: await temporary.make() });
    for (let record = 0; record < RECORDS; record += 1) {
      const batch = Array.from({ length: EVENTS }, (_, index) =>
        cellEvent(record * EVENTS + index, { note: 'x'.repeat(300) })
      );
      await log.append(header(EVENTS), Buffer.from(JSON.stringify({ batch })));
    }
    expect(log.status().bytes).toBeGreaterThan(RECORDS * EVENTS * 600);
    const before = heap();
    let away = true;
    let attempts = 0;
    let taken = 0;
    let highest = 0;
    const sink: Sink = {
      name: 'posthog',
      maxBatch: 500,
      deliver: records => {
        attempts += 1;
        if (!away) {
          taken += records.length;
          if (attempts % 40 === 0) {
            highest = Math.max(highest, heap());
          }
        }
        return Promise.resolve<Outcome>(
          away ? { kind: 'retry', reason: '503' } : { kind: 'ok' }
        );
      },
      close: () => Promise.resolve()
    };
    const feeder = startFeeder({
      log,
      sink,
      cursor: memoryCursor(),
      deadLetters: { put: () => Promise.reject(new Error('none is expected')) },
      sleep: () => new Promise(resolve => setImmediate(resolve))
    });
    await waitFor('it was tried often', () => attempts > 500);
    expect(heap() - before).toBeLessThan(BOUND);
    away = false;
    await waitFor('all is delivered', () => feeder.status().lag === 0, 120_000);
    expect(taken).toBe(RECORDS * EVENTS);
    expect(highest).toBeGreaterThan(0);
    expect(highest - before).toBeLessThan(BOUND);
    await feeder.stop();
    await log.close();
  });
});
