/** Attacks through a browser: other sites, frames, forged hosts, and names that are mark-up. */
import type { Snapshot } from '../../src/api/index.js';
import { addKey } from '../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../src/relay/files.js';
import { isOwnPage } from '../../src/relay/auth/sameSite.js';
import { waitFor } from '../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
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

async function logIn(): Promise<string> {
  const response = await fetch(await relay.relay.loginLink(), {
    redirect: 'manual'
  });
  return response.headers.get('set-cookie')!.split(';')[0]!;
}

it('A request that another site makes a browser send', async () => {
  const evil = { origin: 'https://evil.example' };
  const cookie = await logIn();
  // The cookie is not sent along (SameSite=Strict); if it were, no answer could be read.
  for (const path of ['courses', 'snapshot?course=demo']) {
    const response = await fetch(`${relay.url}/api/v1/${path}`, {
      headers: { cookie, ...evil }
    });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(response.headers.get('cross-origin-resource-policy')).toBe(
      'same-origin'
    );
  }
  // Nor can another site log somebody in, as somebody of its choice.
  const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
    kind: 'instructor'
  });
  for (const headers of [
    evil,
    { origin: 'null' },
    { origin: 'https://127.0.0.1' },
    { ...evil, 'sec-fetch-site': 'same-origin' },
    { origin: relay.url, 'sec-fetch-site': 'cross-site' },
    {}
  ]) {
    const response = await fetch(`${relay.url}/login`, {
      method: 'POST',
      headers: headers as Record<string, string>,
      body: new URLSearchParams({ key: secret }),
      redirect: 'manual'
    });
    expect([response.status, response.headers.get('set-cookie')]).toEqual([
      403,
      null
    ]);
  }
  // Whatever route changes something by a cookie asks the same.
  const own = 'https://relay.example';
  expect(isOwnPage({ host: 'relay.example', origin: own }, null)).toBe(true);
  expect(isOwnPage({ host: 'inner:80', origin: own }, `${own}/t`)).toBe(true);
  expect(isOwnPage({ host: 'inner:80', origin: own }, null)).toBe(false);
});

it('A forged Host header', async () => {
  const { port } = relay.relay;
  const forged = [
    'Host: evil.example',
    'X-Forwarded-Host: evil.example',
    'Forwarded: host=evil.example'
  ];
  const link = new URL(await relay.relay.loginLink());
  expect(link.host).toBe(`127.0.0.1:${port}`);
  const answer = await getRaw(port, link.pathname + link.search, forged);
  expect(answer).toMatch(/^HTTP\/1\.1 303 /);
  expect(answer).toMatch(/\r\nlocation: \/\r\n/i);
  expect(answer).not.toContain('evil.example');
  for (const path of ['/', '/login', '/api/v1/courses', '/nowhere']) {
    expect(await getRaw(port, path, forged)).not.toContain('evil.example');
  }
  expect((await relay.relay.loginLink()).includes('evil.example')).toBe(false);
});

it('An answer taken for something else, or put into a frame', async () => {
  const cookie = await logIn();
  const answers = await Promise.all([
    fetch(`${relay.url}/`),
    fetch(`${relay.url}/login`),
    fetch(`${relay.url}/healthz`),
    fetch(`${relay.url}/readyz`),
    fetch(`${relay.url}/nowhere`),
    fetch(`${relay.url}/%`),
    fetch(`${relay.url}/api/v1/courses`),
    fetch(`${relay.url}/api/v1/snapshot?course=demo`, { headers: { cookie } }),
    fetch(`${relay.url}/api/v1/course`),
    fetch(`${relay.url}/batch/`),
    fetch(`${relay.url}/batch/`, { method: 'OPTIONS' }),
    fetch(`${relay.url}/batch/`, { method: 'POST', body: '<script>' }),
    fetch(`${relay.url}/batch/`, {
      method: 'POST',
      body: JSON.stringify({ api_key: relay.key, batch: [cellEvent(1)] })
    })
  ]);
  for (const { url, headers } of answers) {
    const seen = [
      'x-content-type-options',
      'x-frame-options',
      'referrer-policy',
      'content-security-policy',
      'x-request-id'
    ].map(name => headers.get(name));
    expect([url, ...seen]).toEqual([
      url,
      'nosniff',
      'DENY',
      expect.stringMatching(/^(no-referrer|same-origin)$/),
      expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
      expect.stringMatching(/^[0-9a-f]+-[0-9a-z]+$/)
    ]);
    expect(headers.get('content-security-policy')).not.toContain('unsafe');
  }
});

it('Names that are mark-up', async () => {
  const evil = '<img src=x onerror=alert(1)>';
  const posted = await relay.post({
    api_key: relay.key,
    batch: [
      cellEvent(
        1,
        { student: evil, nb: evil, cell_id: evil },
        { distinct_id: evil }
      ),
      cellEvent(2, { ms: evil })
    ]
  });
  expect(posted.status).toBe(200);
  const cookie = await logIn();
  const response = await waitFor('the page knows it', async () => {
    const answer = await fetch(`${relay.url}/api/v1/snapshot?course=demo`, {
      headers: { cookie }
    });
    const { students } = (await answer.clone().json()) as Snapshot;
    return students.length === 1 && answer;
  });
  // Data stay what they are, in answers that no browser takes for a page …
  const snapshot = (await response.json()) as Snapshot;
  expect(snapshot.students[0]!.student).toBe(evil);
  for (const { headers } of [response, posted]) {
    expect(headers.get('content-type')).toMatch(/^application\/json/);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
  // … and the page itself may run its own files alone.
  const page = await fetch(`${relay.url}/`);
  expect(page.headers.get('content-security-policy')).toMatch(
    /^default-src 'none';(?! script-src [^;]*unsafe)/
  );
  // What is asked for is not repeated as mark-up either.
  for (const path of [
    `/${encodeURIComponent(evil)}`,
    `/login?token=${encodeURIComponent(evil)}`,
    `/api/v1/snapshot?course=${encodeURIComponent(evil)}`
  ]) {
    const answer = await fetch(relay.url + path, { headers: { cookie } });
    const text = await answer.text();
    expect(
      /^application\/json/.test(answer.headers.get('content-type') ?? '') ||
        !text.includes('<img')
    ).toBe(true);
  }
});
