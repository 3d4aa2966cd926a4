/** The steps of a deletion, with PostHog and the log at hand: what is asked when, and what a failure leaves. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  newCourse,
  type Course
} from '../../../src/relay/courses/courseFile.js';
import { openAudit } from '../../../src/relay/privacy/audit.js';
import { createDesk, type DeskParts } from '../../../src/relay/privacy/desk.js';
import {
  createForgetter,
  type Forgetter
} from '../../../src/relay/privacy/forget.js';
import type { PostHogPersons } from '../../../src/relay/privacy/postHogPersons.js';
import { openRuleBook } from '../../../src/relay/privacy/ruleBook.js';
import {
  ensureCourseKey,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';

const DAY_MS = 86_400_000;
const NAME = 'ADA-LOVELACE';

let folder: string;
let files: { pseudonyms: string; forget: string };
let clock: number;
let postHog: PostHogPersons | 'none';
/** Persons of PostHog by distinct id, and those whose deletion it has finished. */
let persons: Map<string, string>;
let finished: Set<string>;
let asked: string[][];
let removed: string[];
let brokenCourse: string | undefined;
let rewrites: string[];
let unlisted: string[];
let parts: DeskParts;
let forgetter: Forgetter;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'forget-'));
  files = {
    pseudonyms: join(folder, 'pseudonyms.json'),
    forget: join(folder, 'forget.json')
  };
  clock = Date.parse('2026-09-01T10:00:00Z');
  persons = new Map();
  finished = new Set();
  asked = [];
  removed = [];
  rewrites = [];
  brokenCourse = undefined;
  postHog = {
    find: ids => {
      asked.push([...ids]);
      return Promise.resolve(
        ids.flatMap(id => (persons.has(id) ? [persons.get(id)!] : []))
      );
    },
    remove: gone => {
      removed.push(...gone);
      for (const [id, person] of persons) {
        if (gone.includes(person)) {
          persons.delete(id);
        }
      }
      return Promise.resolve();
    },
    areGone: gone => Promise.resolve(gone.every(one => finished.has(one)))
  };
  parts = {
    files: { ...files, audit: join(folder, 'audit.jsonl') },
    courses: { all: () => [course()], course: () => course() },
    log: {
      read: async function* () {
        // Empty.
      },
      rewrite: () =>
        Promise.resolve({ records: 0, changed: 0, dropped: 0, damaged: 0 })
    },
    deadLetters: {
      list: () => Promise.resolve([]),
      rewrite: () => Promise.resolve({ letters: 0, changed: 0, dropped: 0 })
    },
    audit: openAudit(join(folder, 'audit.jsonl')),
    postHogOf: () => postHog,
    onForgotten: () => undefined,
    unlist: (_course, matches) => {
      unlisted = [NAME, 'GRACE-HOPPER'].filter(matches);
      return Promise.resolve();
    },
    refold: course => {
      if (course === brokenCourse) {
        return Promise.reject(new Error('the disk is full'));
      }
      rewrites.push(course);
      return Promise.resolve();
    },
    now: () => clock
  };
  forgetter = createForgetter(parts);
});
afterEach(() => rm(folder, { recursive: true }));

const course = (id = 'demo'): Course => newCourse(id, 'Demo');
const job = (): ReturnType<Forgetter['jobs']>[number] => forgetter.jobs()[0]!;

async function after(ms: number): Promise<void> {
  clock += ms;
  await forgetter.step();
}

describe('at PostHog', () => {
  it('a person who appears after the first look is deleted as well, and confirmed only then', async () => {
    await forgetter.forget(course(), { student: NAME, who: 'cli:x' });
    await after(DAY_MS / 24);
    expect(job()).toMatchObject({ posthog: 'requested', persons: [] });
    persons.set(NAME, 'person-1');
    await after(DAY_MS / 12);
    expect(removed).toEqual(['person-1']);
    expect(job()).toMatchObject({ posthog: 'requested' });
    finished.add('person-1');
    await after(DAY_MS / 24);
    expect(job()).toMatchObject({ posthog: 'confirmed', state: 'recheck' });
    expect(job().posthogConfirmedAt).toBe(new Date(clock).toISOString());
  });

  it('nobody there is confirmed after a week, and not asked for all the time', async () => {
    await forgetter.forget(course(), { student: NAME, who: 'cli:x' });
    for (let minutes = 0; minutes < 7 * 1440 - 10; minutes += 10) {
      await after(600_000);
      expect(job()).toMatchObject({ posthog: 'requested' });
    }
    expect(asked.length).toBeLessThan(30);
    await after(600_000);
    expect(job()).toMatchObject({ posthog: 'confirmed', state: 'done' });
    expect(await readFile(files.forget, 'utf8')).not.toContain('sealedIds');
  });

  it('is looked at again after a week, when another person is deleted as well', async () => {
    persons.set(NAME, 'person-1');
    finished.add('person-1');
    await forgetter.forget(course(), { student: NAME, who: 'cli:x' });
    await after(600_000);
    expect(job()).toMatchObject({ posthog: 'confirmed' });
    persons.set(NAME, 'person-2');
    await after(7 * DAY_MS);
    expect(removed).toEqual(['person-1', 'person-2']);
    expect(job()).toMatchObject({ posthog: 'requested', state: 'confirming' });
    finished.add('person-2');
    await after(600_000);
    await after(7 * DAY_MS);
    expect(job()).toMatchObject({ posthog: 'confirmed', state: 'done' });
    expect(await readFile(files.forget, 'utf8')).not.toContain(NAME);
  });

  it('a course that took pseudonyms later is asked for by the name as well, which stands in no file', async () => {
    const keyId = await ensureCourseKey(files.pseudonyms, 'demo');
    const now: Course = {
      ...course(),
      identity: 'pseudonyms',
      pseudonym: { keyId, namesBefore: true }
    };
    persons.set(NAME, 'person-1');
    await forgetter.forget(now, { student: NAME, who: 'cli:x' });
    const pseudonym = readSecrets(files.pseudonyms).pseudonym(
      ...(['demo', keyId, NAME, 0] as const)
    );
    expect(asked[0]).toEqual(expect.arrayContaining([NAME, pseudonym]));
    expect(removed).toEqual(['person-1']);
    expect(await readFile(files.forget, 'utf8')).not.toContain(NAME);
  });

  it('a course that never kept names tells PostHog none', async () => {
    const keyId = await ensureCourseKey(files.pseudonyms, 'demo');
    const now: Course = {
      ...course(),
      identity: 'pseudonyms',
      pseudonym: { keyId }
    };
    await forgetter.forget(now, { student: NAME, who: 'cli:x' });
    expect(asked.flat()).toHaveLength(1);
    expect(asked.flat()).not.toContain(NAME);
  });
});

it('a job that fails keeps no other one from going on, and its failure is told', async () => {
  postHog = 'none';
  brokenCourse = 'broken';
  const broken = forgetter.forget(course('broken'), {
    student: NAME,
    who: 'cli:x'
  });
  await expect(broken).rejects.toThrow('the disk is full');
  await forgetter.forget(course(), { student: NAME, who: 'cli:x' });
  rewrites = [];
  await expect(after(7 * DAY_MS)).rejects.toThrow('the disk is full');
  expect(rewrites).toEqual(['demo']);
  expect(forgetter.jobs().map(({ state }) => state)).toEqual(['local', 'done']);
  brokenCourse = undefined;
  await after(0);
  expect(forgetter.jobs()[0]).toMatchObject({ state: 'recheck' });
});

it('a course may be called as something that every object has', async () => {
  postHog = 'none';
  const id = 'constructor';
  // Files that are there already as well as new ones.
  await ensureCourseKey(files.pseudonyms, 'demo');
  await forgetter.forget(course(), { student: NAME, who: 'cli:x' });
  const keyId = await ensureCourseKey(files.pseudonyms, id);
  const secrets = readSecrets(files.pseudonyms);
  expect(secrets.keyIds(id)).toEqual([keyId]);
  const kept = JSON.parse(await readFile(files.pseudonyms, 'utf8')) as {
    courses: object;
  };
  expect(Object.keys(kept.courses)).toEqual(['demo', id]);
  expect(secrets.pseudonym(id, keyId, NAME)).toMatch(/^p_/);
  await forgetter.forget(course(id), { student: NAME, who: 'cli:x' });
  const written = JSON.parse(await readFile(files.forget, 'utf8')) as {
    forgotten: object;
  };
  expect(Object.keys(written.forgotten)).toEqual(['demo', id]);
  const { isForgotten } = openRuleBook(files).rulesOf(course(id));
  expect(isForgotten!(NAME, clock)).toBe(true);
  expect(isForgotten!(NAME, clock + 1)).toBe(false);
});

it('who is forgotten by pseudonym is known by name at the door, and gets another pseudonym', async () => {
  postHog = 'none';
  const first = await ensureCourseKey(files.pseudonyms, 'demo');
  const secrets = () => readSecrets(files.pseudonyms);
  const old = secrets().pseudonym('demo', first, NAME)!;
  const keyId = await ensureCourseKey(files.pseudonyms, 'demo', true);
  const secret: Course = {
    ...course(),
    identity: 'pseudonyms',
    pseudonym: { keyId }
  };
  const next = secrets().pseudonym('demo', keyId, NAME);
  await forgetter.forget(secret, { student: old, who: 'cli:x' });
  const rules = openRuleBook(files).rulesOf(secret);
  expect(rules.isForgotten!(NAME, clock)).toBe(true);
  expect(rules.isForgotten!(NAME, clock + 1)).toBe(false);
  expect(rules.isForgotten!('GRACE-HOPPER', clock)).toBe(false);
  expect([old, next]).not.toContain(rules.pseudonyms!.of(NAME));
  expect(secrets().generation('demo', NAME)).toBe(1);
  expect(secrets().generation('demo', 'GRACE-HOPPER')).toBe(0);
  expect(unlisted).toEqual([NAME]);
  // Once more, by name: another generation, and the step may be repeated.
  await forgetter.forget(secret, { student: NAME, who: 'cli:x' });
  expect(secrets().generation('demo', NAME)).toBe(2);
  expect(forgetter.jobs()[1]!.tags).toContain(secrets().tag('demo', old));
});

it.each([
  ['sends to a PostHog', true],
  ['sends to none', false]
])(
  'a course that has nothing of the student and %s has a job: %s',
  async (_what, isAsked) => {
    if (!isAsked) {
      postHog = 'none';
    }
    persons.set(NAME, 'person-1');
    const jobs = await createDesk(parts).forget({
      student: NAME,
      who: 'cli:x'
    });
    expect(jobs).toHaveLength(isAsked ? 1 : 0);
    expect(removed).toEqual(isAsked ? ['person-1'] : []);
  }
);
