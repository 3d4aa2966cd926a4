/** A relay whose clock is set forward and back by an hour, with restarts: nothing is lost and nothing counts twice. */
import { afterEach, expect, it, jest } from '@jest/globals';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from './support/testRelay.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const realNow = Date.now.bind(Date);
let shift = 0;
let relay: TestRelay | undefined;

afterEach(async () => {
  await relay?.remove();
  jest.restoreAllMocks();
});

it('keeps each event once, whatever the clock does between a post and its repetition', async () => {
  jest.spyOn(Date, 'now').mockImplementation(() => realNow() + shift);
  relay = await startTestRelay({ flags: { 'duplicate-window-days': '1' } });
  const { key } = relay;
  const event = (n: number): object => ({
    ...cellEvent(n),
    // The client's clock is right.
    timestamp: new Date(realNow()).toISOString()
  });
  let sent = 0;
  const all: object[] = [];
  for (const hours of [0, 1, 0, -1, 0, 1, -1]) {
    shift = hours * HOUR;
    const fresh = Array.from({ length: 5 }, () => event(sent++));
    all.push(...fresh);
    const first = await relay.post({ api_key: key, batch: fresh });
    expect(first.status).toBe(200);
    // Everything so far comes again, some of it after a restart.
    if (hours !== 0) {
      await relay.restart();
    }
    const again = await relay.post({ api_key: key, batch: all });
    expect(again.status).toBe(200);
  }
  shift = 0;
  await relay.restart();
  const events = await relay.events();
  expect(events.map(({ uuid }) => uuid)).toEqual(
    Array.from({ length: sent }, (_, n) => uuidOf(n))
  );
});

it('forgets ids only after the window, also when the clock was set forward in between', async () => {
  jest.spyOn(Date, 'now').mockImplementation(() => realNow() + shift);
  shift = 0;
  relay = await startTestRelay({ flags: { 'duplicate-window-days': '1' } });
  const batch = [cellEvent(1)];
  const post = async (): Promise<number> =>
    (await relay!.post({ api_key: relay!.key, batch })).status;
  await post();
  for (const ms of [HOUR, -HOUR, DAY - HOUR, DAY - 1000]) {
    shift = ms;
    expect(await post()).toBe(200);
    await relay.restart();
    expect(await post()).toBe(200);
  }
  // Twice the window later it is another event.
  shift = 3 * DAY;
  await relay.restart();
  await post();
  expect(await relay.events()).toHaveLength(2);
});
