/** The way in: a one-time link, a cookie that lasts, and nothing for whoever has neither. */
import { readFile } from 'node:fs/promises';
import { mintLinkToken } from '../../../src/relay/login/links.js';
import {
  linkPrincipal,
  openSessions
} from '../../../src/relay/login/sessions.js';
import { dataPaths } from '../../../src/relay/files.js';
import { startTestRelay, type TestRelay } from '../support/testRelay.js';

let relay: TestRelay;
beforeEach(async () => {
  relay = await startTestRelay();
});
afterEach(async () => {
  await relay.remove();
});

const get = (
  path: string,
  headers: Record<string, string> = {},
  method = 'GET'
): Promise<Response> =>
  fetch(new URL(path, relay.url), { method, headers, redirect: 'manual' });

async function logIn(): Promise<string> {
  const response = await get(await relay.relay.loginLink());
  expect(response.status).toBe(303);
  return response.headers.get('set-cookie')!.split(';')[0]!;
}

it('a link logs one browser in, once, and its token is gone from the address', async () => {
  const link = await relay.relay.loginLink();
  const first = await get(link);
  expect([first.status, first.headers.get('location')]).toEqual([303, '/']);
  expect(first.headers.get('set-cookie')).toMatch(
    /^ipynb_telemetry_session=[\w-]{43}; Path=\/; Max-Age=2592000; HttpOnly; SameSite=Strict$/
  );
  expect(first.headers.get('referrer-policy')).toBe('no-referrer');
  expect(first.headers.get('cache-control')).toBe('no-store');
  const second = await get(link);
  expect(second.status).toBe(403);
  const page = await second.text();
  expect(page).toContain('ipynb-telemetry link');
  expect(second.headers.get('content-security-policy')).toContain(
    "default-src 'none'"
  );
  // Somebody who is logged in and opens the old link again just gets to the page.
  const cookie = first.headers.get('set-cookie')!.split(';')[0]!;
  expect((await get(link, { cookie })).status).toBe(303);
});

it.each([
  ['HEAD', {}, 'HEAD', 200],
  ['a prefetch', { 'sec-purpose': 'prefetch' }, 'GET', 503],
  ['a prerender', { 'sec-purpose': 'prefetch;prerender' }, 'GET', 503],
  ['an old prefetch', { purpose: 'prefetch' }, 'GET', 503]
])('%s does not use the link up', async (_what, headers, method, status) => {
  const link = await relay.relay.loginLink();
  const looked = await get(link, headers as Record<string, string>, method);
  expect(looked.status).toBe(status);
  expect(looked.headers.get('set-cookie')).toBeNull();
  expect((await get(link)).status).toBe(303);
});

it.each(['/login?token=', '/login?token=wrong', '/login?token=a&token=b'])(
  '%s is shown the way',
  async path => {
    const response = await get(path);
    expect(response.status).toBe(403);
    expect(await response.text()).toContain('does not work any more');
  }
);

it('a link used by two browsers at once lets one in', async () => {
  const link = await relay.relay.loginLink();
  const answers = await Promise.all(Array.from({ length: 5 }, () => get(link)));
  expect(answers.map(({ status }) => status).sort()).toEqual([
    303, 403, 403, 403, 403
  ]);
});

it('links of another process work at once, and old ones do not', async () => {
  const { links } = dataPaths(relay.folder);
  const token = await mintLinkToken(links);
  const eightDaysAgo = new Date(Date.now() - 8 * 86_400_000);
  const old = await mintLinkToken(links, eightDaysAgo);
  expect((await get(`/login?token=${old}`)).status).toBe(403);
  expect((await get(`/login?token=${token}`)).status).toBe(303);
});

it('a session survives a restart, and neither it nor a token is on disk or in the log', async () => {
  const link = await relay.relay.loginLink();
  const cookie = await logIn();
  const [, value] = cookie.split('=');
  await relay.restart();
  expect((await get('/api/v1/courses', { cookie })).status).toBe(200);
  const token = new URL(link).searchParams.get('token')!;
  const bytes = await relay.everyByte();
  for (const secret of [value!, token]) {
    expect(bytes).not.toContain(secret);
    expect(relay.logged()).not.toContain(secret);
  }
});

it('a session ends after 30 days', async () => {
  const { sessions: file } = dataPaths(relay.folder);
  let now = Date.now();
  const sessions = await openSessions(file, () => now);
  const value = await sessions.open(linkPrincipal());
  now += 30 * 86_400_000 - 1;
  expect(sessions.principalOf(value)?.role).toBe('operator');
  now += 1;
  expect(sessions.principalOf(value)).toBeUndefined();
  await sessions.open(linkPrincipal());
  expect(
    Object.keys(
      (JSON.parse(await readFile(file, 'utf8')) as { sessions: object })
        .sessions
    )
  ).toHaveLength(1);
});

it.each([
  '/api/v1/courses',
  '/api/v1/snapshot?course=demo',
  '/api/v1/live?course=demo'
])('%s is closed to everyone else', async path => {
  for (const headers of [
    {},
    { cookie: 'ipynb_telemetry_session=wrong' },
    { cookie: 'ipynb_telemetry_session=' },
    { authorization: `Bearer ${relay.key}` }
  ]) {
    const response = await get(path, headers as Record<string, string>);
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ code: 'login_required' });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
  }
});

it('behind a proxy with a prefix and https, all of it works under the prefix', async () => {
  await relay.remove();
  relay = await startTestRelay({
    flags: { 'public-url': 'https://hub.example.org/services/telemetry/' }
  });
  const link = new URL(await relay.relay.loginLink());
  expect(link.href).toMatch(
    /^https:\/\/hub\.example\.org\/services\/telemetry\/login\?token=/
  );
  // Some proxies pass the prefix on, some take it off.
  const response = await get(link.pathname + link.search);
  expect(response.headers.get('location')).toBe('/services/telemetry/');
  expect(response.headers.get('set-cookie')).toMatch(
    /Path=\/services\/telemetry\/;.*; Secure$/
  );
  const cookie = response.headers.get('set-cookie')!.split(';')[0]!;
  for (const path of [
    '/services/telemetry/api/v1/courses',
    '/api/v1/courses'
  ]) {
    expect((await get(path, { cookie })).status).toBe(200);
  }
  const event = { event: 'x', distinct_id: 'y', properties: {} };
  const posted = await relay.post(
    { api_key: relay.key, batch: [event] },
    { path: '/services/telemetry/batch/' }
  );
  expect(posted.status).toBe(200);
});
