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
import { CourseFileError } from '../../../src/relay/courses/courseFile.js';
import {
  openCourseStore,
  type CourseStore
} from '../../../src/relay/courses/courseStore.js';
import {
  addCourse,
  addKey,
  CourseError,
  revokeKey,
  setCourse
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
  const { key, secret: further } = await addKey(file, 'demo', 'Colab');
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
    'pseudonyms, which this version cannot make',
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
    'does not pretend to'
  ],
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
    'pseudonyms',
    () => setCourse(file, 'demo', { identity: 'pseudonyms' }),
    'does not pretend to'
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
