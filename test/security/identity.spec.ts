/** Attacks by being somebody else: students, keys, links and sessions that are not one's own. */
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readdir, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import {
  addKey,
  revokeKey,
  setCourse
} from '../../src/relay/courses/editCourses.js';
import { hashSecret, mintKey, sameHash } from '../../src/relay/courses/keys.js';
import { dataPaths } from '../../src/relay/files.js';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  read,
  startTestRelay,
  type Answer,
  type TestRelay
} from '../relay/support/testRelay.js';
import { getRaw } from './raw.js';

let relay: TestRelay;
beforeEach(async () => {
  relay = await startTestRelay();
});
afterEach(async () => {
  await relay.remove();
});

const ask = async (
  path: string,
  headers: Record<string, string> = {}
): Promise<Answer> => read(await fetch(relay.url + path, { headers }));

const bearer = (key: string): Record<string, string> => ({
  authorization: `Bearer ${key}`
});

const enter = (url: string, cookie?: string): Promise<Response> =>
  fetch(url, {
    headers: cookie === undefined ? {} : { cookie },
    redirect: 'manual'
  });

const cookieOf = (response: Response): string =>
  response.headers.get('set-cookie')?.split(';')[0] ?? '';

it('A forged student', async () => {
  const token = 'the-token-of-ada';
  const hub = createServer((request, response) => {
    const known = request.headers.authorization === `token ${token}`;
    response
      .writeHead(known ? 200 : 403, { 'content-type': 'application/json' })
      .end(JSON.stringify(known ? { kind: 'user', name: 'ada' } : {}));
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  try {
    await relay.remove();
    relay = await startTestRelay({
      flags: {
        'hub-api-url': `http://127.0.0.1:${(hub.address() as AddressInfo).port}/hub/api`
      }
    });
    // A course whose students the JupyterHub vouches for takes nobody else's word.
    await setCourse(dataPaths(relay.folder).courses, 'demo', {
      students: 'verified'
    });
    let next = 0;
    const send = (headers: Record<string, string>): Promise<Answer> => {
      next += 1;
      return relay.post(
        {
          api_key: relay.key,
          batch: [
            cellEvent(
              next,
              { student: 'VICTIM', $set: { student: 'VICTIM' } },
              { distinct_id: 'VICTIM' }
            )
          ]
        },
        { headers }
      );
    };
    await waitFor('it holds', async () => (await send({})).status === 401);
    const before = relay.relay.readiness().log!.last;
    for (const headers of [
      {},
      { 'x-forwarded-user': 'victim' },
      { 'remote-user': 'victim' },
      { 'x-ipynb-telemetry-hub-token': 'a-token-of-nobody' }
    ]) {
      const answer = await send(headers as Record<string, string>);
      expect([answer.status, answer.json['code']]).toEqual([
        401,
        'unverified_student'
      ]);
    }
    // Whoever is known writes as themself, whatever the events say.
    const own = await send({ 'x-ipynb-telemetry-hub-token': token });
    expect(own.status).toBe(200);
    const events = (await relay.events()).slice(Number(before));
    expect(events).toHaveLength(1);
    expect(events[0]!.student).toMatch(/^ada$/i);
    expect(await relay.everyByte()).not.toContain(token);
    expect(relay.logged()).not.toContain(token);
  } finally {
    hub.close();
  }
});

it('A forged course, receipt or position', async () => {
  const other = await relay.addCourse('other');
  expect(other).not.toBe(relay.key);
  await relay.post({
    api_key: relay.key,
    course: 'other',
    batch: [
      {
        ...cellEvent(1, {
          course: 'other',
          received_at: '1999-01-01T00:00:00Z',
          channel: 'simulation'
        }),
        course: 'other',
        received_at: '1999-01-01T00:00:00Z',
        channel: 'simulation'
      }
    ]
  });
  const [event] = await relay.events();
  expect(event).toMatchObject({ course: 'demo', channel: 'user' });
  expect(event!.received_at! > '2020').toBe(true);
  expect(event!.payload['course'] ?? 'demo').toBe('demo');
});

it('A stolen write key', async () => {
  // It was in a notebook. It opens nothing that could be read,
  for (const path of ['courses', 'snapshot?course=demo', 'live?course=demo']) {
    expect((await ask(`/api/v1/${path}`, bearer(relay.key))).status).toBe(401);
  }
  const login = await fetch(`${relay.url}/login`, {
    method: 'POST',
    headers: { origin: relay.url },
    body: new URLSearchParams({ key: relay.key })
  });
  expect(login.status).toBe(403);
  // and writes into its own course alone, until it is revoked.
  const { courses } = dataPaths(relay.folder);
  const { key, secret } = await addKey(courses, 'demo');
  await revokeKey(courses, key.id);
  const refused = await relay.post({ api_key: secret, batch: [cellEvent(1)] });
  expect([refused.status, refused.json['code']]).toEqual([401, 'revoked_key']);
  expect(
    (await relay.post({ api_key: relay.key, batch: [cellEvent(2)] })).status
  ).toBe(200);
  expect(await relay.events()).toHaveLength(1);
});

it('A stolen reading key', async () => {
  const { courses } = dataPaths(relay.folder);
  const { key, secret } = await addKey(courses, 'demo', { kind: 'instructor' });
  const session = cookieOf(
    await fetch(`${relay.url}/login`, {
      method: 'POST',
      headers: { origin: relay.url },
      body: new URLSearchParams({ key: secret }),
      redirect: 'manual'
    })
  );
  const credentials = [bearer(secret), { cookie: session }];
  for (const headers of credentials) {
    expect((await ask('/api/v1/courses', headers)).status).toBe(200);
  }
  // Revoking it ends what the thief has opened, too.
  await revokeKey(courses, key.id);
  for (const headers of credentials) {
    await waitFor(
      'it is over',
      async () => (await ask('/api/v1/courses', headers)).status === 401
    );
  }
});

it("Another course's data", async () => {
  await relay.addCourse('other');
  const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
    kind: 'instructor'
  });
  const theirs = await ask('/api/v1/snapshot?course=other', bearer(secret));
  const nobodys = await ask('/api/v1/snapshot?course=nobody', bearer(secret));
  expect([theirs.status, theirs.text]).toEqual([
    404,
    nobodys.text.replace('nobody', 'other')
  ]);
  for (const path of [
    '/api/v1/snapshot?course=demo&course=other',
    '/api/v1/snapshot?course[]=other',
    '/api/v1/snapshot?course=demo%00other',
    '/api/v1/snapshot?course=__proto__',
    '/api/v1/snapshot'
  ]) {
    expect([path, (await ask(path, bearer(secret))).status]).toEqual([
      path,
      404
    ]);
  }
});

it('A login link used a second time', async () => {
  const link = await relay.relay.loginLink();
  const answers = await Promise.all(
    Array.from({ length: 4 }, () => enter(link))
  );
  expect(answers.map(({ status }) => status).sort()).toEqual([
    303, 403, 403, 403
  ]);
  await relay.restart();
  const again = new URL(link);
  expect(
    (await enter(`${relay.url}${again.pathname}${again.search}`)).status
  ).toBe(403);
});

it('A session that was planted beforehand', async () => {
  const planted = `ipynb_telemetry_session=${'x'.repeat(43)}`;
  const mine = cookieOf(await enter(await relay.relay.loginLink(), planted));
  expect(mine).not.toBe(planted);
  expect((await ask('/api/v1/courses', { cookie: planted })).status).toBe(401);
  expect((await ask('/api/v1/courses', { cookie: mine })).status).toBe(200);
  // Nor does an own, older session live on beside the new one.
  const newer = cookieOf(await enter(await relay.relay.loginLink(), mine));
  expect((await ask('/api/v1/courses', { cookie: mine })).status).toBe(401);
  expect((await ask('/api/v1/courses', { cookie: newer })).status).toBe(200);
});

it('A key guessed by the time that its refusal takes', () => {
  // Keys are looked up by their SHA-256: of one that is right but for its last character,
  // nothing matches, so no comparison takes longer for being nearly right.
  for (let i = 0; i < 100; i += 1) {
    const key = mintKey();
    const near = key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a');
    const [one, two] = [hashSecret(key), hashSecret(near)];
    let same = 0;
    while (one[same] === two[same]) {
      same += 1;
    }
    expect(same).toBeLessThan(8);
    expect(sameHash(one, two)).toBe(false);
    expect(sameHash(one, hashSecret(key))).toBe(true);
  }
});

it('Another user of the same machine', async () => {
  await relay.post({ api_key: relay.key, batch: [cellEvent(1)] });
  expect((await stat(relay.folder)).mode & 0o077).toBe(0);
  const entries = await readdir(relay.folder, {
    recursive: true,
    withFileTypes: true
  });
  const secrets = entries.filter(({ name }) =>
    /^(courses|links|sessions)\.json$/.test(name)
  );
  expect(secrets.length).toBeGreaterThan(0);
  for (const { name, parentPath } of secrets) {
    expect((await stat(join(parentPath, name))).mode & 0o077).toBe(0);
  }
  // Nor do keys stand in the list of processes: no option takes one in plain text.
  const { stdout } = await promisify(execFile)('ps', ['-eo', 'args']);
  expect(stdout).not.toContain(relay.key);
});

it("Courses learned from the relay's health", async () => {
  await relay.addCourse('hidden-course', {
    posthog: { host: 'http://127.0.0.1:9', apiKeyEnv: 'HIDDEN_VARIABLE' }
  });
  await relay.restart();
  const link = await relay.relay.loginLink();
  const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
    kind: 'instructor'
  });
  const session = cookieOf(await enter(link));
  const proxied = { 'x-forwarded-for': '127.0.0.1' };
  const strangers: Record<string, string>[] = [
    proxied,
    { ...proxied, cookie: 'ipynb_telemetry_session=x' },
    { ...proxied, ...bearer('nbi_wrong') },
    { ...proxied, ...bearer(relay.key) },
    { ...proxied, ...bearer(secret) }
  ];
  for (const headers of strangers) {
    const { status, json, text } = await ask('/readyz', headers);
    expect([headers, status]).toEqual([headers, 200]);
    expect(Object.keys(json)).toEqual(['status', 'version', 'sinks']);
    expect(json['sinks']).toEqual({ running: 1, retrying: 0, stopped: 1 });
    expect(text).not.toMatch(/hidden/i);
  }
  // Another name that points here is a page's, not a program's.
  const rebound = await getRaw(relay.relay.port, '/readyz');
  expect(rebound).toMatch(/^HTTP\/1\.1 200 /);
  expect(rebound).not.toMatch(/hidden/i);

  for (const headers of [{}, { ...proxied, cookie: session }]) {
    const { status, json, text } = await ask('/readyz', headers);
    expect(status).toBe(200);
    expect(json['log']).toMatchObject({ writable: true });
    expect(text).toContain('posthog-hidden-course');
    expect(text).toContain('HIDDEN_VARIABLE');
  }
});
