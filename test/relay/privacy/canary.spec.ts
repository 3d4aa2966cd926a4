/** Whatever a client sends, what its course does not keep is on no disk, on no page and in no PostHog. */
import fc from 'fast-check';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { dataPaths } from '../../../src/relay/files.js';
import { createPostHogSink } from '../../../src/sinks/index.js';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../../support/posthogStandIn.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  uuidOf,
  type TestRelay
} from '../support/testRelay.js';

const CANARY = 'CANARY-9b1c';
const projectKey = 'phc_test_of_the_filter';

let relay: TestRelay;
let posthog: PostHogStandIn;

beforeEach(async () => {
  posthog = await startPostHogStandIn();
  relay = await startTestRelay({
    level: 'outcomes',
    flags: { 'posthog-host': posthog.url, 'posthog-key': projectKey },
    // The thread that delivers exists in built form only.
    parts: { createPostHogSink }
  });
});

afterEach(async () => {
  await relay.remove();
  await posthog.stop();
});

async function delivered(count: number): Promise<void> {
  await waitFor(
    'PostHog has the events',
    () => posthog.stored().length >= count
  );
}

it('canaries in unknown properties reach nothing', async () => {
  let n = 0;
  let good = 0;
  const value = fc.oneof(
    fc.constant<unknown>(CANARY),
    fc.constant<unknown>({ deep: [CANARY] }),
    fc.constant<unknown>([[CANARY]])
  );
  const event = fc.record({
    name: fc.constantFrom('start', 'cell', 'notebook', 'kernel', 'end'),
    extra: fc.dictionary(fc.stringMatching(/^u_[a-zé ."]{0,8}$/), value, {
      maxKeys: 4
    }),
    bad: fc.boolean(),
    beside: fc.boolean()
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(event, { minLength: 1, maxLength: 8 }),
      async wishes => {
        const batch = wishes.map(({ name, extra, bad, beside }) => {
          n += 1;
          good += bad ? 0 : 1;
          const more = {
            ...extra,
            err: bad || name !== 'cell' ? null : CANARY,
            ...(name === 'notebook' ? { action: 'saved' } : {}),
            ...(name === 'kernel' ? { action: 'died' } : {}),
            ...(bad ? { seq: CANARY.length / 2 } : {})
          };
          return {
            ...cellEvent(n, more, { uuid: uuidOf(n) }),
            event: name,
            ...(beside ? { aside: CANARY } : {})
          };
        });
        const ok = { ...cellEvent(0, {}, { uuid: uuidOf((n += 1)) }) };
        good += 1;
        const answer = await relay.post({
          api_key: relay.key,
          batch: [...batch, ok]
        });
        expect(answer.status).toBe(200);
        expect(answer.text).not.toContain(CANARY);
      }
    ),
    { numRuns: process.env['LONG'] ? 500 : 25, seed: 7 }
  );
  await delivered(good);
  expect(JSON.stringify(posthog.stored())).not.toContain(CANARY);
  const link = await relay.relay.loginLink();
  const login = await fetch(link, { redirect: 'manual' });
  const page = await fetch(`${relay.url}/api/v1/snapshot?course=demo`, {
    headers: { cookie: login.headers.get('set-cookie')!.split(';')[0]! }
  });
  const snapshot = await page.text();
  expect(snapshot).toContain('ADA-LOVELACE');
  expect(snapshot).not.toContain(CANARY);
  expect(relay.logged()).not.toContain(CANARY);
  expect(await relay.events()).toHaveLength(good);
  const bytes = await relay.everyByte();
  expect(bytes).toContain('"stage":"door"');
  expect(bytes).not.toContain(CANARY);
});

it.each([
  ['properties', '"properties":{"u":"CANARY-9b1c"},"properties":'],
  ['ms', '"ms":{"u":["CANARY-9b1c"]},"ms":'],
  ['uuid', '"uuid":"CANARY-9b1c","uuid":']
])(
  'a first %s that is hidden behind a second one is not kept',
  async (member, both) => {
    const body = JSON.stringify({ api_key: relay.key, batch: [cellEvent(1)] });
    const answer = await relay.post(body.replace(`"${member}":`, both));
    expect(answer.status).toBe(200);
    expect(await relay.events()).toHaveLength(1);
    expect(await relay.everyByte()).not.toContain(CANARY);
  }
);

it('the answer and the log say which properties were not kept, and never what was in them', async () => {
  const batch = [
    cellEvent(1, { source: CANARY, hint: CANARY }),
    cellEvent(2, { source: CANARY, 'JANE said': CANARY })
  ];
  const answer = await relay.post({ api_key: relay.key, batch });
  expect(answer.json).toEqual({
    status: 'Ok',
    dropped_properties: { source: 2, hint: 1, '(another name)': 1 }
  });
  await relay.relay.close();
  expect(relay.logged()).toContain('properties not kept: demo, source');
  expect(relay.logged()).not.toMatch(/CANARY|JANE/);
});

it('a list lets in what it names, and an open course everything, byte for byte', async () => {
  const { courses } = dataPaths(relay.folder);
  const poll = {
    ...cellEvent(1),
    event: 'poll',
    properties: { nb: 'intro', answer: 42, remark: 'some words' }
  };
  await setCourse(courses, 'demo', { properties: 'answer' });
  const open = await relay.addCourse('open', {
    level: 'full',
    properties: 'all'
  });
  await waitFor('the list holds', async () => {
    const { json } = await relay.post({
      api_key: relay.key,
      batch: [{ ...poll, uuid: undefined, timestamp: undefined }]
    });
    return 'dropped_properties' in json;
  });
  const body = ` {"api_key":"${open}",  "batch":[${JSON.stringify({ ...cellEvent(2, { traceback: ['a', 'b'] }), note: 'beside' })}] }`;
  expect((await relay.post(body)).json).toEqual({ status: 'Ok' });
  const records = await relay.records();
  const kept = (course: string): string =>
    Buffer.from(
      records.filter(({ header }) => header.course === course).at(-1)!.body
    ).toString();
  expect(JSON.parse(kept('demo'))).toMatchObject({
    batch: [{ properties: { nb: 'intro', answer: 42 } }]
  });
  expect(kept('demo')).not.toContain('some words');
  expect(kept('open')).toBe(body.replace(open, '*'.repeat(open.length)));
});
