/** What the relay writes about itself: nothing that came with a request, whatever comes, at any level. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { addKey, revokeKey } from '../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../src/relay/files.js';
import { startPostHogStandIn } from '../support/posthogStandIn.js';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from './support/testRelay.js';

/** Stands in everything that a client can say. */
const CANARY = 'canary';
const STUDENT = 'CANARY-STUDENT';
const HEADERS = {
  'user-agent': `${CANARY}-agent`,
  referer: `https://${CANARY}.example/${STUDENT}`,
  origin: `https://${CANARY}.example`,
  'x-forwarded-for': '203.0.113.77',
  'x-request-id': `${CANARY}-id`,
  cookie: `ipynb_telemetry_session=${CANARY}; other=${STUDENT}`
};

const event = (n: number, extra: object = {}): object => ({
  ...cellEvent(n, {
    student: STUDENT,
    code: `print("${CANARY}")`,
    err: `ValueError: ${CANARY}`,
    status: 'error'
  }),
  distinct_id: STUDENT,
  ...extra
});

/** Sends bytes as they are over a connection of their own, and waits for the end or hangs up. */
async function raw(
  relay: TestRelay,
  text: string,
  hangUp = false
): Promise<void> {
  const socket = connect(relay.relay.port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  await new Promise<void>(resolve => socket.write(text, () => resolve()));
  if (hangUp) {
    socket.destroy();
    return;
  }
  socket.resume();
  await once(socket, 'close');
}

it('holds no name, code, key, token, cookie or address of any request, at level debug', async () => {
  const posthog = await startPostHogStandIn();
  const relay = await startTestRelay({
    level: 'code',
    flags: { 'posthog-key': 'phc_test_canary', 'posthog-host': posthog.url }
  });
  const secrets = new Set<string>(['phc_test_canary', relay.key]);
  try {
    const { url, key } = relay;
    const courses = dataPaths(relay.folder).courses;
    const revoked = await addKey(courses, 'demo');
    await revokeKey(courses, revoked.key.id);
    const reader = await addKey(courses, 'demo', { kind: 'instructor' });
    secrets.add(revoked.secret).add(reader.secret);
    const link = new URL(await relay.relay.loginLink());
    const token = link.searchParams.get('token')!;
    secrets.add(token);

    // The door: taken, doubled, set aside, not collected, refused in every way.
    const batch = (events: object[], api_key = key): string =>
      JSON.stringify({ api_key, batch: events });
    const bodies: (string | Uint8Array)[] = [
      batch([event(1), event(1)]),
      batch([event(2, { uuid: `${CANARY}` })]),
      batch([event(3, { timestamp: STUDENT })]),
      batch([event(4, { properties: { [STUDENT]: CANARY } })]),
      batch([
        event(11, {
          properties: { ...cellEvent(1).properties, [STUDENT]: CANARY }
        })
      ]),
      batch([event(5, { event: 'edit' }), event(6, { event: STUDENT })]),
      batch([{ event: 'cell', properties: { student: STUDENT } }]),
      batch([event(7)], revoked.secret),
      batch([event(8)], `nbt_${CANARY}`),
      `{"api_key":"${key}","batch":[{"event":"${STUDENT}"`,
      `{"batch":[{"event":"${STUDENT}"}]}`,
      gzipSync(batch([event(9)])).subarray(0, 60),
      gzipSync(batch([event(10)])),
      '"' + STUDENT + '"',
      new Uint8Array([0x1f, 0x8b, 0xff, 0xfe]),
      ''
    ];
    for (const path of [
      '/batch/',
      `/e/?ip=1&_=1&api_key=${key}&who=${STUDENT}`,
      `/i/v1/analytics/events?key=${key}`,
      `/i/v0/e/?compression=${CANARY}`
    ]) {
      for (const body of bodies) {
        await relay.post(body, {
          path,
          headers: { ...HEADERS, authorization: `Bearer ${key}` }
        });
      }
    }
    await relay.post('x'.repeat(21 * 1024 * 1024), { headers: HEADERS });

    // Everything else.
    for (const [method, path, headers] of [
      ['PUT', `/batch/?student=${STUDENT}`, {}],
      ['OPTIONS', '/batch/', { 'access-control-request-headers': CANARY }],
      ['GET', `/login?token=${CANARY}`, {}],
      ['GET', `/login?token=${token}`, {}],
      ['GET', `/login?token=${token}`, {}],
      ['GET', `/api/v1/course?key=${key}`, { authorization: `Bearer ${key}` }],
      ['GET', '/api/v1/course', { authorization: `Bearer ${CANARY}` }],
      [
        'GET',
        '/api/v1/snapshot?course=demo',
        { authorization: `Bearer ${reader.secret}` }
      ],
      [
        'GET',
        `/api/v1/snapshot?course=${STUDENT}`,
        { authorization: `Bearer ${reader.secret}` }
      ],
      ['GET', '/api/v1/courses', { authorization: `Bearer ${revoked.secret}` }],
      ['GET', `/${STUDENT}/../${CANARY}`, {}],
      ['GET', `/%E0%A4%A?${STUDENT}`, {}],
      ['POST', '/flags/?v=2', {}],
      ['GET', `/array/${key}/config.js`, {}],
      ['DELETE', `/api/v1/${STUDENT}`, {}],
      ['GET', '/metrics', { authorization: `Bearer ${reader.secret}` }]
    ] as [string, string, Record<string, string>][]) {
      const response = await fetch(url + path, {
        method,
        headers: { ...HEADERS, ...headers },
        redirect: 'manual',
        ...(method === 'POST' || method === 'PUT'
          ? { body: batch([event(20)]) }
          : {})
      });
      await response.arrayBuffer();
      const cookie = response.headers.get('set-cookie');
      const value = /=([^;]{20,})/.exec(cookie ?? '')?.[1];
      if (value !== undefined) {
        secrets.add(value);
      }
    }
    await raw(relay, `GET /${STUDENT} HTTP/9.9\r\n${CANARY}\r\n\r\n`);
    await raw(
      relay,
      `POST /batch/ HTTP/1.1\r\nhost: x\r\ncontent-length: 999\r\n\r\n{"${STUDENT}`,
      true
    );

    // PostHog refuses, and repeats what it was given.
    posthog.behave({ mode: 'answer', status: 400, body: STUDENT, times: 50 });
    await relay.post(batch([event(30), event(31)]));
    await waitFor('PostHog has refused', () =>
      relay.relay
        .readiness()
        .sinks.some(
          ({ lastError, setAside }) => lastError !== null || setAside > 0
        )
    );
  } finally {
    await relay.relay.close();
    await posthog.stop();
  }
  const logged = relay.logged();
  await relay.remove();

  // It did write: of requests, of what was refused, of what was set aside.
  expect(logged.match(/"msg":"request"/g)!.length).toBeGreaterThan(50);
  expect(logged).toMatch(/requests answered 401 unknown_key/);
  expect(logged).toMatch(/events set aside/);
  expect(secrets.size).toBeGreaterThan(5);
  for (const secret of secrets) {
    expect(logged).not.toContain(secret);
  }
  for (const trace of [
    /canary/i,
    /203\.0\.113\.77/,
    /127\.0\.0\.1:\d+.*student/i
  ]) {
    expect(
      trace
        .exec(logged)
        ?.input.split('\n')
        .find(line => trace.test(line))
    ).toBeUndefined();
  }
});
