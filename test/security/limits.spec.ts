/** Attacks by doing something very often. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { addKey } from '../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../src/relay/files.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../relay/support/testRelay.js';

let relay: TestRelay;
afterEach(async () => {
  await relay.remove();
});

let next = 0;
function send(headers: Record<string, string> = {}): Promise<number> {
  next += 1;
  return relay
    .post({ api_key: relay.key, batch: [cellEvent(next)] }, { headers })
    .then(({ status }) => status);
}

it('A flood from one address, under forged ones', async () => {
  relay = await startTestRelay({ flags: { 'address-rate': '1' } });
  const answers: number[] = [];
  for (let i = 0; i < 15; i += 1) {
    answers.push(
      await send({
        'x-forwarded-for': `192.0.2.${i}`,
        'x-real-ip': `192.0.2.${i}`,
        forwarded: `for=192.0.2.${i}`
      })
    );
  }
  expect(answers.filter(status => status === 200)).toHaveLength(10);
  expect(answers.filter(status => status === 503)).toHaveLength(5);
  // It is late, and not lost: what was taken in is there, and the rest may come again.
  expect(await relay.records()).toHaveLength(10);
});

it('A flood with one key', async () => {
  relay = await startTestRelay({ flags: { 'key-rate': '1' } });
  const answers = await Promise.all(Array.from({ length: 15 }, () => send()));
  expect(answers.filter(status => status === 503)).toHaveLength(5);
});

it('Keys and links guessed at the login', async () => {
  relay = await startTestRelay();
  const { secret } = await addKey(dataPaths(relay.folder).courses, 'demo', {
    kind: 'instructor'
  });
  const enter = async (key: string): Promise<number> => {
    const { status } = await fetch(`${relay.url}/login`, {
      method: 'POST',
      headers: { origin: relay.url },
      body: new URLSearchParams({ key }),
      redirect: 'manual'
    });
    return status;
  };
  const guess = async (token: string): Promise<number> =>
    (await fetch(`${relay.url}/login?token=${token}`)).status;
  for (let i = 0; i < 10; i += 1) {
    expect([await enter(`nbi_${i}`), await guess(String(i))]).toEqual([
      403, 403
    ]);
  }
  expect([await enter(secret), await guess('x')]).toEqual([503, 503]);
});

it('Log-ins by the Hub that are begun or made up in masses', async () => {
  let asked = 0;
  const hub = createServer((_request, response) => {
    asked += 1;
    response.writeHead(400).end('{}');
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  const env = { IPYNB_TELEMETRY_HUB_TOKEN: 'the-token-of-the-service' };
  try {
    relay = await startTestRelay({
      flags: {
        'hub-api-url': `http://127.0.0.1:${(hub.address() as AddressInfo).port}/hub/api`,
        'hub-url': '/'
      },
      env
    });
    const begin = (): Promise<Response> =>
      fetch(`${relay.url}/login/hub`, { redirect: 'manual' });
    const comeBack = (begun: Response): Promise<Response> => {
      const to = new URL(begun.headers.get('location')!, relay.url);
      const query = new URLSearchParams({
        state: to.searchParams.get('state')!,
        code: 'made-up'
      });
      const cookie = begun.headers.get('set-cookie')!.split(';')[0]!;
      return fetch(`${relay.url}/oauth_callback?${query}`, {
        headers: { cookie }
      });
    };
    const first = await begin();
    const second = await begin();
    // What was not begun here is not asked about.
    const madeUp = `${relay.url}/oauth_callback?state=x&code=made-up`;
    expect([(await fetch(madeUp)).status, asked]).toEqual([403, 0]);
    expect([(await comeBack(first)).status, asked]).toEqual([403, 1]);
    for (let i = 1; i < 20; i += 1) {
      expect((await comeBack(await begin())).status).toBe(403);
    }
    const late = await comeBack(second);
    expect([late.status, asked]).toEqual([503, 20]);
    expect(Number(late.headers.get('retry-after'))).toBeGreaterThan(0);
    expect((await begin()).status).toBe(503);
    await relay.remove();

    relay = await startTestRelay({
      flags: {
        'address-rate': '1',
        'hub-api-url': `http://127.0.0.1:${(hub.address() as AddressInfo).port}/hub/api`,
        'hub-url': '/'
      },
      env
    });
    const statuses = [];
    for (let i = 0; i < 11; i += 1) {
      statuses.push((await begin()).status);
    }
    expect(statuses).toEqual([...Array<number>(10).fill(302), 503]);
  } finally {
    hub.close();
    hub.closeAllConnections();
  }
});
