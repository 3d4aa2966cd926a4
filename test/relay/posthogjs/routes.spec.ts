/** What posthog-js asks of its host is answered here, also across origins, and repeats nothing that it should not. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { readScripts } from '../../../src/relay/posthogjs/routes.js';
import {
  read,
  startTestRelay,
  type Answer,
  type TestRelay
} from '../support/testRelay.js';

const ORIGIN = 'https://hub.example.org';
let relay: TestRelay;
beforeAll(async () => {
  relay = await startTestRelay();
});
afterAll(async () => {
  await relay.remove();
});

async function ask(path: string, init: RequestInit = {}): Promise<Answer> {
  const answer = await read(
    await fetch(relay.url + path, { headers: { origin: ORIGIN }, ...init })
  );
  expect(answer.headers.get('access-control-allow-origin')).toBe(ORIGIN);
  return answer;
}

it.each(['/flags/?v=2&ip=0', '/flags', '/decide/?v=3', '/decide'])(
  '%s has no flags, and turns everything off that would send more',
  async path => {
    for (const method of ['POST', 'GET']) {
      const body = method === 'POST' ? 'data=eyJ9' : null;
      const { status, json } = await ask(path, {
        method,
        body,
        headers: { origin: ORIGIN }
      });
      expect(status).toBe(200);
      expect(json).toMatchObject({
        flags: {},
        featureFlags: {},
        featureFlagPayloads: {},
        errorsWhileComputingFlags: false,
        sessionRecording: false,
        siteApps: [],
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string
      });
    }
  }
);

it('the configuration is the same as JSON and as a script', async () => {
  const { json } = await ask('/array/nbt_abc/config');
  expect(json).toMatchObject({
    token: 'nbt_abc',
    hasFeatureFlags: false,
    sessionRecording: false,
    analytics: { endpoint: '/i/v0/e/' }
  });
  const { text, headers } = await ask('/array/nbt_abc/config.js');
  expect(headers.get('content-type')).toContain('text/javascript');
  expect(headers.get('cross-origin-resource-policy')).toBe('cross-origin');
  const window: Record<string, unknown> = {};
  runInNewContext(text, { window });
  expect(window).toEqual({
    _POSTHOG_REMOTE_CONFIG: { nbt_abc: { config: json, siteApps: [] } }
  });
});

it.each([
  '/array/"]=alert(1)//config.js',
  '/array/%22%5D/config.js',
  '/array//config.js',
  '/array/x/other.js',
  '/array/x/y/config.js',
  '/static/',
  '/static/a/b/c.js',
  '/static/..%2f..%2fpackage.js',
  '/static/secret.json'
])('%s is nothing', async path => {
  const { status, json } = await ask(path);
  expect([status, json['code']]).toEqual([404, 'not_found']);
});

it.each(['/static/recorder.js?v=1.57.2', '/static/1.418.10/surveys.js'])(
  '%s is an empty script',
  async path => {
    const { status, text, headers } = await ask(path);
    expect([status, text]).toEqual([200, '']);
    expect(headers.get('content-type')).toContain('text/javascript');
  }
);

it('array.js says on the console that it is not posthog-js', async () => {
  const { status, text } = await ask('/static/array.js');
  expect(status).toBe(200);
  const warnings: string[] = [];
  runInNewContext(text, {
    console: { warn: (warning: string) => warnings.push(warning) }
  });
  expect(warnings).toEqual([expect.stringContaining('option posthog-js')]);
});

it('recordings are refused so that clients stop, and larger ones are not read', async () => {
  const body = new Uint8Array(10_000);
  const { status, json } = await ask('/s/?compression=gzip-js', {
    method: 'POST',
    body
  });
  expect([status, json]).toEqual([
    200,
    { status: 'Ok', quota_limited: ['recordings'] }
  ]);
});

it('preflights and other methods', async () => {
  const preflight = await ask('/flags/', {
    method: 'OPTIONS',
    headers: { origin: ORIGIN, 'access-control-request-headers': 'x-a' }
  });
  expect(preflight.status).toBe(200);
  expect(preflight.headers.get('access-control-allow-headers')).toBe('x-a');
  const other = await ask('/flags/', { method: 'DELETE' });
  expect([other.status, other.json['code']]).toEqual([
    405,
    'method_not_allowed'
  ]);
});

it('scripts of the configured folder are served, and only those', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-scripts-'));
  try {
    await writeFile(join(folder, 'array.js'), 'window.a = 1;');
    await writeFile(join(folder, 'secret.txt'), 'no');
    await relay.remove();
    relay = await startTestRelay({ flags: { 'posthog-js': folder } });
    expect((await ask('/static/array.js')).text).toBe('window.a = 1;');
    expect((await ask('/static/1.2.3/array.js')).text).toBe('window.a = 1;');
    expect((await ask('/static/secret.txt')).status).toBe(404);
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('a folder without posthog-js is told at the start', async () => {
  await expect(readScripts(import.meta.dirname)).rejects.toThrow(
    /expected the folder dist of the package posthog-js/
  );
});
