/** Logging in by a key: a form that works from the keyboard, a session that ends with the key, and limits. */
import { addKey, revokeKey } from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import { waitFor } from '../../support/waitFor.js';
import { startTestRelay, type TestRelay } from '../support/testRelay.js';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

async function start(flags: Record<string, string> = {}): Promise<void> {
  relay = await startTestRelay({ flags });
}

const makeKey = (
  kind: 'instructor' | 'display' | 'write' = 'instructor'
): ReturnType<typeof addKey> =>
  addKey(dataPaths(relay.folder).courses, 'demo', { kind });

function enter(
  key: string,
  headers: Record<string, string> = { origin: relay.url }
): Promise<Response> {
  return fetch(`${relay.url}/login`, {
    method: 'POST',
    body: new URLSearchParams({ key }),
    headers,
    redirect: 'manual'
  });
}

const cookieOf = (response: Response): string =>
  response.headers.get('set-cookie')?.split(';')[0] ?? '';

const courses = (cookie: string): Promise<Response> =>
  fetch(`${relay.url}/api/v1/courses`, { headers: { cookie } });

it('a key that is entered opens the page, for its course and its role', async () => {
  await start();
  await relay.addCourse('other');
  const { key, secret } = await makeKey();
  const response = await enter(`  ${secret}\n`);
  expect([response.status, response.headers.get('location')]).toEqual([
    303,
    '/'
  ]);
  expect(response.headers.get('set-cookie')).toMatch(
    /HttpOnly; SameSite=Strict$/
  );
  const cookie = cookieOf(response);
  expect(await (await courses(cookie)).json()).toEqual([
    { course: 'demo', title: 'Demo' }
  ]);
  // It lasts over a restart, and ends with the key.
  await relay.restart();
  expect((await courses(cookie)).status).toBe(200);
  await revokeKey(dataPaths(relay.folder).courses, key.id);
  await waitFor(
    'the session is over',
    async () => (await courses(cookie)).status === 401
  );
  expect(await relay.everyByte()).not.toContain(secret);
  expect(relay.logged()).not.toContain(secret);
});

it('the form has a label, says what was wrong where screen readers look, and needs no script', async () => {
  await start();
  const plain = await fetch(`${relay.url}/login`);
  expect(plain.status).toBe(200);
  const form = await plain.text();
  expect(form).toContain('<form method="post" action="login">');
  expect(form).toContain('<label for="key">');
  expect(form).toMatch(/<input id="key" name="key" type="password" required/);
  expect(form).toContain('color-scheme: light dark');
  expect(form).not.toMatch(/<script|role="alert"/);
  expect(plain.headers.get('content-security-policy')).toContain(
    "form-action 'self'"
  );
  // Browsers would otherwise send the form with `Origin: null`.
  expect(plain.headers.get('referrer-policy')).toBe('same-origin');

  const wrong = await enter(`nbi_${'a'.repeat(32)}`);
  expect([wrong.status, wrong.headers.get('set-cookie')]).toEqual([403, null]);
  const again = await wrong.text();
  expect(again).toContain('<p role="alert" id="problem">');
  expect(again).toContain('aria-invalid="true" aria-describedby="problem"');
});

it.each([
  ['a write key', async () => (await makeKey('write')).secret, 'for notebooks'],
  [
    'a revoked key',
    async () => {
      const { key, secret } = await makeKey();
      await revokeKey(dataPaths(relay.folder).courses, key.id);
      return secret;
    },
    'was revoked'
  ],
  ['nothing', () => Promise.resolve(''), 'does not know this key'],
  [
    'a mark-up',
    () => Promise.resolve('"><img src=x onerror=alert(1)>'),
    'does not know this key'
  ]
])('%s opens nothing, and the page says why', async (_what, given, said) => {
  await start();
  const response = await enter(await given());
  expect([response.status, cookieOf(response)]).toEqual([403, '']);
  const page = await response.text();
  expect(page).toContain(said);
  expect(page).not.toContain('onerror');
});

it('guessing ends after twenty failures, for keys and links alike', async () => {
  await start({ 'trusted-proxies': '127.0.0.1' });
  const { secret } = await makeKey();
  const from = (address: string): Record<string, string> => ({
    origin: relay.url,
    'x-forwarded-for': address
  });
  for (let i = 0; i < 20; i += 1) {
    expect((await enter(`nbi_${i}`, from('192.0.2.1'))).status).toBe(403);
  }
  const refused = await enter(secret, from('192.0.2.1'));
  expect([refused.status, cookieOf(refused)]).toEqual([503, '']);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(500);
  expect(await refused.text()).toContain('Too many attempts');
  const link = await fetch(await relay.relay.loginLink(), {
    headers: from('192.0.2.1'),
    redirect: 'manual'
  });
  expect(link.status).toBe(503);
  // The others may, and who is logged in stays so.
  const other = await enter(secret, from('192.0.2.2'));
  expect(other.status).toBe(303);
  expect((await courses(cookieOf(other))).status).toBe(200);
});
