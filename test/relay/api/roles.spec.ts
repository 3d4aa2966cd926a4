/** Who may see what: keys that read, what they open, and that nobody learns of courses that are not theirs. */
import {
  addKey,
  revokeKey,
  type KeyChoices
} from '../../../src/relay/courses/editCourses.js';
import type { CourseKey } from '../../../src/relay/courses/courseFile.js';
import { KEY_PREFIXES } from '../../../src/relay/courses/keys.js';
import { dataPaths, updateJson } from '../../../src/relay/files.js';
import { waitFor } from '../../support/waitFor.js';
import {
  read,
  startTestRelay,
  type Answer,
  type TestRelay
} from '../support/testRelay.js';

let relay: TestRelay;
beforeEach(async () => {
  relay = await startTestRelay();
  await relay.addCourse('other');
});
afterEach(async () => {
  await relay.remove();
});

const ask = async (path: string, key?: string): Promise<Answer> =>
  read(
    await fetch(new URL(path, relay.url), {
      headers: key === undefined ? {} : { authorization: `Bearer ${key}` }
    })
  );

async function keyFor(
  choices: KeyChoices,
  course = 'demo'
): Promise<{ id: string; secret: string }> {
  const { courses } = dataPaths(relay.folder);
  const { key, secret } = await addKey(courses, course, choices);
  expect(secret).toMatch(
    new RegExp(`^${KEY_PREFIXES[choices.kind!]}[0-9A-Za-z]{32}$`)
  );
  return { id: key.id, secret };
}

it.each(['instructor', 'assistant', 'display'] as const)(
  'a key of kind %s reads its own course, and of the others learns not even that they exist',
  async kind => {
    const { secret } = await keyFor({ kind });
    expect((await ask('/api/v1/courses', secret)).json).toEqual([
      { course: 'demo', title: 'Demo' }
    ]);
    expect(
      (await ask('/api/v1/snapshot?course=demo', secret)).json
    ).toMatchObject({ course: 'demo' });
    for (const route of ['snapshot', 'live']) {
      const theirs = await ask(`/api/v1/${route}?course=other`, secret);
      const nobodys = await ask(`/api/v1/${route}?course=nobody`, secret);
      expect(theirs.status).toBe(404);
      expect(theirs.text.replace('other', 'nobody')).toBe(nobodys.text);
    }
  }
);

it('a key that reads writes nothing, and is on no disk', async () => {
  const { secret } = await keyFor({ kind: 'instructor' });
  const posted = await relay.post({
    api_key: secret,
    batch: [{ event: 'x', distinct_id: 'y', properties: {} }]
  });
  expect([posted.status, posted.json['code']]).toEqual([401, 'unknown_key']);
  expect((await ask('/api/v1/course', secret)).status).toBe(401);
  // Nor if somebody sends it among their events.
  await relay.post({
    api_key: relay.key,
    batch: [{ event: 'x', distinct_id: 'y', properties: { note: secret } }]
  });
  expect(await relay.everyByte()).not.toContain(secret);
  expect(relay.logged()).not.toContain(secret);
});

it('a revoked key ends at once, with the page that it opened', async () => {
  const { id, secret } = await keyFor({ kind: 'instructor' });
  expect((await ask('/api/v1/courses', secret)).status).toBe(200);
  await revokeKey(dataPaths(relay.folder).courses, id);
  const refused = await waitFor('the key is refused', async () => {
    const answer = await ask('/api/v1/courses', secret);
    return answer.status === 401 && answer;
  });
  expect(refused.json['code']).toBe('revoked_key');
});

it('an expired key is refused, to read as to write', async () => {
  const { id, secret } = await keyFor({ kind: 'display', days: 1 });
  const write = await keyFor({ kind: 'write', days: 1 });
  expect((await ask('/api/v1/courses', secret)).status).toBe(200);
  const { courses } = dataPaths(relay.folder);
  await updateJson<{ keys: CourseKey[] }>(
    courses,
    text => JSON.parse(text!) as { keys: CourseKey[] },
    content => {
      for (const key of content.keys.filter(({ expires }) => expires)) {
        key.expires = new Date(Date.now() - 1).toISOString();
      }
      return content;
    }
  );
  const refused = await waitFor(`key ${id} is refused`, async () => {
    const answer = await ask('/api/v1/courses', secret);
    return answer.status === 401 && answer;
  });
  expect(refused.json['code']).toBe('expired_key');
  const posted = await relay.post({
    api_key: write.secret,
    batch: [{ event: 'x', distinct_id: 'y', properties: {} }]
  });
  expect([posted.status, posted.json['code']]).toEqual([401, 'expired_key']);
});

it.each([
  ['no key', undefined, 'login_required'],
  ['a write key', () => relay.key, 'login_required'],
  ['a key that nobody has', `nbi_${'a'.repeat(32)}`, 'unknown_key'],
  ['other text', 'x', 'unknown_key']
])('%s reads nothing', async (_what, given, code) => {
  const key = typeof given === 'function' ? given() : given;
  for (const path of ['courses', 'snapshot?course=demo', 'live?course=demo']) {
    const answer = await ask(`/api/v1/${path}`, key);
    expect([answer.status, answer.json['code']]).toEqual([401, code]);
  }
});

it('a section is for assistants', async () => {
  await expect(
    addKey(dataPaths(relay.folder).courses, 'demo', {
      kind: 'instructor',
      section: 'A'
    })
  ).rejects.toThrow("section: expected for an assistant's key alone");
});
