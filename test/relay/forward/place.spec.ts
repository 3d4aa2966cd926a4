/** How long a door keeps what a shared log has taken, and where it stands after a restart. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import {
  advance,
  lowestOf,
  openPlace,
  startOver,
  startPlace
} from '../../../src/relay/forward/place.js';

const HOUR = 3_600_000;

it('keeps a record until it was acknowledged for the whole time, and lets go of it soon after', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 48 }),
      fc.array(
        fc.record({
          afterMs: fc.integer({ min: 0, max: 3 * HOUR }),
          records: fc.integer({ min: 0, max: 50 })
        }),
        { minLength: 1, maxLength: 200 }
      ),
      (hours, steps) => {
        const keepMs = hours * HOUR;
        let now = 0;
        let place = startPlace(now);
        /** When each record was acknowledged, by number. */
        const acked: number[] = [0];
        for (const { afterMs, records } of steps) {
          now += afterMs;
          for (let n = 0; n < records; n += 1) {
            acked.push(now);
          }
          place = advance(place, acked.length, now, keepMs);
          const lowest = lowestOf(place, now, keepMs);
          for (let seq = 1; seq < lowest; seq += 1) {
            expect(now - acked[seq]!).toBeGreaterThanOrEqual(keepMs);
          }
          expect(place.marks.length).toBeLessThan(30);
          expect(lowestOf(place, now, 0)).toBe(acked.length);
        }
        // Some quiet hours later, with a look at the stream now and then, nothing is kept.
        for (let quiet = 0; quiet <= 2.5 * keepMs; quiet += keepMs / 24) {
          place = advance(place, acked.length, now + quiet, keepMs);
        }
        expect(lowestOf(place, now + 3 * keepMs, keepMs)).toBe(acked.length);
      }
    ),
    { numRuns: process.env['LONG'] ? 1_000 : 60 }
  );
});

describe('the file', () => {
  let folder: string;
  let file: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-place-'));
    file = join(folder, 'cursors', 'forward.json');
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  it('brings the place back', async () => {
    const first = await openPlace(file, 5);
    expect(first.problem).toBeNull();
    expect(first.place).toEqual(startPlace(5));
    const facts = { incarnation: 'nats telemetry 1', keeper: 'N1' };
    const next = {
      ...advance(startOver(3, facts, 10), 9, 20, HOUR),
      last: { id: 'd1-8', place: '8' }
    };
    await first.write(next);
    const second = await openPlace(file, 30);
    expect(second.place).toEqual(next);
    // As every cursor file: numbers below are never given out again.
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({
      seq: 9,
      skip: 0
    });
  });

  it.each(['', '{}', '{"seq":0}', '[1]', '{"seq":3,"marks":[]}'])(
    'that holds %j means the beginning, and is reported',
    async text => {
      await (await openPlace(file, 1)).write(startPlace(1));
      await writeFile(file, text);
      const { place, problem } = await openPlace(file, 7);
      expect(place).toEqual(startPlace(7));
      expect(problem).toContain('from the beginning of the log');
    }
  );
});
