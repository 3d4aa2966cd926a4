/** Changes of courses and keys, as the command line makes them; safe beside a running relay and each other. */
import { updateJson } from '../files.js';
import {
  eventsOf,
  newCourse,
  parseCourseFile,
  problemOf,
  toldOf,
  type Course,
  type CourseFile,
  type CoursePostHog,
  type CourseKey
} from './courseFile.js';
import { readAssistantGroups, readInstructorGroups } from '../hub/roles.js';
import { readEventList } from './eventList.js';
import { hashSecret, mintKey, mintKeyId, type KeyKind } from './keys.js';
import { readProperties } from './propertyList.js';

/** Raised for a change that cannot be made; the message says what to do instead. */
export class CourseError extends Error {
  constructor(
    readonly code: 'exists' | 'unknown' | 'invalid' | 'revoked',
    message: string
  ) {
    super(message);
    this.name = 'CourseError';
  }
}

/** Settings that can be given for a course. */
export type CourseChanges = Partial<
  Pick<
    Course,
    | 'title'
    | 'level'
    | 'consent'
    | 'students'
    | 'ack'
    | 'simulated'
    | 'places'
    | 'pseudonym'
    | 'persons'
  >
> & {
  /** `relay`: the relay's own project, as without this setting. */
  posthog?: CoursePostHog | 'relay' | undefined;
  /** `any`: pages of every origin may send, as without this setting. */
  origins?: string[] | 'any';
  /** As `readInstructorGroups` and `readAssistantGroups` take them. */
  hubInstructors?: string;
  hubAssistants?: string;
  /** `pseudonyms` needs `pseudonym`, too. */
  identity?: string;
  /** As `readEventList` takes it. */
  events?: string;
  /** As `readProperties` takes it. */
  properties?: string;
  notice?: Partial<Omit<Course['notice'], 'version'>>;
};

/** A key that was just made; `secret` is nowhere else. */
export interface MadeKey {
  key: CourseKey;
  secret: string;
}

/** Adds a course with its first key. */
export async function addCourse(
  file: string,
  id: string,
  changes: CourseChanges & { title: string }
): Promise<{ course: Course } & MadeKey> {
  const course = applied(newCourse(id, changes.title), {
    ...changes,
    notice: { receiver: changes.title, ...changes.notice }
  });
  const made = makeKey(id);
  await edit(file, content => {
    if (content.courses.some(other => other.id === id)) {
      throw new CourseError(
        'exists',
        `there is a course "${id}" already. Change it with \`course set ${id}\`, or make a further key with \`key add ${id}\`.`
      );
    }
    content.courses.push(course);
    content.keys.push(made.key);
  });
  return { course, ...made };
}

/**
 * Changes a course's settings. A changed version tells clients to take them over; the notice's
 * version grows with them where it tells students something else now.
 */
export async function setCourse(
  file: string,
  id: string,
  changes: CourseChanges
): Promise<Course> {
  let course: Course | undefined;
  await edit(file, content => {
    const index = content.courses.findIndex(other => other.id === id);
    const old = content.courses[index];
    if (!old) {
      throw unknownCourse(id, content);
    }
    const next = applied(old, changes);
    if (
      next.pseudonym &&
      (old.identity === 'names' || old.pseudonym?.namesBefore)
    ) {
      next.pseudonym = { ...next.pseudonym, namesBefore: true };
    }
    const { version = 1 } = old.notice;
    course = {
      ...next,
      notice: {
        ...next.notice,
        version: toldOf(next) === toldOf(old) ? version : version + 1
      },
      version: old.version + 1
    };
    content.courses[index] = course;
  });
  return course!;
}

/**
 * Says who belongs to a section; nobody takes the section away.
 *
 * @param students as events name them.
 */
export async function setSection(
  file: string,
  id: string,
  section: string,
  students: readonly string[]
): Promise<void> {
  await edit(file, content => {
    const course = content.courses.find(other => other.id === id);
    if (!course) {
      throw unknownCourse(id, content);
    }
    const { [section]: _old, ...others } = course.sections ?? {};
    course.sections =
      students.length === 0
        ? others
        : { ...others, [section]: [...new Set(students)] };
  });
}

/** What can be said of a new key. */
export interface KeyChoices {
  /** What it is for; `write` by default. */
  kind?: KeyKind | undefined;
  label?: string | undefined;
  /** The section whose students an assistant's key shows. */
  section?: string | undefined;
  /** Days for which it is valid; for ever by default. */
  days?: number | undefined;
}

/**
 * Makes a further key for a course.
 *
 * @throws CourseError if there is no such course, or the choices do not go together.
 */
export async function addKey(
  file: string,
  course: string,
  choices: KeyChoices = {}
): Promise<MadeKey> {
  const made = makeKey(course, choices);
  await edit(file, content => {
    if (!content.courses.some(other => other.id === course)) {
      throw unknownCourse(course, content);
    }
    content.keys.push(made.key);
  });
  return made;
}

/** Takes a key's rights, by its id. */
export async function revokeKey(file: string, id: string): Promise<CourseKey> {
  let revoked: CourseKey | undefined;
  await edit(file, content => {
    revoked = content.keys.find(key => key.id === id);
    if (!revoked) {
      throw new CourseError(
        'unknown',
        `expected the id of a key, got "${id}". \`key list\` shows them.`
      );
    }
    if (revoked.revoked !== undefined) {
      throw new CourseError(
        'revoked',
        `key ${id} was revoked already, at ${revoked.revoked}.`
      );
    }
    revoked.revoked = new Date().toISOString();
  });
  return revoked!;
}

/** Takes a student out of all sections of a course. */
export function dropFromSections(
  file: string,
  id: string,
  isTheirs: (student: string) => boolean
): Promise<void> {
  return edit(file, content => {
    const course = content.courses.find(other => other.id === id);
    for (const [name, students] of Object.entries(course?.sections ?? {})) {
      course!.sections![name] = students.filter(one => !isTheirs(one));
    }
  });
}

function edit(
  file: string,
  change: (content: CourseFile) => void
): Promise<void> {
  return updateJson(
    file,
    text => parseCourseFile(text, file),
    content => {
      change(content);
      return content;
    }
  );
}

function applied(course: Course, changes: CourseChanges): Course {
  const { notice, events, properties, hubInstructors, hubAssistants, ...rest } =
    changes;
  const hub = {
    ...course.hub,
    ...(hubInstructors === undefined
      ? {}
      : { instructors: readInstructorGroups(hubInstructors) }),
    ...(hubAssistants === undefined
      ? {}
      : { assistants: readAssistantGroups(hubAssistants) })
  };
  const given = Object.fromEntries(
    Object.entries(rest).filter(([, value]) => value !== undefined)
  );
  const next = {
    ...course,
    ...given,
    ...(events === undefined
      ? {}
      : { events: read(() => readEventList(events, eventsOf(course))) }),
    ...(properties === undefined
      ? {}
      : { properties: read(() => readProperties(properties)) }),
    ...(Object.keys(hub).length > 0 ? { hub } : {}),
    notice: { ...course.notice, ...notice }
  } as Course;
  if (changes.posthog === 'relay') {
    delete next.posthog;
  }
  if (changes.origins === 'any') {
    delete next.origins;
  }
  const problem = problemOf(next);
  if (problem) {
    throw new CourseError('invalid', `${problem}.`);
  }
  return next;
}

function read<T>(list: () => T): T {
  try {
    return list();
  } catch (error) {
    throw new CourseError('invalid', `${(error as RangeError).message}.`);
  }
}

function makeKey(course: string, choices: KeyChoices = {}): MadeKey {
  const { kind = 'write', label, section, days } = choices;
  if (section !== undefined && kind !== 'assistant') {
    throw new CourseError(
      'invalid',
      `section: expected for an assistant's key alone, got it for one of kind ${kind}.`
    );
  }
  const secret = mintKey(kind);
  const now = Date.now();
  return {
    secret,
    key: {
      id: mintKeyId(),
      kind,
      sha256: hashSecret(secret),
      course,
      created: new Date(now).toISOString(),
      ...(days === undefined
        ? {}
        : { expires: new Date(now + days * 86_400_000).toISOString() }),
      ...(section === undefined ? {} : { section }),
      ...(label === undefined ? {} : { label })
    }
  };
}

function unknownCourse(id: string, content: CourseFile): CourseError {
  const known = content.courses.map(course => course.id).join(', ');
  return new CourseError(
    'unknown',
    known === ''
      ? `there is no course "${id}", nor any other. Add it with \`course add ${id} --title "…"\`.`
      : `there is no course "${id}". There are: ${known}.`
  );
}
