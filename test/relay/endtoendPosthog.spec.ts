/** The real relay and a PostHog that fails in every way it can: nothing is lost, and only what is bad is set aside. */
import { jest } from '@jest/globals';
import type { WireEvent } from '../../src/events/index.js';
import { makeEvents, postBatch } from '../support/client.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import {
  addCourse,
  deadLettersOf,
  makeDataFolder,
  setCourse,
  sinksOf,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';

const projectKey = 'phc_test_of_the_relay';
let posthog: PostHogStandIn;
let folder: Awaited<ReturnType<typeof makeDataFolder>>;
let courseKey: string;
let relay: RelayProcess | undefined;

jest.setTimeout(60_000);

beforeEach(async () => {
  posthog = await startPostHogStandIn({ knownTokens: [projectKey] });
  folder = await makeDataFolder();
  courseKey = await addCourse(folder.data, 'demo');
  // What makes an event bad or big here is none of the contract's properties.
  await setCourse(folder.data, 'demo', ['--properties', 'all']);
  relay = await start();
});

afterEach(async () => {
  await relay?.kill();
  await posthog.stop();
  await folder.remove();
  expect(relay?.output()).not.toContain(projectKey);
  expect(relay?.output()).not.toContain(courseKey);
});

it('delivers what it answered 200 for, as the event was', async () => {
  const [event] = await post(makeEvents(1));
  await arrived(1);
  expect(posthog.stored()).toEqual([
    expect.objectContaining({
      token: projectKey,
      event: 'cell',
      distinct_id: 'JOHN-DOE',
      uuid: event?.uuid,
      copies: 1,
      properties: expect.objectContaining({
        ...event?.properties,
        course: 'demo',
        $lib: 'ipynb-telemetry',
        $geoip_disable: true
      })
    })
  ]);
});

it('sends each course to its own project, and to none where the course says so', async () => {
  const other = await startPostHogStandIn();
  try {
    const keys = new Map([['demo', courseKey]]);
    for (const course of ['second', 'private']) {
      keys.set(course, await addCourse(folder.data, course));
    }
    await setCourse(folder.data, 'second', [
      '--posthog-host',
      other.url,
      '--posthog-key',
      'phc_of_second'
    ]);
    await setCourse(folder.data, 'private', ['--posthog', 'off']);
    for (const [course, key] of keys) {
      const events = makeEvents(3, `STUDENT-OF-${course}`);
      expect((await postBatch(relay!.url, key, events)).status).toBe(200);
    }
    await arrived(3);
    await waitFor(
      'the other project has its events',
      () => other.stored().length === 3
    );
    await waitFor('no sink has anything left to do', async () =>
      (await sinksOf(relay!)).every(({ lag }) => lag === 0)
    );
    const courses = (from: PostHogStandIn): unknown[] =>
      from.stored().map(row => [row.token, row.properties['course']]);
    expect(courses(posthog)).toEqual(Array(3).fill([projectKey, 'demo']));
    expect(courses(other)).toEqual(Array(3).fill(['phc_of_second', 'second']));
    expect(relay?.output()).not.toContain('phc_of_second');
  } finally {
    await other.stop();
  }
});

it('loses nothing while PostHog is down, then unwell, then well; and takes events all the time', async () => {
  const sent: WireEvent[] = [];
  const postSome = async (): Promise<void> => {
    const started = Date.now();
    sent.push(...(await post(makeEvents(10, 'JOHN-DOE', sent.length + 1))));
    expect(Date.now() - started).toBeLessThan(2000);
  };
  await posthog.down();
  await postSome();
  await sinkSays('retrying', /cannot reach .*ECONNREFUSED/);
  await postSome();
  posthog.behave({ mode: 'answer', status: 503, body: 'please retry' });
  await posthog.up();
  await sinkSays('retrying', /answered 503: please retry/);
  await postSome();
  posthog.behave({ mode: 'answer', status: 429, retryAfter: 1, times: 1 });
  await postSome();
  await arrived(sent.length);
  expect(storedUuids()).toEqual(sent.map(({ uuid }) => uuid));
  await sinkSays('running', null);
  expect(await deadLettersOf(folder.data)).toEqual([]);
});

it('sends again what PostHog stored without saying so, and it counts once', async () => {
  posthog.behave([
    { mode: 'reset', times: 2 },
    { mode: 'drop', times: 1 }
  ]);
  await post(makeEvents(20));
  await waitFor('PostHog has answered', () =>
    posthog.requests().some(({ status }) => status === 200)
  );
  expect(posthog.stored()).toHaveLength(20);
  expect(posthog.stored().every(({ copies }) => copies === 3)).toBe(true);
});

it('sets aside the one event that PostHog refuses, with the reason, and delivers the others in order', async () => {
  posthog.behave({ mode: 'refuse' });
  const before = await post(makeEvents(37));
  const [poison] = await post(makeEvents(1, 'JOHN-DOE', 38, { poison: 1 }));
  const after = await post(makeEvents(62, 'JOHN-DOE', 39));
  await arrived(99);
  expect(storedUuids()).toEqual([...before, ...after].map(({ uuid }) => uuid));
  const letters = await deadLettersOf(folder.data);
  expect(letters).toEqual([
    expect.objectContaining({
      course: 'demo',
      uuid: poison?.uuid,
      reason: expect.stringContaining('PostHog answered 400')
    })
  ]);
  expect(JSON.stringify(letters[0]?.event)).toContain('poison');
  await waitFor('the sink counts it', async () =>
    (await sinksOf(relay!)).some(({ setAside }) => setAside === 1)
  );
});

it('keeps everything while PostHog does not know the key, says what to do, and delivers once the key is right', async () => {
  await relay?.stop();
  relay = await start('phc_of_no_project');
  const sent = await post(makeEvents(30));
  await sinkSays('stopped', /answered 401.*project key/);
  sent.push(...(await post(makeEvents(5, 'JOHN-DOE', 31))));
  expect(posthog.stored()).toEqual([]);
  expect(posthog.requests()).toHaveLength(1);
  expect(await relay?.stop()).toBe(0);
  expect(relay?.output()).not.toContain('phc_of_no_project');
  relay = await start();
  await arrived(35);
  expect(storedUuids()).toEqual(sent.map(({ uuid }) => uuid));
  expect(await deadLettersOf(folder.data)).toEqual([]);
});

it('halves what is too big for PostHog, and sets aside only what is too big by itself', async () => {
  posthog.behave({ mode: 'limit', events: 7 });
  await post(makeEvents(100));
  await arrived(100);
  posthog.behave({ mode: 'ok' });
  const [big] = await post(
    makeEvents(1, 'JOHN-DOE', 101, { output: 'x'.repeat(799_600) })
  );
  await post(makeEvents(3, 'JOHN-DOE', 102));
  await arrived(103);
  expect(await deadLettersOf(folder.data)).toEqual([
    expect.objectContaining({
      uuid: big?.uuid,
      reason: expect.stringMatching(/800\d{3} bytes/)
    })
  ]);
});

it('gives up on a PostHog that hangs, and tries again', async () => {
  posthog.behave({ mode: 'hang', times: 1 });
  await post(makeEvents(10));
  await arrived(10, 30_000);
  expect(posthog.requests().map(({ status }) => status)).toEqual([0, 200]);
});

it('stops on SIGTERM although PostHog hangs, and goes on where it was', async () => {
  posthog.behave({ mode: 'hang' });
  await post(makeEvents(10));
  await waitFor('PostHog hangs', () => posthog.requests().length > 0);
  const started = Date.now();
  expect(await relay?.stop()).toBe(0);
  expect(Date.now() - started).toBeLessThan(15_000);
  posthog.behave({ mode: 'ok' });
  relay = await start();
  await arrived(10);
});

function start(key = projectKey): Promise<RelayProcess> {
  return startRelay({
    data: folder.data,
    posthog: { host: posthog.url, key }
  });
}

/** Posts the events and gives them back once they are answered 200. */
async function post(events: WireEvent[]): Promise<WireEvent[]> {
  const response = await postBatch(relay!.url, courseKey, events);
  expect([response.status, await response.json()]).toEqual([
    200,
    { status: 'Ok' }
  ]);
  return events;
}

function arrived(count: number, timeoutMs = 20_000): Promise<true> {
  return waitFor(
    () => `${count} events arrived; there are ${posthog.stored().length}`,
    () => posthog.stored().length === count,
    timeoutMs
  );
}

function storedUuids(): string[] {
  return posthog.stored().map(({ uuid }) => uuid);
}

async function sinkSays(state: string, reason: RegExp | null): Promise<void> {
  let seen = '';
  await waitFor(
    () => `the PostHog sink is ${state}, ${reason}; it is ${seen}`,
    async () => {
      const sink = (await sinksOf(relay!)).find(({ name }) =>
        name.startsWith('posthog')
      );
      seen = JSON.stringify(sink);
      return (
        sink?.state === state &&
        (reason === null
          ? sink.lastError === null
          : reason.test(sink.lastError ?? ''))
      );
    }
  );
}
