/** What a Hub's users may do here, by the groups that courses name. */
import { describe, expect, it } from '@jest/globals';
import {
  groupsNeeded,
  hubPrincipal,
  isCourseHubGroups,
  readAssistantGroups,
  readInstructorGroups
} from '../../../src/relay/hub/roles.js';

const COURSES = [
  {
    id: 'a',
    hub: {
      instructors: ['staff', 'a-teachers'],
      assistants: [{ group: 'a-tutors', section: 'monday' }, { group: 'both' }]
    }
  },
  {
    id: 'b',
    hub: {
      instructors: ['staff'],
      assistants: [{ group: 'b-tutors', section: 'monday' }]
    }
  },
  { id: 'c' }
];

function inGroups(
  groups: string[],
  { admin = false, adminsOperate = false } = {}
): unknown {
  const user = { name: 'ada', groups, admin };
  const principal = hubPrincipal(user, { courses: COURSES, adminsOperate });
  if (principal === null) {
    return null;
  }
  expect(principal).toMatchObject({ id: 'hub:ada', via: 'hub' });
  const { role, courses, section } = principal;
  return [role, courses, ...(section === undefined ? [] : [section])];
}

describe('a user of the Hub', () => {
  it.each([
    [['staff'], ['instructor', ['a', 'b']]],
    [['a-teachers'], ['instructor', ['a']]],
    // One role: the higher one, and with it only its courses.
    [
      ['a-teachers', 'b-tutors'],
      ['instructor', ['a']]
    ],
    [['a-tutors'], ['assistant', ['a'], 'monday']],
    [
      ['a-tutors', 'b-tutors'],
      ['assistant', ['a', 'b'], 'monday']
    ],
    [
      ['both', 'a-tutors', 'b-tutors'],
      ['assistant', ['a']]
    ],
    [[], null],
    [['c', 'STAFF', 'a'], null]
  ])('in %j is %j', (groups, expected) => {
    expect(inGroups(groups)).toEqual(expected);
  });

  it('who administers the Hub is an operator only where the relay is told so', () => {
    expect(inGroups([], { admin: true })).toBeNull();
    expect(inGroups([], { adminsOperate: true })).toBeNull();
    expect(inGroups([], { admin: true, adminsOperate: true })).toEqual([
      'operator',
      'all'
    ]);
  });
});

describe('the groups that would do', () => {
  it('are those of the course that was asked for, or of the only one', () => {
    expect(groupsNeeded(COURSES, 'b')).toEqual(['staff', 'b-tutors']);
    expect(groupsNeeded(COURSES, undefined)).toEqual([]);
    expect(groupsNeeded(COURSES, 'c')).toEqual([]);
    expect(groupsNeeded(COURSES.slice(1), undefined)).toEqual([
      'staff',
      'b-tutors'
    ]);
  });
});

describe('lists of groups', () => {
  it('are read as people write them', () => {
    expect(readInstructorGroups(' staff , a:b,,')).toEqual(['staff', 'a:b']);
    expect(readInstructorGroups('none')).toEqual([]);
    expect(readAssistantGroups('x, y:1, :z, w:')).toEqual([
      { group: 'x' },
      { group: 'y', section: '1' },
      { group: ':z' },
      { group: 'w:' }
    ]);
  });

  it.each([
    null,
    'staff',
    { instructors: 'staff' },
    { assistants: ['x'] },
    { instructors: [''] }
  ])('are refused in courses.json as %j', value => {
    expect(isCourseHubGroups(value)).toBe(false);
  });

  it('are taken as they are written there', () => {
    expect(isCourseHubGroups({})).toBe(true);
    expect(isCourseHubGroups(COURSES[0]!.hub)).toBe(true);
  });
});
