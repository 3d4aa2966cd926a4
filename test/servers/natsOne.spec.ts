/** One door, one consumer and one nats-server: the whole way, and what happens when the server is away or loses its disk. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { WireEvent } from '../../src/events/index.js';
import { makeEvents, postBatch } from '../support/client.js';
import { makeNats, type Nats } from '../support/nats.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { copyCourses, uuidsInLog } from '../support/doors.js';
import {
  addCourse,
  makeDataFolder,
  sinksOf,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';

let nats: Nats;
let posthog: PostHogStandIn;
let door: { data: string; remove: () => Promise<void> };
let reader: { data: string; remove: () => Promise<void> };
let key: string;
const relays: RelayProcess[] = [];

beforeEach(async () => {
  nats = await makeNats(1);
  posthog = await startPostHogStandIn();
  door = await makeDataFolder();
  reader = await makeDataFolder();
  key = await addCourse(door.data, 'demo');
  await copyCourses(door.data, reader.data);
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map(relay => relay.kill()));
  await nats.remove();
  await posthog.stop();
  await door.remove();
  await reader.remove();
});

async function startDoor(...args: string[]): Promise<RelayProcess> {
  const relay = await startRelay({
    data: door.data,
    posthog: { host: posthog.url, key: 'phc_test' },
    args: ['--forward', nats.url, ...args]
  });
  relays.push(relay);
  return relay;
}

async function startReader(): Promise<RelayProcess> {
  const relay = await startRelay({
    data: reader.data,
    posthog: { host: posthog.url, key: 'phc_test' },
    args: ['--consume', nats.url]
  });
  relays.push(relay);
  return relay;
}

async function post(relay: RelayProcess, count: number): Promise<WireEvent[]> {
  const events = makeEvents(count);
  expect((await postBatch(relay.url, key, events)).status).toBe(200);
  return events;
}

const idsOf = (events: readonly WireEvent[]): string[] =>
  events.map(({ uuid }) => uuid!).sort();

async function arrived(events: readonly WireEvent[]): Promise<void> {
  await waitFor(
    () => `${events.length} events arrived, ${posthog.stored().length} did`,
    () => posthog.stored().length >= events.length,
    20_000
  );
  expect(
    posthog
      .stored()
      .map(({ uuid }) => uuid)
      .sort()
  ).toEqual(idsOf(events));
}

async function forwarded(relay: RelayProcess): Promise<void> {
  await waitFor('the door has forwarded all', async () => {
    const status = (await sinksOf(relay)).find(
      ({ name }) => name === 'forward'
    );
    return status?.state === 'running' && status.lag === 0;
  });
}

it('takes events at the door, carries them, and feeds the sinks of the consumer alone', async () => {
  await nats.start();
  const first = await startDoor();
  const second = await startReader();
  const events = await post(first, 7);
  await arrived(events);
  expect((await sinksOf(first)).map(({ name }) => name)).toEqual(['forward']);
  await Promise.all([first.stop(), second.stop()]);
  expect((await uuidsInLog(reader.data)).sort()).toEqual(idsOf(events));
});

it('takes events while the server is away, and forwards them when it is there', async () => {
  const relay = await startDoor();
  const events = await post(relay, 5);
  await waitFor('the status says so', async () => {
    const [status] = await sinksOf(relay);
    return status?.state === 'retrying' && /refused/.test(status.lastError!);
  });
  await startReader();
  await nats.start();
  events.push(...(await post(relay, 3)));
  await arrived(events);
});

it('publishes again what the server lost in a power cut', async () => {
  await nats.start();
  const relay = await startDoor();
  const events = await post(relay, 5);
  events.push(...(await post(relay, 4)));
  await forwarded(relay);
  await nats.kill();
  await nats.nodes[0]!.loseDisk();
  await nats.start();
  await startReader();
  await arrived(events);
  events.push(...(await post(relay, 2)));
  await arrived(events);
  expect(relay.output()).toContain('everything from record 1 on is published');
});

it('keeps what one server alone has taken, unless told that it is safe there', async () => {
  await nats.start();
  const small = ['--segment-bytes', '65536'];
  let relay = await startDoor(...small);
  const events: WireEvent[] = [];
  for (let n = 0; n < 5; n += 1) {
    events.push(...(await post(relay, 150)));
  }
  await forwarded(relay);
  const segments = async (): Promise<number> =>
    (await readdir(join(door.data, 'log'))).filter(name =>
      name.endsWith('.seg')
    ).length;
  expect(await segments()).toBeGreaterThan(2);
  await relay.stop();

  relay = await startDoor(...small, '--forward-safe', 'yes');
  await waitFor(
    'the door let go of what is safe',
    async () => (await segments()) <= 1
  );
  await startReader();
  await arrived(events);
});
