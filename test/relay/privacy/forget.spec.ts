/** A student who is forgotten is in no file, on no page and at no PostHog, however the relay is interrupted. */
import { readFile, writeFile } from 'node:fs/promises';
import { run } from '../../../src/cli/run.js';
import { setCourse } from '../../../src/relay/courses/editCourses.js';
import { dataPaths, type DataPaths } from '../../../src/relay/files.js';
import { openDeadLetters } from '../../../src/relay/pipeline/deadLetters.js';
import type { ForgetJob } from '../../../src/relay/privacy/forgetFile.js';
import {
  ensureCourseKey,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';
import { createMemorySink } from '../../../src/sinks/index.js';
import { waitFor } from '../../support/waitFor.js';
import {
  cellEvent,
  startTestRelay,
  type TestRelay
} from '../support/testRelay.js';
import { startPersonsStandIn, type PersonsStandIn } from './personsStandIn.js';

const NAME = 'ZEBEDIAH-QUILLFEATHER';
const TRACES = /zebediah|quillfeather/i;
const PERSONAL_KEY = 'phx_personal_key_of_the_test';

let relay: TestRelay;
let paths: DataPaths;
let persons: PersonsStandIn | undefined;
let clock = Date.now();

async function start(
  options: Parameters<typeof startTestRelay>[0] = {}
): Promise<void> {
  clock = Date.now();
  relay = await startTestRelay({
    ...options,
    parts: {
      createPostHogSink: ({ name }) => createMemorySink({ name }),
      ...options.parts,
      privacy: { now: () => clock, everyMs: 20 }
    }
  });
  paths = dataPaths(relay.folder);
}

afterEach(async () => {
  await relay.remove();
  await persons?.stop();
  persons = undefined;
});

/** Runs a command on the relay's folder; the parsed output. */
async function cli<T>(...argv: string[]): Promise<T> {
  let out = '';
  let err = '';
  const code = await run(
    [...argv, '--data', relay.folder, '--json'],
    { USER: 'ada' },
    { out: line => (out += line), err: line => (err += `${line}\n`) }
  );
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as T;
}

const ago = (minutes: number): string =>
  new Date(clock - minutes * 60_000).toISOString();

/** Events of two students, good and bad ones, five minutes ago. */
async function sendBoth(key = relay.key): Promise<void> {
  const events = [1, 2, 3, 4].map(n => {
    const student = n % 2 === 0 ? 'GRACE-HOPPER' : NAME;
    return {
      ...cellEvent(n, { student, ...(n > 2 ? { ms: 'x' } : {}) }),
      distinct_id: student,
      timestamp: ago(5)
    };
  });
  const answer = await relay.post({ api_key: key, batch: events });
  expect(answer.json).toMatchObject({ rejected: [{ index: 2 }, { index: 3 }] });
}

async function snapshot(course = 'demo'): Promise<string> {
  const login = await fetch(await relay.relay.loginLink(), {
    redirect: 'manual'
  });
  const page = await fetch(`${relay.url}/api/v1/snapshot?course=${course}`, {
    headers: { cookie: login.headers.get('set-cookie')!.split(';')[0]! }
  });
  return page.text();
}

it('shows, deletes everywhere, lets nothing old in again, and takes the student anew', async () => {
  await start();
  await sendBoth();
  const content = JSON.parse(await readFile(paths.courses, 'utf8')) as {
    courses: object[];
  };
  Object.assign(content.courses[0]!, {
    sections: { a: [NAME, 'GRACE-HOPPER'], b: ['ALAN-TURING'] }
  });
  await writeFile(paths.courses, JSON.stringify(content));
  const [shown] = await cli<object[]>(
    'privacy',
    'show',
    'Zebediah Quillfeather'
  );
  expect(shown).toMatchObject({
    course: 'demo',
    events: 1,
    letters: 1,
    byName: { cell: 1 },
    derived: { sessions: [{ student: NAME }] }
  });
  const [job] = await cli<ForgetJob[]>('privacy', 'forget', NAME, '--yes');
  expect(job).toMatchObject({
    removed: { events: 1, letters: 1 },
    posthog: 'none'
  });
  expect(await snapshot()).not.toMatch(TRACES);
  expect(await snapshot()).toContain('GRACE-HOPPER');
  expect(relay.logged()).not.toMatch(TRACES);
  expect(await relay.everyByte()).not.toMatch(TRACES);

  // Out of an old queue, and new.
  const late = {
    ...cellEvent(8, { student: NAME }),
    distinct_id: NAME,
    timestamp: ago(4)
  };
  const answer = await relay.post({ api_key: relay.key, batch: [late] });
  expect(answer.json).toEqual({ status: 'Ok', not_collected: 1 });
  // By a clock that is three days behind: an old one and a new one.
  const sent = Date.now() - 3 * 86_400_000;
  const slow = [3_600_000, 0].map((age, index) => ({
    ...cellEvent(10 + index, { student: NAME }),
    distinct_id: NAME,
    timestamp: new Date(sent - age).toISOString()
  }));
  const behind = await relay.post({
    api_key: relay.key,
    sent_at: new Date(sent).toISOString(),
    batch: slow
  });
  expect(behind.json).toEqual({ status: 'Ok', not_collected: 1 });
  clock += 60_000;
  const fresh = {
    ...cellEvent(9, { student: NAME }),
    distinct_id: NAME,
    timestamp: new Date(Date.now() + 3_600_000).toISOString()
  };
  await relay.post({ api_key: relay.key, batch: [fresh] });
  const events = await relay.events();
  expect(
    events.map(({ student, distinct_id }) => [student, distinct_id])
  ).toEqual([
    ['GRACE-HOPPER', 'GRACE-HOPPER'],
    [NAME, `${NAME}~2`],
    [NAME, `${NAME}~2`]
  ]);
});

it('without --yes nothing goes', async () => {
  await start();
  await sendBoth();
  const code = await run(
    ['privacy', 'forget', NAME, '--data', relay.folder],
    {},
    { out: () => undefined, err: () => undefined }
  );
  expect(code).toBe(0);
  expect(await relay.events()).toHaveLength(2);
});

it('works the same on a folder that no relay holds, where the log is whole afterwards', async () => {
  await start();
  await sendBoth();
  await relay.relay.close();
  const [job] = await cli<ForgetJob[]>('privacy', 'forget', NAME, '--yes');
  expect(job).toMatchObject({ removed: { events: 1, letters: 1 } });
  expect(await relay.everyByte()).not.toMatch(TRACES);
  expect((await relay.events()).map(({ student }) => student)).toEqual([
    'GRACE-HOPPER'
  ]);
  const letters = await openDeadLetters(paths.deadLetters);
  expect(await letters.list()).toHaveLength(1);
  await letters.close();
});

it('a course of pseudonyms is shown and forgotten by name, and gives another pseudonym afterwards', async () => {
  await start();
  const keyId = await ensureCourseKey(paths.pseudonyms, 'secret');
  const key = await relay.addCourse('secret', {
    identity: 'pseudonyms',
    pseudonym: { keyId }
  });
  await sendBoth(key);
  const [shown] = await cli<{ pseudonym: string; events: number }[]>(
    'privacy',
    'show',
    NAME
  );
  expect(shown).toMatchObject({ events: 1, letters: 1 });
  await cli('privacy', 'rotate', 'secret');
  await cli('privacy', 'forget', NAME, '--yes');
  const bytes = await relay.everyByte();
  expect(bytes).not.toMatch(TRACES);
  expect(bytes).not.toContain(shown!.pseudonym);
  await waitFor('the new key holds', async () => {
    const { pseudonym } = (
      await cli<{ pseudonym: string }[]>(
        ...['privacy', 'show', NAME, '--course', 'secret']
      )
    )[0]!;
    return pseudonym !== shown!.pseudonym;
  });
  const secrets = readSecrets(paths.pseudonyms);
  expect(secrets.generation('secret', NAME)).toBe(1);
  expect(secrets.keyIds('secret')).toHaveLength(2);
});

/** Resolves when the running relay knows the course as it was set last. */
async function followed(): Promise<void> {
  const { courses } = JSON.parse(await readFile(paths.courses, 'utf8')) as {
    courses: { version: number }[];
  };
  await waitFor('the relay follows the course', async () => {
    const response = await fetch(`${relay.url}/api/v1/course`, {
      headers: { authorization: `Bearer ${relay.key}` }
    });
    const { version } = (await response.json()) as { version: number };
    return version === courses[0]!.version;
  });
}

describe('at PostHog', () => {
  async function startWithPostHog(): Promise<PersonsStandIn> {
    persons = await startPersonsStandIn(PERSONAL_KEY, '42');
    await start({
      flags: { 'posthog-host': persons.url, 'posthog-key': 'phc_test_of_it' },
      parts: { env: { PERSONAL: PERSONAL_KEY } }
    });
    await setCourse(paths.courses, 'demo', {
      persons: { project: '42', personalKeyEnv: 'PERSONAL' }
    });
    await followed();
    persons.know(NAME, 'GRACE-HOPPER');
    await sendBoth();
    return persons;
  }

  const jobNow = async (): Promise<ForgetJob> =>
    (await cli<ForgetJob[]>('privacy', 'jobs'))[0]!;

  it('the person goes with the events: requested, confirmed, and looked at again after a week', async () => {
    const postHog = await startWithPostHog();
    await cli('privacy', 'forget', NAME, '--yes');
    expect(await jobNow()).toMatchObject({ posthog: 'requested' });
    expect(postHog.known()).toEqual(['GRACE-HOPPER']);
    expect(await relay.everyByte()).not.toMatch(TRACES);
    clock += 11 * 60_000;
    expect(await jobNow()).toMatchObject({ posthog: 'requested' });
    postHog.deleteEvents();
    clock += 11 * 60_000;
    expect(await jobNow()).toMatchObject({
      posthog: 'confirmed',
      state: 'recheck'
    });
    await relay.restart();
    expect(await jobNow()).toMatchObject({ state: 'recheck' });
    clock += 7 * 86_400_000;
    expect(await jobNow()).toMatchObject({ state: 'done' });
    expect(relay.logged()).not.toContain(PERSONAL_KEY);
    expect(await relay.everyByte()).not.toContain(PERSONAL_KEY);
  });

  it('one that is down is asked again, by the relay itself and over a restart', async () => {
    const postHog = await startWithPostHog();
    postHog.fail(503);
    await cli('privacy', 'forget', NAME, '--yes');
    expect(await jobNow()).toMatchObject({
      posthog: 'pending',
      problem: 'PostHog answered 503; tried again later.'
    });
    await relay.restart();
    postHog.fail(null);
    clock += 11 * 60_000;
    await waitFor('the person is gone', () => postHog.known().length === 1);
    expect(await jobNow()).toMatchObject({ posthog: 'requested' });
    expect(await relay.everyByte()).not.toMatch(TRACES);
  });

  it('without a personal key it is said that somebody has to do it', async () => {
    const postHog = await startWithPostHog();
    await setCourse(paths.courses, 'demo', {
      persons: { project: '42', personalKeyEnv: 'NOT_SET' }
    });
    await relay.restart();
    const [job] = await cli<ForgetJob[]>('privacy', 'forget', NAME, '--yes');
    expect(job).toMatchObject({ posthog: 'by_hand', removed: { events: 1 } });
    expect(postHog.requests()).toEqual([]);
    expect(await relay.everyByte()).not.toMatch(TRACES);
  });
});

it('the audit log tells who did it, and not about whom', async () => {
  await start();
  await sendBoth();
  await snapshot();
  await snapshot();
  await cli('privacy', 'show', NAME);
  await cli('privacy', 'forget', NAME, '--yes');
  const entries = await cli<{ action: string; who: string }[]>(
    'privacy',
    'audit'
  );
  expect(entries.map(({ action }) => action)).toEqual([
    // Two sessions.
    'seen',
    'seen',
    'shown',
    'forget_requested',
    'forgotten'
  ]);
  expect(entries[2]).toMatchObject({ who: 'cli:ada' });
  const about = await cli<object[]>('privacy', 'audit', '--student', NAME);
  expect(about).toHaveLength(3);
  expect(await readFile(paths.audit, 'utf8')).not.toMatch(TRACES);
});

it('who asks by name whose a pseudonym is stands in the audit log', async () => {
  await start();
  await setCourse(paths.courses, 'demo', {
    identity: 'pseudonyms',
    pseudonym: { keyId: await ensureCourseKey(paths.pseudonyms, 'demo') }
  });
  await relay.restart();
  await cli('privacy', 'show', NAME, '--course', 'demo');
  const entries = await cli<{ action: string }[]>('privacy', 'audit');
  expect(entries.map(({ action }) => action)).toEqual([
    'shown',
    'reidentified'
  ]);
});
