/** Doors and consumers with a real Kafka broker. Runs where KAFKA_HOME names one: `npx jest --selectProjects kafka`. */
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../relay/support/testRelay.js';
import { copyCourses } from '../support/doors.js';
import { makeKafka, type Kafka } from '../support/kafka.js';
import { waitFor } from '../support/waitFor.js';
import type { SinkStatus } from '../../src/api/index.js';

let kafka: Kafka;
const relays: TestRelay[] = [];

beforeEach(async () => {
  kafka = await makeKafka();
}, 60_000);
afterEach(async () => {
  await Promise.all(relays.splice(0).map(relay => relay.remove()));
  await kafka.remove();
}, 60_000);

async function relay(
  flags: Record<string, string>,
  like?: TestRelay
): Promise<TestRelay> {
  const started = await startTestRelay({ flags });
  relays.push(started);
  if (like) {
    await copyCourses(like.folder, started.folder);
  }
  return started;
}

async function post(
  to: TestRelay,
  key: string,
  ...ids: number[]
): Promise<void> {
  const { status } = await to.post({
    api_key: key,
    batch: ids.map(n => cellEvent(n))
  });
  expect(status).toBe(200);
}

function status(of: TestRelay, name: string): SinkStatus {
  return of.relay.readiness().sinks.find(sink => sink.name === name)!;
}

async function taken(reader: TestRelay, count: number): Promise<void> {
  await waitFor(
    () => `${count} taken; ${JSON.stringify(status(reader, 'consume'))}`,
    () => status(reader, 'consume').delivered === count,
    60_000
  );
}

const ids = (from: number, to: number): number[] =>
  Array.from({ length: to - from }, (_, n) => from + n);

it('carries events over restarts of broker and consumer, and each counts once', async () => {
  const door = await relay({ forward: kafka.url });
  await post(door, door.key, ...ids(0, 3));
  await waitFor(
    'the door waits for the broker',
    () => status(door, 'forward').state === 'retrying'
  );
  await kafka.start();
  const second = await relay({ forward: kafka.url }, door);
  const reader = await relay({ consume: kafka.url }, door);
  for (let n = 3; n < 60; n += 3) {
    await post(door, door.key, n, n + 1, n + 2);
  }
  // Some arrive by another door as well.
  await post(second, door.key, 5, 60, 7);
  await taken(reader, 61);
  await kafka.kill();
  await post(door, door.key, ...ids(61, 70));
  await kafka.start();
  await taken(reader, 70);
  await reader.restart();
  await post(door, door.key, 70);
  await waitFor(
    'the last one is here',
    async () => {
      const { last } = reader.relay.readiness().log!;
      return last > 0 && status(reader, 'consume').delivered === 1;
    },
    60_000
  );
  const uuids = (await reader.events()).map(({ uuid }) => uuid);
  expect(uuids).toHaveLength(71);
  expect(new Set(uuids)).toEqual(new Set(ids(0, 71).map(uuidOf)));
}, 240_000);

it('publishes again what a broker without replicas lost', async () => {
  await kafka.start();
  const door = await relay({ forward: kafka.url });
  await post(door, door.key, ...ids(0, 9));
  await waitFor(
    'it is forwarded',
    () => status(door, 'forward').lag === 0,
    60_000
  );
  await kafka.kill();
  await kafka.loseDisk();
  await kafka.start();
  await post(door, door.key, 9);
  const reader = await relay({ consume: kafka.url }, door);
  await taken(reader, 10);
  expect((await reader.events()).map(({ uuid }) => uuid).sort()).toEqual(
    ids(0, 10).map(uuidOf).sort()
  );
}, 240_000);
