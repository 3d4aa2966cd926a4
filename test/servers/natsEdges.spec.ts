/** What may stand between doors and consumers, with a real nats-server: sizes, duplicates, shares, credentials, mistakes. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { SinkStatus } from '../../src/api/index.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../relay/support/testRelay.js';
import { copyCourses } from '../support/doors.js';
import { makeNats, type Nats } from '../support/nats.js';
import { deadLettersOf } from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';

let nats: Nats;
const relays: TestRelay[] = [];

afterEach(async () => {
  await Promise.all(relays.splice(0).map(relay => relay.remove()));
  await nats.remove();
});

async function server(config = ''): Promise<void> {
  nats = await makeNats(1, { config });
  await nats.start();
}

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

const door = (flags = {}, like?: TestRelay): Promise<TestRelay> =>
  relay({ forward: nats.url, ...flags }, like);
const consumer = (like: TestRelay, flags = {}): Promise<TestRelay> =>
  relay({ consume: nats.url, ...flags }, like);

async function post(
  { post: send }: TestRelay,
  key: string,
  batch: unknown[]
): Promise<void> {
  const answer = await send({ api_key: key, batch });
  expect([answer.status, answer.text]).toEqual([200, '{"status":"Ok"}']);
}

function status({ relay: running }: TestRelay, name: string): SinkStatus {
  return running.readiness().sinks.find(sink => sink.name === name)!;
}

async function taken(reader: TestRelay, count: number): Promise<void> {
  await waitFor(
    () => `${count} taken; ${JSON.stringify(status(reader, 'consume'))}`,
    () => status(reader, 'consume').delivered === count,
    20_000
  );
}

async function idsOf(reader: TestRelay): Promise<(string | undefined)[]> {
  return (await reader.events()).map(({ uuid }) => uuid).sort();
}

const idsUpTo = (count: number): string[] =>
  Array.from({ length: count }, (_, n) => uuidOf(n)).sort();

async function withNats(
  work: (connection: NatsConnection) => Promise<unknown>
): Promise<void> {
  const connection = await connect({ servers: nats.nodes[0]!.host });
  await work(connection);
  await connection.close();
}

it('divides what is longer than a message, and sets aside what cannot be divided', async () => {
  await server('max_payload: 32768');
  const first = await door();
  const events = Array.from({ length: 300 }, (_, n) => cellEvent(n));
  await post(first, first.key, [
    ...events,
    {
      ...cellEvent(900),
      event: 'long_story',
      properties: { text: 'x'.repeat(40_000) }
    }
  ]);
  const reader = await consumer(first);
  await taken(reader, 300);
  expect(status(first, 'forward')).toMatchObject({ lag: 0, setAside: 1 });
  expect(await deadLettersOf(first.folder)).toMatchObject([
    { stage: 'forward', code: 'too_long', uuid: uuidOf(900), course: 'demo' }
  ]);
  expect(await idsOf(reader)).toEqual(idsUpTo(300));
});

it('keeps the order of a door, and recognises what comes through two doors', async () => {
  await server();
  const first = await door();
  const second = await door({}, first);
  const reader = await consumer(first);
  for (let n = 0; n < 40; n += 1) {
    await post(first, first.key, [cellEvent(n)]);
  }
  await taken(reader, 40);
  // The client did not see the answers, and sends some to another door, with new ones.
  await post(second, first.key, [cellEvent(3), cellEvent(40), cellEvent(7)]);
  await post(second, first.key, [cellEvent(5)]);
  await post(second, first.key, [cellEvent(41)]);
  await taken(reader, 42);
  const uuids = (await reader.events()).map(({ uuid }) => uuid);
  expect(uuids).toEqual(Array.from({ length: 42 }, (_, n) => uuidOf(n)));
});

it('lets messages of a course wait that the consumer does not know yet', async () => {
  await server();
  const first = await door();
  const reader = await consumer(first);
  const key = await first.addCourse('later');
  await post(first, key, [cellEvent(1)]);
  await post(first, first.key, [cellEvent(0)]);
  await waitFor('the consumer says so', () =>
    status(reader, 'consume').lastError?.includes('course later is not known')
  );
  await taken(reader, 1);
  await copyCourses(first.folder, reader.folder);
  await taken(reader, 2);
  await waitFor(
    'all is well again',
    () => status(reader, 'consume').lastError === null
  );
  expect((await reader.events()).map(({ course }) => course)).toEqual([
    'demo',
    'later'
  ]);
});

it('divides the courses among consumers', async () => {
  await server();
  const first = await door();
  const courses = ['a', 'b', 'c', 'd', 'e', 'f'];
  const keys: string[] = [];
  for (const course of courses) {
    keys.push(await first.addCourse(course));
  }
  const readers = [
    await consumer(first, { 'consume-share': '1/2' }),
    await consumer(first, { 'consume-share': '2/2' })
  ];
  for (const [n, key] of keys.entries()) {
    await post(first, key, [cellEvent(n), cellEvent(100 + n)]);
  }
  const delivered = (): number[] =>
    readers.map(reader => status(reader, 'consume').delivered);
  await waitFor(
    () => `12 taken, ${delivered().join(' and ')} were`,
    () => delivered().reduce((a, b) => a + b) === 12
  );
  expect(Math.min(...delivered())).toBeGreaterThan(0);
  const [one, two] = await Promise.all(
    readers.map(async reader =>
      (await reader.events()).map(({ course }) => course)
    )
  );
  expect(one!.filter(course => two!.includes(course))).toEqual([]);
  expect(new Set([...one!, ...two!])).toEqual(new Set(courses));
});

it('lets one relay be door and consumer, without a circle', async () => {
  await server();
  const other = await door();
  const both = await relay({ forward: nats.url, consume: nats.url }, other);
  await post(other, other.key, [cellEvent(0)]);
  await post(both, other.key, [cellEvent(1)]);
  await waitFor(
    'each is where it belongs',
    () =>
      status(both, 'consume').delivered === 1 &&
      status(both, 'consume').lag === 0 &&
      status(both, 'forward').lag === 0 &&
      status(both, 'insights').delivered === 2
  );
  expect(status(other, 'forward').delivered).toBe(1);
  expect(status(both, 'forward').delivered).toBe(1);
  expect(await idsOf(both)).toEqual(idsUpTo(2));
});

it('sets aside what no relay wrote, and goes on', async () => {
  await server();
  const first = await door();
  await post(first, first.key, [cellEvent(0)]);
  await waitFor('it is there', () => status(first, 'forward').lag === 0);
  await withNats(connection =>
    jetstream(connection, { checkAPI: false }).publish('telemetry.0', 'hello')
  );
  await post(first, first.key, [cellEvent(1)]);
  const reader = await consumer(first);
  await taken(reader, 2);
  await waitFor('it is set aside', async () =>
    (await deadLettersOf(reader.folder)).some(
      ({ stage, code }) => stage === 'consume' && code === 'unreadable'
    )
  );
  expect(await idsOf(reader)).toEqual(idsUpTo(2));
});

it('says what is wrong with a stream, and goes on when it is put right', async () => {
  await server();
  await withNats(async connection => {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await manager.streams.add({ name: 'telemetry', subjects: ['other'] });
  });
  const first = await door();
  await post(first, first.key, [cellEvent(0)]);
  await waitFor('the status says so', () =>
    status(first, 'forward').lastError?.includes(
      'expected the subject telemetry.*, got other'
    )
  );
  await withNats(async connection => {
    const manager = await jetstreamManager(connection, { checkAPI: false });
    await manager.streams.update('telemetry', { subjects: ['telemetry.*'] });
  });
  const reader = await consumer(first);
  await taken(reader, 1);
});

it('logs in with a file, and shows no secret where that fails', async () => {
  await server('authorization { user: relay, password: hunter2 }');
  const file = join(nats.folder, 'login.json');
  await writeFile(file, '{"user":"relay","password":"wrong-hunter3"}');
  const first = await door({ 'engine-credentials': file });
  await post(first, first.key, [cellEvent(0)]);
  await waitFor('the status says so', () =>
    /authorization/i.test(status(first, 'forward').lastError ?? '')
  );
  // Renewed while the relay runs.
  await writeFile(file, '{"user":"relay","password":"hunter2"}');
  await waitFor('it is forwarded', () => status(first, 'forward').lag === 0);
  const said = first.logged() + JSON.stringify(first.relay.readiness());
  expect(said).not.toContain('hunter');
});

it('publishes again what a server forgot, even where another door has filled the gap', async () => {
  await server();
  const first = await door();
  const second = await door({}, first);
  const forwarded = (which: TestRelay): Promise<unknown> =>
    waitFor(
      () => `all is forwarded; ${JSON.stringify(status(which, 'forward'))}`,
      () =>
        status(which, 'forward').lag === 0 &&
        status(which, 'forward').state === 'running'
    );
  await post(first, first.key, [cellEvent(0)]);
  await forwarded(first);
  await nats.kill();
  await nats.nodes[0]!.saveDisk();
  await nats.start();
  for (const n of [1, 2, 3]) {
    await post(first, first.key, [cellEvent(n)]);
  }
  await forwarded(first);
  // The first door is away while the server comes back with an older disk.
  await first.relay.close();
  await nats.kill();
  await nats.nodes[0]!.restoreDisk();
  await nats.start();
  for (const n of [4, 5, 6, 7, 8]) {
    await post(second, first.key, [cellEvent(n)]);
  }
  await forwarded(second);
  await first.restart();
  await waitFor('the first door found out', () =>
    first.logged().includes('lost what it had taken')
  );
  const reader = await consumer(first);
  await taken(reader, 9);
  expect(await idsOf(reader)).toEqual(idsUpTo(9));
});
