/** PostHog's own client for Node, unchanged, as a client of the relay. */
import { PostHog } from 'posthog-node';
import { startTestRelay, type TestRelay } from '../support/testRelay.js';

let relay: TestRelay;
beforeEach(async () => {
  relay = await startTestRelay();
});
afterEach(async () => {
  await relay.remove();
});

it.each([
  ['compressed', false],
  ['plain', true]
])('its events arrive, %s', async (_how, disableCompression) => {
  const errors: unknown[] = [];
  const client = new PostHog(relay.key, {
    host: relay.url,
    disableCompression,
    flushAt: 20,
    fetchRetryCount: 0
  });
  client.on('error', error => errors.push(error));
  for (let n = 0; n < 50; n += 1) {
    client.capture({
      distinctId: 'ADA-LOVELACE',
      event: 'poll',
      properties: { n, note: 'José 🎓' }
    });
  }
  await client.shutdown();
  expect(errors).toEqual([]);
  const events = await relay.events();
  expect(
    events.map(({ payload }) => payload['n'] as number).sort((a, b) => a - b)
  ).toEqual(Array.from({ length: 50 }, (_, n) => n));
  expect(events[0]).toMatchObject({
    event: 'poll',
    student: 'ADA-LOVELACE',
    payload: { note: 'José 🎓', $lib: 'posthog-node' }
  });
  expect(await relay.everyByte()).not.toContain(relay.key);
});
