/** Courses and keys: changed by one process, known to another at once, and never a key in plain text on disk. */
import {
  chmod,
  mkdtemp,
  readFile,
  rm,
  stat,
  unlink,
  writeFile
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CourseFileError,
  publicSettings,
  type Course
} from '../../../src/relay/courses/courseFile.js';
import {
  openCourseStore,
  type CourseStore
} from '../../../src/relay/courses/courseStore.js';
import {
  addCourse,
  addKey,
  CourseError,
  revokeKey,
  setCourse,
  type CourseChanges
} from '../../../src/relay/courses/editCourses.js';
import { isKey, mintKey } from '../../../src/relay/courses/keys.js';
import { waitFor } from '../../support/waitFor.js';

let folder: string;
let file: string;
let problems: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-courses-'));
  file = join(folder, 'courses.json');
  problems = [];
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A course as the first version wrote it. */
const OLD = {
  id: 'old',
  title: 'Old',
  level: 'code',
  consent: 'notice',
  identity: 'names',
  notice: { receiver: 'Old', retention_days: 365, contact: null },
  version: 4
} as const;

const open = (): CourseStore =>
  openCourseStore(file, error => problems.push(error.message));

it('keys are 32 random characters that nobody else has', () => {
  const keys = new Set(Array.from({ length: 1000 }, mintKey));
  expect(keys.size).toBe(1000);
  expect([...keys].every(isKey)).toBe(true);
  expect(isKey('nbt_short')).toBe(false);
  expect(isKey(`phc_${'a'.repeat(32)}`)).toBe(false);
});

it('the file holds no key in plain text, and only its owner may read it', async () => {
  const { secret } = await addCourse(file, 'demo', { title: 'Demo' });
  expect(await readFile(file, 'utf8')).not.toContain(secret.slice(4));
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

it('an open store follows what another process changes', async () => {
  const store = open();
  expect(store.all()).toEqual([]);
  const { secret } = await addCourse(file, 'demo', { title: 'Demo' });
  // A key that was made this moment is known at its first use.
  expect(store.holderOf(secret)).toMatchObject({
    kind: 'known',
    course: { id: 'demo', level: 'outcomes', version: 1 }
  });
  const { key, secret: further } = await addKey(file, 'demo', {
    label: 'Colab'
  });
  expect(store.holderOf(further)).toMatchObject({
    kind: 'known',
    key: { label: 'Colab' }
  });
  await revokeKey(file, key.id);
  await waitFor(
    'the key is refused',
    () => store.holderOf(further).kind === 'revoked'
  );
  expect(store.holderOf(secret).kind).toBe('known');
  await setCourse(file, 'demo', { level: 'code', notice: { contact: 'Ada' } });
  await waitFor(
    'the level is known',
    () => store.course('demo')?.level === 'code'
  );
  expect(store.course('demo')).toMatchObject({
    version: 2,
    notice: { receiver: 'Demo', retention_days: 365, contact: 'Ada' }
  });
  expect(store.holderOf('nonsense').kind).toBe('unknown');
  expect(store.holderOf(mintKey()).kind).toBe('unknown');
});

it('a file that breaks, or is gone, leaves the last good courses in force', async () => {
  const { secret } = await addCourse(file, 'demo', { title: 'Demo' });
  const store = open();
  await writeFile(file, '{ broken');
  await waitFor('it is told', () => {
    store.all();
    return problems.length === 1;
  });
  expect(store.holderOf(secret).kind).toBe('known');
  await unlink(file);
  await waitFor('it is told', () => {
    store.all();
    return problems.length === 2;
  });
  expect(store.holderOf(secret).kind).toBe('known');
  expect(problems[0]).toContain('expected JSON');
  expect(problems[1]).toContain('is gone');
});

it.each([
  ['no JSON', 'x', 'expected JSON'],
  ['something else', '[]', 'expected {"courses"'],
  [
    'pseudonyms without a key for them',
    JSON.stringify({
      courses: [
        {
          id: 'a',
          title: 'A',
          level: 'code',
          consent: 'notice',
          identity: 'pseudonyms'
        }
      ],
      keys: []
    }),
    'pseudonym: expected the id of a key'
  ],
  ...(
    [
      [
        'an event that is none',
        { events: ['cell', 'keys'] },
        'events: expected'
      ],
      ['an event twice', { events: ['cell', 'cell'] }, 'events: expected'],
      ['no event', { events: [] }, 'events: expected'],
      ['events that are text', { events: 'all' }, 'events: expected'],
      ['a notice of version 0', { notice: { version: 0 } }, 'notice: expected'],
      ['a notice of numbers', { notice: { text: 7 } }, 'notice: expected'],
      ['an empty notice', { notice: { text: ' ' } }, 'notice.text: expected']
    ] as const
  ).map(([what, settings, said]): [string, string, string] => {
    const course = { ...OLD, ...settings, notice: OLD.notice };
    const notice = 'notice' in settings ? settings.notice : {};
    Object.assign(course, { notice: { ...OLD.notice, ...notice } });
    return [what, JSON.stringify({ courses: [course], keys: [] }), said];
  }),
  [
    'a key without its hash',
    JSON.stringify({ courses: [], keys: [{ id: 'k', course: 'a' }] }),
    'expected id, course and sha256'
  ]
])('a file with %s is refused at the start', async (_what, text, said) => {
  await writeFile(file, text);
  expect(open).toThrow(CourseFileError);
  expect(open).toThrow(said);
});

it('a course of the first version collects the default, and its notice is the first', async () => {
  await writeFile(file, JSON.stringify({ courses: [OLD], keys: [] }));
  const settings = publicSettings(open().course('old')!);
  expect(settings.events).toEqual([
    'start',
    'end',
    'cell',
    'test',
    'notebook',
    'kernel',
    'focus'
  ]);
  expect(settings.notice).toMatchObject({ version: 1, text: null });
  const same = await setCourse(file, 'old', { events: 'default' });
  expect(same).toMatchObject({ version: 5, notice: { version: 1 } });
  const more = await setCourse(file, 'old', { events: '+edit' });
  expect(more).toMatchObject({ version: 6, notice: { version: 2 } });
});

describe('the version of the notice', () => {
  const own = { host: 'https://eu.i.posthog.com', apiKeyEnv: 'DEMO_KEY' };
  const after = async (
    changes: CourseChanges,
    from: CourseChanges = {}
  ): Promise<Course['notice']['version']> => {
    await addCourse(file, 'demo', { title: 'Demo', ...from });
    const { version, notice } = await setCourse(file, 'demo', changes);
    expect(version).toBe(2);
    return notice.version;
  };

  it.each<[string, CourseChanges]>([
    ['level', { level: 'code' }],
    ['events', { events: '-focus' }],
    ['consent', { consent: 'opt-in' }],
    ['receiver', { notice: { receiver: 'The school' } }],
    ['retention', { notice: { retention_days: 30 } }],
    ['retention without end', { notice: { retention_days: null } }],
    ['contact', { notice: { contact: 'Ada' } }],
    ['text', { notice: { text: 'Ask us.' } }],
    ['PostHog left out', { posthog: 'off' }],
    ['a PostHog of its own', { posthog: own }]
  ])('grows with another %s', async (_what, changes) => {
    expect(await after(changes)).toBe(2);
  });

  it.each<[string, CourseChanges, CourseChanges]>([
    ['title', { title: 'Another' }, {}],
    ['whether it is simulated', { simulated: true }, {}],
    [
      'key of the same PostHog',
      { posthog: { ...own, apiKeyEnv: 'B' } },
      { posthog: own }
    ],
    ['spelling of the same events', { events: 'focus,default' }, {}],
    ['word for what it was', { level: 'outcomes', posthog: 'relay' }, {}]
  ])('stays with another %s', async (_what, changes, from) => {
    expect(await after(changes, from)).toBe(1);
  });

  it('never goes back', async () => {
    expect(await after({ level: 'code' })).toBe(2);
    const back = await setCourse(file, 'demo', { level: 'outcomes' });
    expect(back.notice.version).toBe(3);
  });
});

it('a course that kept names earlier is known to have, also with a later key', async () => {
  const identity = 'pseudonyms';
  await addCourse(file, 'always', {
    title: 'Always',
    identity,
    pseudonym: { keyId: 'a' }
  });
  await addCourse(file, 'later', { title: 'Later' });
  await setCourse(file, 'later', { identity, pseudonym: { keyId: 'a' } });
  for (const id of ['always', 'later']) {
    await setCourse(file, id, { pseudonym: { keyId: 'b' } });
  }
  expect(open().course('always')!.pseudonym).toEqual({ keyId: 'b' });
  expect(open().course('later')!.pseudonym).toEqual({
    keyId: 'b',
    namesBefore: true
  });
});

it('changes made at the same time are all there in the end', async () => {
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      addCourse(file, `course-${i}`, { title: `Course ${i}` })
    )
  );
  expect(open().all()).toHaveLength(8);
});

it.each<[string, () => Promise<unknown>, string]>([
  [
    'a course twice',
    () => addCourse(file, 'demo', { title: 'Again' }),
    'course set demo'
  ],
  [
    'an id that cannot stand in an address',
    () => addCourse(file, 'My Course', { title: 'x' }),
    'id: expected lower-case'
  ],
  [
    'pseudonyms without a key for them',
    () => setCourse(file, 'demo', { identity: 'pseudonyms' }),
    'pseudonym: expected the id of a key'
  ],
  [
    'a level that is none',
    () => setCourse(file, 'demo', { level: 'all' as 'full' }),
    'level: expected outcomes, code, full, got "all"'
  ],
  [
    'a retention that is no number',
    () => setCourse(file, 'demo', { notice: { retention_days: NaN } }),
    'notice: expected'
  ],
  [
    'a course that is not there',
    () => addKey(file, 'zebra'),
    'There are: demo'
  ],
  ['a key that is not there', () => revokeKey(file, 'k_zebra'), 'key list']
])('refuses %s and says what to do', async (_what, change, said) => {
  await addCourse(file, 'demo', { title: 'Demo' });
  const before = await readFile(file, 'utf8');
  await expect(change()).rejects.toThrow(CourseError);
  await expect(change()).rejects.toThrow(said);
  expect(await readFile(file, 'utf8')).toBe(before);
});

it('a folder that cannot be written to is said so', async () => {
  if (process.getuid?.() === 0) {
    await writeFile(join(folder, 'file'), '');
    file = join(folder, 'file', 'courses.json');
  } else {
    await chmod(folder, 0o500);
  }
  await expect(addCourse(file, 'demo', { title: 'x' })).rejects.toThrow(
    /EACCES|ENOTDIR/
  );
});
