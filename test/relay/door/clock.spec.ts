/** A client's clock is set right once, at receipt, and only where that makes things better. */
import fc from 'fast-check';
import {
  clockOf,
  latestTime,
  MAX_AHEAD_MS,
  ownTime
} from '../../../src/relay/door/clock.js';
import { cellEvent, startTestRelay } from '../support/testRelay.js';

const NOW = Date.parse('2026-11-21T12:00:00.000Z');
const iso = (ms: number): string => new Date(ms).toISOString();
const SECOND = 1000;
const HOUR = 3_600_000;

describe('the skew', () => {
  it.each([
    ['an hour ahead', iso(NOW + HOUR), HOUR],
    ['an hour behind', iso(NOW - HOUR), -HOUR],
    ['within a second: that may be the network', iso(NOW - 900), 0],
    ['without a zone, meant as UTC', '2026-11-21T13:00:00', HOUR],
    ['with another zone', '2026-11-21T14:00:00+01:00', HOUR],
    ['two days off: a body that was kept', iso(NOW - 48 * HOUR), 0],
    ['missing', undefined, 0],
    ['nonsense', 'yesterday', 0]
  ])('of a sent_at %s', (_what, sentAt, skew) => {
    expect(clockOf(sentAt, NOW).skew).toBe(skew);
  });
});

describe('the latest time that an event may be from', () => {
  it.each([
    ['a clock three days behind', NOW - 72 * HOUR, NOW - 73 * HOUR, NOW - HOUR],
    ['an event after its sending', NOW - 72 * HOUR, NOW - 71 * HOUR, NOW],
    ['an hour, which is in the skew', NOW - HOUR, NOW - HOUR, NOW - HOUR],
    ['a clock ahead', NOW + 72 * HOUR, NOW - HOUR, NOW - HOUR],
    ['an event of now', NOW - 72 * HOUR, NOW + HOUR, NOW + HOUR]
  ])('%s', (_what, sentMs, ms, expected) => {
    expect(latestTime(ms, clockOf(iso(sentMs), NOW))).toBe(expected);
  });

  it('is its own where nothing is known of the clock', () => {
    expect(latestTime(5, clockOf(undefined, NOW))).toBe(5);
    expect(latestTime(5, clockOf('yesterday', NOW))).toBe(5);
  });
});

describe("an event's own time", () => {
  const clock = clockOf(undefined, NOW);
  it.each([
    ['usual', '2026-11-21T11:59:00.000Z', undefined, undefined],
    ['none', undefined, undefined, undefined],
    ['with a zone', '2026-11-21T12:59:00+01:00', undefined, undefined],
    [
      'without a zone',
      '2026-11-21T11:59:00',
      undefined,
      '2026-11-21T11:59:00.000Z'
    ],
    ['an age', undefined, 60 * SECOND, '2026-11-21T11:59:00.000Z'],
    [
      'an age beside a time',
      '2020-01-01T00:00:00.000Z',
      60 * SECOND,
      '2026-11-21T11:59:00.000Z'
    ],
    ['an absurd age', undefined, 1e300, iso(NOW)],
    ['too far ahead', iso(NOW + MAX_AHEAD_MS + 1), undefined, iso(NOW)],
    ['the year 10000', '+010000-01-01T00:00:00.000Z', undefined, iso(NOW)],
    ['before the year 0', '-000100-01-01T00:00:00.000Z', undefined, iso(NOW)]
  ])('%s', (_what, timestamp, offset, expected) => {
    expect(ownTime(timestamp, offset, clock)).toBe(expected);
  });

  it('never lies further in the future than is believed', () => {
    fc.assert(
      fc.property(
        fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
        fc.oneof(fc.constant(undefined), fc.double()),
        fc.integer({ min: -HOUR, max: HOUR }),
        (timestamp, offset, ahead) => {
          const its = clockOf(iso(NOW + ahead), NOW);
          const time =
            ownTime(timestamp, offset, its) ??
            iso(Date.parse(timestamp) - its.skew);
          expect(Date.parse(time)).toBeLessThanOrEqual(NOW + MAX_AHEAD_MS);
        }
      )
    );
  });
});

it('a clock that is wrong by an hour is set right in the records', async () => {
  const relay = await startTestRelay();
  try {
    const ahead = Date.now() + HOUR;
    await relay.post({
      api_key: relay.key,
      sent_at: iso(ahead),
      batch: [cellEvent(1, {}, { timestamp: iso(ahead - 5 * SECOND) })]
    });
    const [record] = await relay.events();
    const age =
      Date.parse(record!.received_at!) - Date.parse(record!.timestamp);
    expect(Math.abs(age - 5 * SECOND)).toBeLessThan(SECOND);
  } finally {
    await relay.remove();
  }
});
