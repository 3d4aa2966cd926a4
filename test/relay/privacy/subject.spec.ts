/** Whose an event is: nobody gets or deletes what is another student's. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newCourse } from '../../../src/relay/courses/courseFile.js';
import {
  ensureCourseKey,
  readSecrets
} from '../../../src/relay/privacy/secrets.js';
import {
  isTheirLetter,
  subjectOf
} from '../../../src/relay/privacy/subject.js';

const matches = (id: unknown): boolean => id === 'student' || id === 'hint';

it.each([
  ['distinct_id', { distinct_id: 'student' }],
  ['$distinct_id', { $distinct_id: 'student' }],
  ['a list as distinct_id', { distinct_id: ['student'] }],
  ['student', { properties: { student: 'student' } }],
  ['distinct_id among the properties', { properties: { distinct_id: 'hint' } }],
  ["student of a sink's letter", { event: 'cell', student: 'student' }]
])('a letter is whose %s says', (_where, event) => {
  expect(isTheirLetter(event, matches)).toBe(true);
});

it.each([
  ['the name of a member', { properties: { student: 'BOB', hint: 1 } }],
  ['the name of the event', { event: 'hint', distinct_id: 'BOB' }],
  ['another property', { distinct_id: 'BOB', properties: { word: 'hint' } }],
  [
    'a nested value',
    { properties: { student: 'BOB', a: { student: 'hint' } } }
  ],
  ['no event', 'student'],
  ['a list', ['student']]
])("%s makes it nobody's", (_where, event) => {
  expect(isTheirLetter(event, matches)).toBe(false);
});

describe('a verified name', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'subject-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('means no other spelling, and no student whose pseudonym looks like it', async () => {
    const file = join(folder, 'pseudonyms.json');
    const keyId = await ensureCourseKey(file, 'secret');
    const secrets = readSecrets(file);
    const course = {
      ...newCourse('secret', 'Secret'),
      identity: 'pseudonyms' as const,
      pseudonym: { keyId }
    };
    const ada = secrets.pseudonym('secret', keyId, 'ADA-LOVELACE')!;
    const near = subjectOf(course, 'ada-lovelace2', secrets, true);
    expect([...near.ids]).toEqual([
      'ada-lovelace2',
      secrets.pseudonym('secret', keyId, 'ada-lovelace2')
    ]);
    const mean = subjectOf(course, ada, secrets, true);
    expect([...mean.ids]).toEqual([secrets.pseudonym('secret', keyId, ada)]);
    // For the operator it is the pseudonym.
    expect([...subjectOf(course, ada, secrets).ids]).toEqual([ada]);
  });
});
