/** Courses and their PostHog projects: whose place is kept, what is still needed, and that a course's mistake holds up no other. */
import { createHash } from 'node:crypto';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  openCourseStore,
  type CourseStore
} from '../../src/relay/courses/courseStore.js';
import {
  addCourse,
  setCourse,
  type CourseChanges
} from '../../src/relay/courses/editCourses.js';
import type { Project } from '../../src/relay/destinations.js';
import {
  furthestCursor,
  startFeeders,
  type Feeders
} from '../../src/relay/feeders.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { openDeadLetters } from '../../src/relay/pipeline/deadLetters.js';
import {
  createInsightsSink,
  createMemorySink,
  type MemorySink,
  type PostHogSinkOptions
} from '../../src/sinks/index.js';
import { waitFor } from '../support/waitFor.js';
import { folders, header } from './log/support.js';
import { cellEvent, startTestRelay } from './support/testRelay.js';

const temporary = folders();
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) {
    await close();
  }
});
afterAll(() => temporary.remove());

/** A data folder with a log, its courses, and feeders that can be started over it again. */
async function setUp() {
  const folder = await temporary.make();
  const file = join(folder, 'courses.json');
  const cursors = join(folder, 'cursors');
  const log = await openSegmentLog({ dir: join(folder, 'log') });
  closing.push(() => log.close());
  const deadLetters = await openDeadLetters(join(folder, 'letters.jsonl'));
  closing.push(() => deadLetters.close());
  const problems: string[] = [];
  let made = 0;
  return {
    file,
    cursors,
    log,
    problems,
    add: (id: string, changes: CourseChanges = {}) =>
      addCourse(file, id, { title: id, ...changes }),
    /** Appends one event of a course; gives its number in the log. */
    async append(course: string) {
      made += 1;
      const batch = [cellEvent(made)];
      return log.append(
        { ...header(1), course },
        Buffer.from(JSON.stringify({ batch }))
      );
    },
    /** Starts feeders whose sinks do as `judge` says. */
    async start(
      destination: Project | null,
      judge: Parameters<typeof createMemorySink>[0] = {},
      env: Record<string, string> = {}
    ): Promise<Started> {
      const sinks = new Map<string, MemorySink>();
      const opened: PostHogSinkOptions[] = [];
      const courses = openCourseStore(file, () => undefined);
      const insights = createInsightsSink({ titleOf: id => id });
      const feeders = await startFeeders({
        log,
        deadLetters,
        courses,
        insights,
        cursors,
        destination,
        env,
        createPostHogSink: options => {
          const sink = createMemorySink({ ...judge, name: options.name });
          opened.push(options);
          sinks.set(options.name, sink);
          return sink;
        },
        onStatus: () => undefined,
        onProblem: message => problems.push(message)
      });
      closing.push(() => feeders.stop());
      return { feeders, sinks, opened, courses };
    }
  };
}

interface Started {
  feeders: Feeders;
  sinks: Map<string, MemorySink>;
  opened: PostHogSinkOptions[];
  courses: CourseStore;
}

const A: Project = { host: 'https://a.example', apiKey: 'phc_one' };

function taken({ sinks }: Started, name: string): number {
  return sinks.get(name)?.records().length ?? 0;
}

async function caughtUp({ feeders }: Started): Promise<void> {
  await waitFor('all sinks have everything', () =>
    feeders.statuses().every(({ lag }) => lag === 0)
  );
}

describe('a destination', () => {
  it('keeps its place when only its key changes, and begins anew at another host', async () => {
    const data = await setUp();
    await data.add('demo');
    await data.append('demo');
    const first = await data.start(A);
    await caughtUp(first);
    expect(taken(first, 'posthog')).toBe(1);
    await first.feeders.stop();

    await data.append('demo');
    const second = await data.start({ ...A, apiKey: 'phc_two' });
    await caughtUp(second);
    expect(taken(second, 'posthog')).toBe(1);
    expect(second.opened).toEqual([
      expect.objectContaining({ name: 'posthog', apiKey: 'phc_two' })
    ]);
    await second.feeders.stop();

    const third = await data.start({ ...A, host: 'https://b.example/' });
    await caughtUp(third);
    expect(taken(third, 'posthog')).toBe(2);
  });

  it('of a course follows a change of its settings while the relay runs', async () => {
    const data = await setUp();
    const own = (apiKey: string) => ({
      posthog: { host: 'https://own.example', apiKey }
    });
    await data.add('demo', own('phc_wrong'));
    await data.append('demo');
    const started = await data.start(null, {
      judge: () =>
        started?.opened.at(-1)?.apiKey === 'phc_right'
          ? { kind: 'ok' }
          : { kind: 'stop', reason: '401: wrong key' }
    });
    await waitFor('it is stopped', () =>
      started.feeders
        .statuses()
        .some(
          ({ name, state }) => name === 'posthog-demo' && state === 'stopped'
        )
    );
    await setCourse(data.file, 'demo', own('phc_right'));
    // No five minutes are waited: what was wrong has changed.
    await caughtUp(started);
    expect(taken(started, 'posthog-demo')).toBe(1);
    await setCourse(data.file, 'demo', { posthog: 'off' });
    await waitFor('it is gone', () =>
      started.feeders.statuses().every(({ name }) => name === 'insights')
    );
    await data.append('demo');
    await caughtUp(started);
    expect(taken(started, 'posthog-demo')).toBe(1);
  });

  it('takes over the place that an earlier version kept under a name made of the key', async () => {
    const data = await setUp();
    await data.add('demo');
    await data.add('own', {
      posthog: { host: 'https://a.example/', apiKeyEnv: 'OWN' }
    });
    for (const course of ['demo', 'own', 'demo', 'own']) {
      await data.append(course);
    }
    const former = (apiKey: string) =>
      `posthog-${createHash('sha256').update(`https://a.example\n${apiKey}`).digest('hex').slice(0, 8)}.json`;
    await mkdir(data.cursors);
    await writeFile(
      join(data.cursors, former('phc_one')),
      '{"seq":3,"skip":0}'
    );
    await writeFile(
      join(data.cursors, former('phc_own')),
      '{"seq":4,"skip":0}'
    );
    expect(await furthestCursor(data.cursors)).toBe(4);
    const started = await data.start(A, {}, { OWN: 'phc_own' });
    await caughtUp(started);
    expect(taken(started, 'posthog')).toBe(1);
    expect(taken(started, 'posthog-own')).toBe(1);
    expect((await readdir(data.cursors)).sort()).toEqual([
      'posthog-own.json',
      'posthog.json'
    ]);
    expect(await furthestCursor(data.cursors)).toBe(5);
  });
});

describe('what is still needed of the log', () => {
  it('is everything from the slowest sink’s durable place on', async () => {
    const data = await setUp();
    await data.add('demo');
    await data.add('own', {
      posthog: { host: 'https://own.example', apiKey: 'phc_own' }
    });
    for (let count = 0; count < 3; count += 1) {
      await data.append('demo');
    }
    const last = await data.append('own');
    const started = await data.start(A, {
      judge: records =>
        records[0]?.course === 'own'
          ? { kind: 'stop', reason: '401: wrong key' }
          : { kind: 'ok' }
    });
    await waitFor('one is done and one is stopped', () => {
      const lags = started.feeders.statuses().map(one => [one.name, one.lag]);
      return Object.fromEntries(lags)['posthog'] === 0;
    });
    expect(started.feeders.lowest()).toBe(1);
    await setCourse(data.file, 'own', { posthog: 'off' });
    await waitFor(
      'nobody needs it any more',
      () => started.feeders.lowest() === last + 1
    );
  });

  it('includes what waits for a key that is not there', async () => {
    const data = await setUp();
    await data.add('demo');
    await data.add('broken', {
      posthog: { host: 'https://own.example', apiKeyEnv: 'NOT_SET' }
    });
    await data.append('broken');
    await data.append('demo');
    const started = await data.start(A);
    await waitFor(
      'the sound course is done',
      () => taken(started, 'posthog') === 1
    );
    expect(started.feeders.lowest()).toBe(1);
    expect(started.feeders.statuses()).toContainEqual({
      name: 'posthog-broken',
      state: 'stopped',
      circuit: 'closed',
      lag: 2,
      seq: 1,
      delivered: 0,
      setAside: 0,
      retries: 0,
      lastError: expect.stringContaining('NOT_SET, which is not set')
    });
    await started.feeders.stop();
    const again = await data.start(A, {}, { NOT_SET: 'phc_now' });
    await caughtUp(again);
    expect(taken(again, 'posthog-broken')).toBe(1);
    expect(again.feeders.lowest()).toBe(3);
  });
});

it('a relay delivers the other courses where one lacks its key, and says so', async () => {
  const project = createMemorySink({ name: 'posthog' });
  const relay = await startTestRelay({
    flags: {
      'posthog-key': 'phc_test',
      'posthog-host': 'http://127.0.0.1:9'
    },
    parts: { createPostHogSink: () => project }
  });
  try {
    const broken = await relay.addCourse('broken', {
      posthog: { host: 'http://127.0.0.1:9', apiKeyEnv: 'NOT_SET_ANYWHERE' }
    });
    const post = (api_key: string, n: number) =>
      relay.post({ api_key, batch: [cellEvent(n)] });
    expect((await post(broken, 1)).status).toBe(200);
    expect((await post(relay.key, 2)).status).toBe(200);
    await waitFor(
      'the event of the sound course',
      () => project.records().length === 1
    );
    expect(project.records()[0]).toMatchObject({ course: 'demo' });
    await waitFor('it is said', () =>
      relay.logged().includes('NOT_SET_ANYWHERE, which is not set')
    );
  } finally {
    await relay.remove();
  }
});
