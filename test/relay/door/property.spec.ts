/** Whatever comes in at the door, it answers, and never with its own mistake. */
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay;
beforeAll(async () => {
  relay = await startTestRelay();
});
afterAll(async () => {
  await relay.remove();
});

async function neverFails(
  body: string | Uint8Array,
  init: { path?: string; headers?: Record<string, string> } = {}
): Promise<void> {
  const answer = await relay.post(body, init);
  expect([200, 400, 401, 408, 413]).toContain(answer.status);
  if (answer.status !== 200) {
    expect(typeof answer.json['code']).toBe('string');
  }
}

const PATHS = ['/batch/', '/e/', '/capture/?compression=gzip', '/i/v0/e/?_=1'];
const TYPES = [
  'application/json',
  'text/plain',
  'application/x-www-form-urlencoded'
];
const init = fc.record({
  path: fc.constantFrom(...PATHS),
  headers: fc.record({ 'content-type': fc.constantFrom(...TYPES) })
});

it('any JSON', async () => {
  await fc.assert(
    fc.asyncProperty(fc.json(), init, (json, how) => neverFails(json, how)),
    { numRuns: 150 }
  );
});

it('any bytes, compressed or not', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ maxLength: 300 }),
      fc.boolean(),
      init,
      (bytes, zip, how) => neverFails(zip ? gzipSync(bytes) : bytes, how)
    ),
    { numRuns: 150 }
  );
});

it('any events with a good key, and the good one among them is kept', async () => {
  let n = 1000;
  const name = fc.constantFrom('cell', 'test', 'start', 'x', '');
  const eventLike = fc.record(
    {
      event: fc.oneof(name, fc.jsonValue()),
      distinct_id: fc.oneof(fc.string(), fc.jsonValue()),
      uuid: fc.oneof(fc.uuid(), fc.jsonValue()),
      timestamp: fc.oneof(
        fc.date({ noInvalidDate: true }).map(date => date.toISOString()),
        fc.jsonValue()
      ),
      offset: fc.jsonValue(),
      properties: fc.oneof(
        fc.dictionary(
          fc.constantFrom('nb', 'sess', 'ms', 'code', 'err', 'ok', '__proto__'),
          fc.jsonValue()
        ),
        fc.jsonValue()
      ),
      $set: fc.jsonValue()
    },
    { requiredKeys: [] }
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(eventLike, fc.jsonValue()), { maxLength: 8 }),
      fc.jsonValue(),
      async (events, sentAt) => {
        n += 1;
        const good = cellEvent(n);
        const answer = await relay.post({
          api_key: relay.key,
          batch: [...events, good],
          sent_at: sentAt
        });
        expect([answer.status, answer.text]).toEqual([200, answer.text]);
        const rejected = (answer.json['rejected'] ?? []) as {
          index: number;
        }[];
        expect(rejected.map(({ index }) => index)).not.toContain(events.length);
      }
    ),
    { numRuns: 200 }
  );
  const kept = new Set((await relay.events()).map(({ uuid }) => uuid));
  for (let i = 1001; i <= n; i += 1) {
    expect(kept).toContain(cellEvent(i).uuid);
  }
});
