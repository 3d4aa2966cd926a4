/** Under pseudonyms no name is on any disk, and only the relay's key joins the two. */
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import {
  addCourse,
  setCourse
} from '../../../src/relay/courses/editCourses.js';
import { dataPaths, type DataPaths } from '../../../src/relay/files.js';
import { reduce } from '../../../src/relay/door/setAside.js';
import { filterEvent } from '../../../src/relay/privacy/filter.js';
import { compileRules } from '../../../src/relay/privacy/rules.js';
import {
  ensureCourseKey,
  PSEUDONYM,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';
import { createPostHogSink } from '../../../src/sinks/index.js';
import { startPostHogStandIn } from '../../support/posthogStandIn.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';

const NAME = 'ZEBEDIAH-QUILLFEATHER';
const TRACES = /zebediah|quillfeather/i;

let relay: TestRelay;
let paths: DataPaths;

/** A relay with a course `secret` under pseudonyms; returns its key. */
async function start(
  level: 'outcomes' | 'full' = 'outcomes',
  options: Parameters<typeof startTestRelay>[0] = {}
): Promise<string> {
  relay = await startTestRelay(options);
  paths = dataPaths(relay.folder);
  const keyId = await ensureCourseKey(paths.pseudonyms, 'secret');
  return relay.addCourse('secret', {
    level,
    identity: 'pseudonyms',
    pseudonym: { keyId }
  });
}

afterEach(async () => {
  await relay?.remove();
});

const named = (n: number, more: Record<string, unknown> = {}): unknown => ({
  ...cellEvent(n, { student: NAME, ...more }),
  distinct_id: NAME
});

it.each(['outcomes', 'full'] as const)(
  'no file, no log line, no page and no PostHog has the name, at level %s',
  async level => {
    const posthog = await startPostHogStandIn();
    try {
      const key = await start(level, {
        flags: { 'posthog-host': posthog.url, 'posthog-key': 'phc_test_of_it' },
        parts: { createPostHogSink }
      });
      const answer = await relay.post({
        api_key: key,
        batch: [
          named(1, { $set: { email: 'zebediah@x.example' }, nb: `of ${NAME}` }),
          named(2, { ms: 'x', note: NAME, code: NAME }),
          named(3, { try: { [NAME]: [NAME] }, seq: 'x' }),
          {
            ...(named(4) as object),
            event: 'poll',
            properties: {
              student: NAME,
              said: 'I am Zebediah Quillfeather.',
              deep: [{ [`of ${NAME}`]: 'zebediah.quillfeather' }],
              $user_id: NAME,
              $current_url: `https://hub/user/zebediah/lab`,
              username: 'zebediah'
            }
          },
          { ...(named(5) as object), uuid: NAME },
          { event: NAME, distinct_id: [NAME], properties: { text: NAME } },
          { ...(named(6) as object), properties: NAME },
          { ...(named(7) as object), timestamp: NAME, [NAME]: NAME },
          NAME
        ]
      });
      expect(answer.status).toBe(200);
      const kept = 9 - (answer.json['rejected'] as unknown[]).length;
      expect(kept).toBeGreaterThan(1);
      await waitFor(
        () => `PostHog has ${kept}, not ${posthog.stored().length}`,
        () => posthog.stored().length === kept
      );
      const secrets = readSecrets(paths.pseudonyms);
      const [keyId] = secrets.keyIds('secret');
      const pseudonym = secrets.pseudonym('secret', keyId!, NAME)!;
      expect(pseudonym).toMatch(PSEUDONYM);
      expect(
        posthog.stored().every(({ distinct_id }) => PSEUDONYM.test(distinct_id))
      ).toBe(true);
      expect(posthog.stored()[0]!.distinct_id).toBe(pseudonym);
      expect(JSON.stringify(posthog.stored())).not.toMatch(TRACES);
      const link = await relay.relay.loginLink();
      const login = await fetch(link, { redirect: 'manual' });
      const page = await fetch(`${relay.url}/api/v1/snapshot?course=secret`, {
        headers: { cookie: login.headers.get('set-cookie')!.split(';')[0]! }
      });
      const snapshot = await page.text();
      expect(snapshot).toContain(pseudonym);
      expect(snapshot).not.toMatch(TRACES);
      const events = await relay.events();
      expect(events).toHaveLength(kept);
      expect(events[0]!.student).toBe(pseudonym);
      expect(events[0]!.payload['student_key']).toBe(keyId);
      expect(relay.logged()).not.toMatch(TRACES);
      const bytes = await relay.everyByte();
      expect(bytes).toContain('"stage":"door"');
      expect(bytes).not.toMatch(TRACES);
    } finally {
      await posthog.stop();
    }
  }
);

it('the course tells clients that it keeps pseudonyms', async () => {
  const key = await start();
  const response = await fetch(`${relay.url}/api/v1/course`, {
    headers: { authorization: `Bearer ${key}` }
  });
  const text = await response.text();
  expect(JSON.parse(text)).toMatchObject({ identity: 'pseudonyms' });
  expect(text).not.toContain('pk_');
});

it('one student is one pseudonym in a course, and another one in every other', async () => {
  relay = await startTestRelay();
  paths = dataPaths(relay.folder);
  const a = await ensureCourseKey(paths.pseudonyms, 'a');
  expect(await ensureCourseKey(paths.pseudonyms, 'a')).toBe(a);
  const b = await ensureCourseKey(paths.pseudonyms, 'b');
  const fresh = await ensureCourseKey(paths.pseudonyms, 'a', true);
  expect((await stat(paths.pseudonyms)).mode & 0o777).toBe(0o600);
  const secrets = readSecrets(paths.pseudonyms);
  expect(secrets.keyIds('a')).toEqual([a, fresh]);
  const all = [
    secrets.pseudonym('a', a, NAME),
    secrets.pseudonym('a', a, `${NAME}X`),
    secrets.pseudonym('a', a, NAME, 1),
    secrets.pseudonym('a', fresh, NAME),
    secrets.pseudonym('b', b, NAME)
  ];
  expect(new Set(all).size).toBe(5);
  expect(secrets.pseudonym('a', a, NAME)).toBe(all[0]);
  expect(secrets.pseudonym('b', a, NAME)).toBeUndefined();
});

it('takes no events while the key is missing, and says so to the operator only', async () => {
  const key = await start();
  await rm(paths.pseudonyms);
  const refused = await relay.post({ api_key: key, batch: [named(1)] });
  expect(refused.status).toBe(503);
  expect(refused.json).toMatchObject({ code: 'pseudonyms_unavailable' });
  expect(refused.headers.get('retry-after')).not.toBeNull();
  expect(relay.logged()).toContain('pseudonyms.json');
  await writeFile(paths.pseudonyms, '{"tagKey": 1}');
  const again = await relay.post({ api_key: key, batch: [named(1)] });
  expect(again.status).toBe(503);
  expect(await relay.events()).toEqual([]);
  expect(await readFile(paths.pseudonyms, 'utf8')).toBe('{"tagKey": 1}');
});

it('a course without a key for pseudonyms cannot ask for them', async () => {
  relay = await startTestRelay();
  const { courses } = dataPaths(relay.folder);
  await expect(
    setCourse(courses, 'demo', { identity: 'pseudonyms' })
  ).rejects.toThrow('pseudonym: expected the id of a key');
  await expect(
    addCourse(courses, 'other', { title: 'x', identity: 'nicknames' })
  ).rejects.toThrow('identity: expected names, pseudonyms, got "nicknames"');
});

it('property: whatever shape an event has, its name is in nothing that is kept', () => {
  relay = { remove: () => Promise.resolve() } as TestRelay;
  const rules = compileRules({
    level: 'full',
    pseudonyms: { keyId: 'pk_1', of: name => `p_${name.length}` }
  });
  const spelling = fc.constantFrom(
    NAME,
    NAME.toLowerCase(),
    'Zebediah Quillfeather',
    'zebediah.quillfeather@school.example',
    `said ${NAME}, twice ${NAME}`
  );
  const { tree } = fc.letrec(tie => ({
    tree: fc.oneof(
      { depthSize: 'small' },
      spelling,
      fc.integer(),
      fc.array(tie('tree'), { maxLength: 3 }),
      fc.dictionary(fc.oneof(spelling, fc.string()), tie('tree'), {
        maxKeys: 3
      })
    )
  }));
  fc.assert(
    fc.property(
      fc.dictionary(fc.oneof(spelling, fc.string()), tree, { maxKeys: 5 }),
      fc.oneof(fc.constant('cell'), fc.constant('poll'), spelling),
      (properties, event) => {
        const wire = {
          event,
          distinct_id: NAME,
          properties: { ...properties, student: NAME }
        };
        const { event: kept } = filterEvent(wire, rules, () => undefined);
        expect(JSON.stringify(kept)).not.toMatch(TRACES);
        expect(JSON.stringify(reduce(wire, rules))).not.toMatch(TRACES);
      }
    )
  );
});
