/** Who is let in beside having a key: limits by address and key, what proxies may say, and lists of origins. */
import { addKey, setCourse } from '../../../src/relay/courses/editCourses.js';
import { networkOf } from '../../../src/relay/auth/clientAddress.js';
import { dataPaths } from '../../../src/relay/files.js';
import {
  cellEvent,
  startTestRelay,
  type Answer,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay;
afterEach(async () => {
  await relay?.remove();
});

const start = async (flags: Record<string, string> = {}): Promise<void> => {
  relay = await startTestRelay({ flags });
};

let next = 0;
const send = (
  headers: Record<string, string> = {},
  key = relay.key
): Promise<Answer> => {
  next += 1;
  return relay.post({ api_key: key, batch: [cellEvent(next)] }, { headers });
};

/** Sends until it is turned away, at most `most` times. */
async function sendUntilRefused(
  most: number,
  headers?: Record<string, string>,
  key?: string
): Promise<{ sent: number; refused?: Answer }> {
  for (let sent = 0; sent < most; sent += 1) {
    const answer = await send(headers, key);
    if (answer.status !== 200) {
      return { sent, refused: answer };
    }
  }
  return { sent: most };
}

function expectLimited(answer: Answer | undefined, whose: string): void {
  expect([answer?.status, answer?.json['code']]).toEqual([503, 'rate_limited']);
  expect(answer!.json['message']).toContain(whose);
  const wait = Number(answer!.headers.get('retry-after'));
  expect(wait).toBeGreaterThanOrEqual(1);
  expect(wait).toBeLessThanOrEqual(10);
  expect(answer!.headers.get('access-control-allow-origin')).toBe(
    'https://lab.example'
  );
  expect(answer!.headers.get('access-control-expose-headers')).toContain(
    'Retry-After'
  );
}

const FROM_A_PAGE = { origin: 'https://lab.example' };

it('an address has a limit, whatever it says of itself', async () => {
  await start({ 'address-rate': '2' });
  const { sent, refused } = await sendUntilRefused(30, FROM_A_PAGE);
  expect(sent).toBe(20);
  expectLimited(refused, '20 requests of one address in 10 s');
  const forged = await send({ ...FROM_A_PAGE, 'x-forwarded-for': '192.0.2.1' });
  expectLimited(forged, 'of one address');
  expect(relay.logged()).not.toContain('192.0.2.1');
  expect(relay.logged()).not.toContain('127.0.0.1"');
});

it('behind a proxy that is trusted, each client has a limit of its own', async () => {
  await start({ 'address-rate': '1', 'trusted-proxies': '127.0.0.0/8,::1' });
  const from = (address: string): Record<string, string> => ({
    ...FROM_A_PAGE,
    'x-forwarded-for': address
  });
  const first = await sendUntilRefused(15, from('192.0.2.1'));
  expect(first.sent).toBe(10);
  expectLimited(first.refused, 'of one address');
  // What the client itself put before the proxy's word counts for nothing.
  const forged = await send(from('198.51.100.7, 192.0.2.1'));
  expect(forged.status).toBe(503);
  expect((await send(from('192.0.2.2'))).status).toBe(200);
  expect((await send(from('not an address'))).status).toBe(200);
});

it('a key has a limit over all addresses, and others are not held up', async () => {
  await start({ 'key-rate': '1' });
  const { courses } = dataPaths(relay.folder);
  const other = await addKey(courses, 'demo');
  const { sent, refused } = await sendUntilRefused(15, FROM_A_PAGE);
  expect(sent).toBe(10);
  expectLimited(refused, '10 requests with one key in 10 s');
  expect((await send(FROM_A_PAGE, other.secret)).status).toBe(200);
  // What was turned away is nowhere, so that it arrives once when it is sent again.
  expect(await relay.records()).toHaveLength(11);
});

it('the defaults let a class behind one address work', async () => {
  relay = await startTestRelay({
    flags: { 'address-rate': '1000', 'key-rate': '2000' }
  });
  const answers = await Promise.all(
    Array.from({ length: 500 }, () => send(FROM_A_PAGE))
  );
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
});

it('a list of origins keeps pages of other sites out, and says so to them', async () => {
  await start();
  const { courses } = dataPaths(relay.folder);
  await setCourse(courses, 'demo', { origins: ['https://lab.example'] });
  const settings = (origin: string): Promise<Response> =>
    fetch(`${relay.url}/api/v1/course`, {
      headers: { origin, authorization: `Bearer ${relay.key}` }
    });
  const foreign = 'https://evil.example';
  // The relay looks at its courses again within a moment.
  let refused = await send({ origin: foreign });
  while (refused.status === 200) {
    refused = await send({ origin: foreign });
  }
  expect([refused.status, refused.json['code']]).toEqual([
    403,
    'origin_not_allowed'
  ]);
  expect(refused.headers.get('access-control-allow-origin')).toBe(foreign);
  expect((await send({ origin: 'null' })).status).toBe(403);
  expect((await settings(foreign)).status).toBe(403);
  expect((await settings('https://lab.example')).status).toBe(200);
  expect((await send(FROM_A_PAGE)).status).toBe(200);
  // Programs, such as the kernel package and the Jupyter server, send none.
  expect((await send()).status).toBe(200);
});

it.each([
  ['192.0.2.1', '192.0.2.1'],
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['', '']
])('%s counts as %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
