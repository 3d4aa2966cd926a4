/** Old events go when their course says so; interrupted deletions go on; students get their own data and nobody else's. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import {
  addJob,
  readForgetFile
} from '../../../src/relay/privacy/forgetFile.js';
import {
  ensureSecrets,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';
import { run } from '../../../src/cli/run.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

const DAY_MS = 86_400_000;

let relay: TestRelay;
let clock = Date.now();

beforeEach(async () => {
  clock = Date.now();
  relay = await startTestRelay({
    parts: { privacy: { now: () => clock, everyMs: 20 } }
  });
});
afterEach(() => relay.remove());

async function retain(...more: string[]): Promise<unknown> {
  let out = '';
  const code = await run(
    ['retention', 'run', ...more, '--json', '--data', relay.folder],
    { USER: 'ada' },
    { out: line => (out += line), err: line => (out += line) }
  );
  expect([code, out]).toEqual([0, expect.stringContaining('{')]);
  return JSON.parse(out);
}

it('removes what is older than the course says, and only that; a dry run says it before', async () => {
  const day = (ago: number): string =>
    new Date(clock - ago * DAY_MS).toISOString();
  const other = await relay.addCourse('other', {
    notice: { retention_days: null }
  });
  const batch = [
    { ...cellEvent(1), timestamp: day(40) },
    { ...cellEvent(2), timestamp: day(31) },
    { ...cellEvent(3), timestamp: day(29) },
    { ...cellEvent(4, { ms: 'x' }), timestamp: day(50) }
  ];
  await relay.post({ api_key: relay.key, batch });
  await relay.post({ api_key: other, batch: [batch[0]] });
  await setCourse(dataPaths(relay.folder).courses, 'demo', {
    notice: { retention_days: 30 }
  });
  const gone = {
    course: 'demo',
    days: 30,
    events: 2,
    letters: 0,
    from: day(40).slice(0, 10),
    to: day(31).slice(0, 10)
  };
  await waitFor('the relay follows', async () => {
    const { courses } = (await retain('--dry-run')) as { courses: object[] };
    return JSON.stringify(courses).includes('"days":30');
  });
  expect(await retain('--dry-run')).toMatchObject({
    dryRun: true,
    courses: [gone]
  });
  expect(await retain()).toMatchObject({ dryRun: false, courses: [gone] });
  clock += 31 * DAY_MS;
  expect(await retain()).toMatchObject({
    courses: [{ events: 1, letters: 1 }]
  });
  const events = await relay.events();
  expect(events.map(({ course }) => course)).toEqual(['other']);
  expect(await relay.everyByte()).toContain('"action":"retention"');
});

it('takes nothing for old because of a clock that is far behind', async () => {
  const day = (ago: number): string =>
    new Date(clock - ago * DAY_MS).toISOString();
  await setCourse(dataPaths(relay.folder).courses, 'demo', {
    notice: { retention_days: 30 }
  });
  await relay.post({
    api_key: relay.key,
    sent_at: day(100),
    batch: [
      { ...cellEvent(1), timestamp: day(100) },
      { ...cellEvent(2), timestamp: day(140) }
    ]
  });
  await waitFor('the relay follows', async () => {
    const { courses } = (await retain('--dry-run')) as { courses: object[] };
    return JSON.stringify(courses).includes('"days":30');
  });
  expect(await retain('--dry-run')).toMatchObject({ courses: [{ events: 1 }] });
  expect(await retain()).toMatchObject({ courses: [{ events: 1 }] });
  expect(await retain()).toMatchObject({ courses: [{ events: 0 }] });
  clock += 31 * DAY_MS;
  expect(await retain()).toMatchObject({ courses: [{ events: 1 }] });
  expect(await relay.events()).toEqual([]);
});

it('a deletion that a crash interrupted goes on when the relay starts', async () => {
  const theirs = {
    ...cellEvent(1),
    timestamp: new Date(clock - 60_000).toISOString()
  };
  await relay.post({ api_key: relay.key, batch: [theirs] });
  await relay.relay.close();
  const paths = dataPaths(relay.folder);
  await ensureSecrets(paths.pseudonyms);
  const tag = readSecrets(paths.pseudonyms).tag('demo', 'ADA-LOVELACE');
  await addJob(paths.forget, {
    course: 'demo',
    tags: [tag],
    nameTags: [tag],
    generation: 1,
    who: 'cli:ada',
    requestedAt: new Date(clock).toISOString(),
    state: 'local',
    posthog: 'none',
    attempts: 0,
    removed: { events: 0, letters: 0 }
  });
  await relay.restart();
  await waitFor(
    'the deletion is done',
    () => readForgetFile(paths.forget).jobs[0]!.state === 'recheck'
  );
  expect(readForgetFile(paths.forget).jobs[0]!.removed.events).toBe(1);
  expect(await relay.events()).toEqual([]);
  expect(await relay.everyByte()).not.toContain('ADA-LOVELACE');
});

it.each(['GET', 'DELETE'])(
  'a course key alone lets nobody %s a student',
  async method => {
    await relay.post({ api_key: relay.key, batch: [cellEvent(1)] });
    const answer = await fetch(`${relay.url}/api/v1/me?student=ADA-LOVELACE`, {
      method,
      headers: {
        authorization: `Bearer ${relay.key}`,
        'x-ipynb-telemetry-hub-token': 'made-up'
      }
    });
    expect(answer.status).toBe(403);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({
      code: 'not_verified',
      message: expect.stringContaining('Ask Demo') as string
    });
    expect(text).not.toContain('ADA');
    expect(await relay.events()).toHaveLength(1);
  }
);

it("a student whom the Hub vouches for gets and deletes their own data, and nobody else's", async () => {
  const hub = createServer((request, response) => {
    const [, token] = (request.headers.authorization ?? '').split(' ');
    response.writeHead(token?.endsWith('-token') ? 200 : 403, {
      'content-type': 'application/json'
    });
    response.end(
      JSON.stringify({
        kind: 'user',
        name: token === 'grace-token' ? 'GRACE-HOPPER' : 'ada-lovelace',
        groups: []
      })
    );
  }).listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const { port } = hub.address() as AddressInfo;
  await relay.remove();
  relay = await startTestRelay({
    flags: { 'hub-api-url': `http://127.0.0.1:${port}/hub/api` },
    parts: { privacy: { now: () => clock, everyMs: 20 } }
  });
  try {
    const timestamp = new Date(clock - 60_000).toISOString();
    const grace = {
      ...cellEvent(2, { student: 'GRACE-HOPPER' }),
      distinct_id: 'GRACE-HOPPER',
      timestamp
    };
    const batch = [{ ...cellEvent(1), timestamp }, grace];
    await relay.post({ api_key: relay.key, batch });
    const me = (
      path: string,
      method = 'GET',
      token = 'grace-token'
    ): Promise<Response> =>
      fetch(`${relay.url}/api/v1/me${path}`, {
        method,
        headers: {
          authorization: `Bearer ${relay.key}`,
          'x-ipynb-telemetry-hub-token': token
        }
      });
    const own = await (await me('?student=ADA-LOVELACE')).text();
    expect(JSON.parse(own)).toMatchObject({
      student: 'GRACE-HOPPER',
      events: [{ student: 'GRACE-HOPPER' }],
      report: { events: 1 }
    });
    expect(own).not.toContain('ADA');
    const csv = await (await me('?format=csv')).text();
    expect(csv.split('\r\n')[1]).toContain('demo,event,');
    // A user whose name is nearly another student's.
    const near = await (await me('', 'GET', 'near-token')).json();
    expect(near).toMatchObject({ events: [], report: null });
    const deleted = await me('', 'DELETE');
    expect(await deleted.json()).toMatchObject({ removed: { events: 1 } });
    // A page of another origin may ask for it.
    const before = await fetch(`${relay.url}/api/v1/me`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://notebooks.example',
        'access-control-request-method': 'DELETE'
      }
    });
    expect(before.headers.get('access-control-allow-methods')).toBe(
      'GET, DELETE, OPTIONS'
    );
    // Asking again, with nothing new, makes no second job.
    const { job } = (await (await me('', 'DELETE')).json()) as { job: string };
    const { jobs } = readForgetFile(dataPaths(relay.folder).forget);
    expect(jobs.map(({ id }) => id)).toEqual([job]);
    clock += 60_000;
    const later = { ...grace, uuid: cellEvent(3).uuid };
    const { timestamp: _before, ...now } = later;
    await relay.post({
      api_key: relay.key,
      batch: [{ ...now, timestamp: new Date(clock).toISOString() }]
    });
    const third = await (await me('', 'DELETE')).json();
    expect(third).toMatchObject({ removed: { events: 1 } });
    expect(third).not.toMatchObject({ job });

    // Each reads the whole log: a few an hour, and not for one student at another's cost.
    const refused = await me('', 'DELETE');
    expect(refused.status).toBe(503);
    expect(refused.headers.get('access-control-allow-origin')).toBe('*');
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(600);
    expect(await refused.json()).toMatchObject({ code: 'rate_limited' });
    const readings = await Promise.all(
      Array.from({ length: 5 }, async () => (await me('')).status)
    );
    expect(readings.sort()).toEqual([200, 200, 200, 200, 503]);
    expect((await me('', 'GET', 'near-token')).status).toBe(200);

    expect((await relay.events()).map(({ student }) => student)).toEqual([
      'ADA-LOVELACE'
    ]);
  } finally {
    hub.closeAllConnections();
    hub.close();
  }
});
