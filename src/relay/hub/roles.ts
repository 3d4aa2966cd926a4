/** What a Hub's users may do here: by the groups that courses name. */
import type { Principal } from '../auth/principal.js';
import type { Course } from '../courses/courseFile.js';
import type { HubUser } from './hubApi.js';

/** Groups of the Hub that a course gives a role. */
export interface CourseHubGroups {
  instructors?: readonly string[];
  assistants?: readonly { group: string; section?: string }[];
}

/** What the roles depend on beside the user. */
export interface HubRoleRules {
  courses: readonly Pick<Course, 'id' | 'hub'>[];
  /** Whether the Hub's administrators are operators here. */
  adminsOperate: boolean;
}

/**
 * Who a Hub's user is here; null for who may see nothing. A principal has one role: an instructor
 * of some courses enters those, and not others of which they are an assistant; an assistant of
 * several sections enters the courses of the first.
 */
export function hubPrincipal(
  user: Pick<HubUser, 'name' | 'groups' | 'admin'>,
  { courses, adminsOperate }: HubRoleRules
): Principal | null {
  const { name, groups, admin } = user;
  const common = {
    id: `hub:${name}`,
    via: 'hub' as const,
    hub: { groups: [...groups], admin }
  };
  if (admin && adminsOperate) {
    return { ...common, role: 'operator', courses: 'all' };
  }
  const taught = courses.filter(({ hub }) =>
    hub?.instructors?.some(group => groups.includes(group))
  );
  if (taught.length > 0) {
    return { ...common, role: 'instructor', courses: taught.map(idOf) };
  }
  const assisted = courses.flatMap(({ id, hub }) =>
    (hub?.assistants ?? [])
      .filter(({ group }) => groups.includes(group))
      .map(({ section }) => ({ id, section }))
  );
  // Who assists a whole course is not narrowed to a section of another one.
  const first = assisted.find(one => one.section === undefined) ?? assisted[0];
  if (!first) {
    return null;
  }
  const { section } = first;
  const entered = assisted.filter(one => one.section === section).map(idOf);
  return {
    ...common,
    role: 'assistant',
    courses: [...new Set(entered)],
    ...(section === undefined ? {} : { section })
  };
}

/** The groups that would let somebody in: those of one course, or of the only one that names any. */
export function groupsNeeded(
  courses: readonly Pick<Course, 'id' | 'hub'>[],
  course: string | undefined
): string[] {
  const naming = courses.filter(({ hub }) => allGroups(hub).length > 0);
  const meant = naming.find(({ id }) => id === course);
  const only = naming.length === 1 ? naming[0] : undefined;
  return [...new Set(allGroups((meant ?? only)?.hub))];
}

function allGroups(hub: CourseHubGroups | undefined): string[] {
  return [
    ...(hub?.instructors ?? []),
    ...(hub?.assistants ?? []).map(({ group }) => group)
  ];
}

function idOf({ id }: { id: string }): string {
  return id;
}

/** Reads `GROUP,GROUP`; an empty list for `none`. */
export function readInstructorGroups(list: string): string[] {
  return namesIn(list);
}

/** Reads `GROUP[:SECTION],…`; an empty list for `none`. */
export function readAssistantGroups(
  list: string
): { group: string; section?: string }[] {
  return namesIn(list).map(name => {
    const at = name.lastIndexOf(':');
    return at < 1 || at === name.length - 1
      ? { group: name }
      : { group: name.slice(0, at), section: name.slice(at + 1) };
  });
}

function namesIn(list: string): string[] {
  return list.trim() === 'none'
    ? []
    : list
        .split(',')
        .map(name => name.trim())
        .filter(name => name !== '');
}

/** Whether a value of courses.json is what a course may say of the Hub's groups. */
export function isCourseHubGroups(value: unknown): value is CourseHubGroups {
  const { instructors = [], assistants = [] } = (value ?? {}) as Record<
    string,
    unknown
  >;
  const isName = (name: unknown): boolean =>
    typeof name === 'string' && name !== '';
  return (
    typeof value === 'object' &&
    value !== null &&
    Array.isArray(instructors) &&
    instructors.every(isName) &&
    Array.isArray(assistants) &&
    assistants.every(
      (one: { group?: unknown; section?: unknown } | null) =>
        isName(one?.group) &&
        (one?.section === undefined || isName(one.section))
    )
  );
}
