/** The program as it is installed: started, used, and stopped as an operator does it. */
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import {
  addCourse,
  makeDataFolder,
  runCli,
  spawnRelay,
  startRelay,
  type RelayProcess
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { cellEvent, uuidOf } from '../relay/support/testRelay.js';

const POSTHOG_KEY = 'phc_test_canary';

let data: string;
let remove: () => Promise<void>;
let posthog: PostHogStandIn;
const relays: RelayProcess[] = [];

beforeEach(async () => {
  ({ data, remove } = await makeDataFolder());
  posthog = await startPostHogStandIn();
});
afterEach(async () => {
  await Promise.all(relays.splice(0).map(relay => relay.kill()));
  await posthog.stop();
  await remove();
});

async function start(args: string[] = []): Promise<RelayProcess> {
  const relay = await startRelay({
    data,
    posthog: { host: posthog.url, key: POSTHOG_KEY },
    args
  });
  relays.push(relay);
  return relay;
}

const post = (
  relay: RelayProcess,
  key: string,
  ...ids: number[]
): Promise<Response> =>
  fetch(`${relay.url}/batch/`, {
    method: 'POST',
    body: JSON.stringify({ api_key: key, batch: ids.map(n => cellEvent(n)) })
  });

it('takes events in, passes them on, follows the other commands, and stops with 0', async () => {
  const key = await addCourse(data, 'demo');
  const relay = await start();
  expect((await post(relay, key, 1, 2)).status).toBe(200);
  await waitFor('PostHog has them', () => posthog.stored().length === 2);

  // A course, a key and a link that were made after its start.
  const other = await addCourse(data, 'other');
  expect((await post(relay, other, 3)).status).toBe(200);
  const link = (await runCli('link', '--data', data)).trim();
  expect(link.startsWith(relay.url)).toBe(true);
  const login = await fetch(link, { redirect: 'manual' });
  expect(login.status).toBe(303);
  const cookie = login.headers.get('set-cookie')!.split(';')[0]!;
  const courses = await fetch(`${relay.url}/api/v1/courses`, {
    headers: { cookie }
  });
  expect(await courses.json()).toHaveLength(2);
  const keys = JSON.parse(
    await runCli('key', 'list', '--data', data, '--json')
  ) as { keyId: string; course: string }[];
  const { keyId } = keys.find(({ course }) => course === 'other')!;
  await runCli('key', 'revoke', keyId, '--data', data);
  // Asked by a request that leaves nothing behind: the relay may notice a moment later.
  await waitFor('the key is refused', async () => {
    const { status } = await fetch(`${relay.url}/api/v1/course`, {
      headers: { authorization: `Bearer ${other}` }
    });
    return status === 401;
  });
  expect((await post(relay, other, 4)).status).toBe(401);
  expect(await relay.stop()).toBe(0);

  // Nothing is lost over a restart, and nothing comes twice.
  const again = await start();
  expect((await post(again, key, 1, 2, 5)).status).toBe(200);
  await waitFor('PostHog has the new one', () => posthog.stored().length === 4);
  expect(
    posthog
      .stored()
      .map(({ uuid, copies }) => `${uuid} ${copies}`)
      .sort()
  ).toEqual([1, 2, 3, 5].map(n => `${uuidOf(n)} 1`));
}, 120_000);

it('writes no secret anywhere, whatever is asked of it', async () => {
  const key = await addCourse(data, 'demo');
  const relay = await start(['--log-level', 'debug']);
  await post(relay, key, 1);
  await fetch(`${relay.url}/batch/`, {
    method: 'POST',
    body: `{"api_key":"${key}", broken`
  });
  await fetch(`${relay.url}/batch/?key=${key}`, {
    method: 'POST',
    body: JSON.stringify({ api_key: key, batch: [cellEvent(2, { ms: key })] })
  });
  await fetch(`${relay.url}/api/v1/course?key=${key}`, {
    headers: { authorization: `Bearer ${key}` }
  });
  posthog.behave({ mode: 'answer', status: 401, body: POSTHOG_KEY, times: 1 });
  await post(relay, key, 3);
  await waitFor('PostHog refused it', async () =>
    (await (await fetch(`${relay.url}/readyz`)).text()).includes('stopped')
  );
  const link = relay.link()!;
  const token = new URL(link).searchParams.get('token')!;
  const login = await fetch(link, { redirect: 'manual' });
  const session = /session=([^;]+)/.exec(login.headers.get('set-cookie')!)![1]!;
  await fetch(link);
  const readyz = await (await fetch(`${relay.url}/readyz`)).text();
  expect(await relay.stop()).toBe(0);

  const files = await readdir(data, { recursive: true, withFileTypes: true });
  const texts = await Promise.all(
    files
      .filter(file => file.isFile() && !file.name.endsWith('.key'))
      .map(file => readFile(join(file.parentPath, file.name), 'latin1'))
  );
  // The link is printed, once, and that is what it is for.
  const output = relay.output().replace(token, '');
  for (const text of [...texts, output, readyz]) {
    for (const secret of [key, POSTHOG_KEY, token, session]) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toMatch(/phc_test|nbt_[0-9A-Za-z]{32}/);
  }
  expect(output).toContain('posthog-key = (set, hidden)');
  expect(output).not.toContain('ADA-LOVELACE');
});

it('keeps its files for their owner alone', async () => {
  const key = await addCourse(data, 'demo');
  const relay = await start();
  await post(relay, key, 1);
  await fetch(relay.link()!, { redirect: 'manual' });
  await waitFor('PostHog has it', () => posthog.stored().length === 1);
  await relay.stop();
  const { lstat } = await import('node:fs/promises');
  const entries = await readdir(data, { recursive: true, withFileTypes: true });
  const open = [];
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name);
    const { mode } = await lstat(path);
    if ((mode & 0o077) !== 0) {
      open.push(`${path} ${(mode & 0o777).toString(8)}`);
    }
  }
  expect(entries.length).toBeGreaterThan(5);
  expect(open).toEqual([]);
});

it('prints one line of JSON for programs', async () => {
  const { child, output } = spawnRelay({
    data,
    args: ['--json', '--log-level', 'silent']
  });
  const exit = once(child, 'exit');
  await waitFor('it printed', () => output().includes('\n'));
  const said = JSON.parse(output()) as Record<string, unknown>;
  expect(said).toEqual({
    url: `http://127.0.0.1:${String(said['port'])}`,
    port: expect.any(Number) as number,
    login: expect.stringContaining('/login?token=') as string,
    data,
    pid: child.pid
  });
  child.kill('SIGINT');
  expect((await exit)[0]).toBe(0);
});

it('ends at once at the second signal', async () => {
  const relay = await start();
  const { port } = new URL(relay.url);
  // A request that never ends would be waited for.
  const socket = connect(Number(port), '127.0.0.1', () =>
    socket.write(
      'POST /batch/ HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{'
    )
  );
  socket.on('error', () => undefined);
  await waitFor(
    'it has the connection',
    async () => (await fetch(`${relay.url}/healthz`)).ok
  );
  const { pid } = JSON.parse(
    await readFile(join(data, 'relay.json'), 'utf8')
  ) as { pid: number };
  process.kill(pid, 'SIGTERM');
  await waitFor('it takes no more', async () =>
    fetch(`${relay.url}/healthz`).then(
      () => false,
      () => true
    )
  );
  const began = performance.now();
  expect(await relay.stop()).toBe(143);
  expect(performance.now() - began).toBeLessThan(5_000);
  socket.destroy();
});

it.each([
  [['--port', 'many'], 2, '--port: expected a whole number'],
  [
    ['--data', '/dev/null/x'],
    1,
    '/dev/null/x cannot be made (ENOTDIR). Choose another one with --data.'
  ]
])('does not start with %j, and says why', async (args, code, said) => {
  const { child, output } = spawnRelay({ data, args });
  const [exitCode] = (await once(child, 'exit')) as [number];
  expect([exitCode, output()]).toEqual([
    code,
    expect.stringContaining(said) as string
  ]);
  expect(output()).not.toMatch(/at .*\.js:\d+/);
});
