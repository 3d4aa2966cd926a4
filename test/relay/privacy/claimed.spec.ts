/** Under pseudonyms, a verified student's events keep nothing of the name that they claimed instead. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { reduce } from '../../../src/relay/door/setAside.js';
import { dataPaths } from '../../../src/relay/files.js';
import { compileRules } from '../../../src/relay/privacy/rules.js';
import {
  ensureCourseKey,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

const CLAIMED = 'ZEBEDIAH-QUILLFEATHER';
const TRACES = /zebediah|quillfeather/i;
const TOKEN = 'the-token-of-zq1815';

let hub: Server;
let relay: TestRelay;

beforeEach(async () => {
  hub = createServer((_request, response) => {
    response
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify({ kind: 'user', name: 'zq1815' }));
  });
  hub.listen(0, '127.0.0.1');
  await once(hub, 'listening');
  relay = await startTestRelay({
    flags: {
      'hub-api-url': `http://127.0.0.1:${(hub.address() as AddressInfo).port}/hub/api`
    }
  });
});

afterEach(async () => {
  hub.close();
  hub.closeAllConnections();
  await relay.remove();
});

it('neither in the log nor among the dead letters', async () => {
  const paths = dataPaths(relay.folder);
  const keyId = await ensureCourseKey(paths.pseudonyms, 'secret');
  const key = await relay.addCourse('secret', {
    level: 'full',
    identity: 'pseudonyms',
    pseudonym: { keyId }
  });
  const poll = (n: number, more: object = {}): object => ({
    ...cellEvent(n),
    event: 'poll',
    distinct_id: CLAIMED,
    properties: { student: CLAIMED, file: `hw${n}-${CLAIMED}.ipynb` },
    ...more
  });
  const answer = await relay.post(
    {
      api_key: key,
      batch: [
        poll(1),
        poll(2, { distinct_id: [CLAIMED], $set: { name: 'Zebediah' } }),
        poll(3, { timestamp: 'x' }),
        poll(4, {
          distinct_id: 'zq1815',
          timestamp: `at ${CLAIMED}`,
          properties: { $distinct_id: CLAIMED, file: 'of Quillfeather' },
          $set: { username: 'Quillfeather' }
        })
      ]
    },
    { headers: { 'x-ipynb-telemetry-hub-token': TOKEN } }
  );
  expect(answer.json).toMatchObject({
    rejected: [{ index: 2 }, { index: 3 }]
  });
  const events = await relay.events();
  const own = readSecrets(paths.pseudonyms).pseudonym(
    'secret',
    keyId,
    'zq1815'
  )!;
  expect(events.map(({ student }) => student)).toEqual([own, own]);
  const bytes = await relay.everyByte();
  expect(bytes).toContain('"stage":"door"');
  expect(bytes.split('.ipynb')).toHaveLength(4);
  expect(bytes).not.toMatch(TRACES);
});

it('no text of a letter is kept where the claim cannot be read', () => {
  const rules = compileRules({
    level: 'full',
    pseudonyms: { keyId: 'pk_1', of: name => `p_${name.length}` }
  });
  const given = {
    event: 'poll',
    distinct_id: { first: 'Zebediah' },
    properties: { file: 'of Zebediah' }
  };
  const raw = { ...given, distinct_id: 'zq1815' };
  const letter = JSON.stringify(reduce(raw, rules, given));
  expect(letter).toContain('"file":"(text of 11 characters)"');
  expect(letter).not.toMatch(TRACES);
});
