/** Attacks by doing something very often. */
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
