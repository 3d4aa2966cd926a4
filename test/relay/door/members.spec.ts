/** What stands in an event or a body beside the properties says nothing that the course does not keep. */
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

it.each<[string, object, object?]>([
  ['library', { library: { code: 'CANARY' } }],
  ['library in words', { library: 'my CANARY' }],
  ['type', { type: 'CANARY '.repeat(9) }],
  ['messageId', { messageId: 'dear CANARY' }],
  ['offset', { offset: { x: 'CANARY' } }],
  ['uuid', { uuid: 'dear CANARY' }],
  ['token', { token: 'dear CANARY' }],
  ['$distinct_id', { $distinct_id: ['CANARY'] }],
  ['time', { timestamp: '2026-11-20 09:30:00 (dear CANARY)' }],
  ['sent_at of an event', { sent_at: 'dear CANARY' }],
  ['sent_at', {}, { sent_at: { note: 'CANARY' } }],
  ['historical_migration', {}, { historical_migration: 'CANARY' }],
  ['a key beside the key', {}, { token: 'CANARY' }]
])('%s', async (_name, more, beside = {}) => {
  relay = await startTestRelay({ level: 'outcomes' });
  const { status, json } = await relay.post({
    api_key: relay.key,
    ...beside,
    batch: [{ ...cellEvent(1), ...more }]
  });
  expect([status, json]).toEqual([200, { status: 'Ok' }]);
  expect(await relay.events()).toHaveLength(1);
  expect(await relay.everyByte()).not.toContain('CANARY');
});

it('what PostHog’s clients send stays as it came', async () => {
  relay = await startTestRelay({ level: 'outcomes' });
  const body = {
    api_key: relay.key,
    sent_at: '2026-11-21T09:30:00.123456+00:00',
    historical_migration: false,
    batch: [
      {
        ...cellEvent(1),
        type: 'capture',
        library: 'posthog-python',
        library_version: '2.4.1',
        messageId: uuidOf(1),
        offset: 12
      }
    ]
  };
  await relay.post(body);
  const [record] = await relay.records();
  expect(record!.body.toString()).toBe(
    JSON.stringify(body).replace(relay.key, '*'.repeat(relay.key.length))
  );
});
