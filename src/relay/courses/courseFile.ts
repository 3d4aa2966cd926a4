/** The content of courses.json: courses, their settings, and the keys that write into them. */
import {
  DEFAULT_EVENTS,
  type CourseSettings,
  type EventName,
  type PrivacyLevel
} from '../../events/index.js';
import { isCourseHubGroups, type CourseHubGroups } from '../hub/roles.js';
import { destination } from '../config/kinds.js';
import { ACKS, againstDurable } from './acknowledgement.js';
import { EXPECTED_EVENTS, isEventList } from './eventList.js';
import { KEY_KINDS, type KeyKind } from './keys.js';
import { EXPECTED_PROPERTIES, isPropertySetting } from './propertyList.js';

/** Where a course's events go on to; `off`: to no PostHog at all. */
export type CoursePostHog =
  | 'off'
  | {
      host: string;
      /** The project's key, or … */
      apiKey?: string;
      /** … the name of the variable that holds it. */
      apiKeyEnv?: string;
    };

/** Which properties are kept: by the level, all, or besides the contract's only these. */
export type PropertiesSetting = 'default' | 'all' | readonly string[];

/** A course as it is kept. */
export interface Course {
  id: string;
  title: string;
  level: PrivacyLevel;
  consent: CourseSettings['consent'];
  identity: CourseSettings['identity'];
  /** The key of its pseudonyms, which is kept apart. */
  pseudonym?: {
    keyId: string;
    /** Whether it kept names earlier: what it sent then is known by them. */
    namesBefore?: boolean;
  };
  /** What it collects; the default in files of earlier versions, which do not say. */
  events?: EventName[];
  /** Which properties of events are kept; `default` in files of earlier versions, which do not say. */
  properties?: PropertiesSetting;
  notice: Pick<
    CourseSettings['notice'],
    'receiver' | 'retention_days' | 'contact'
  > &
    Partial<Pick<CourseSettings['notice'], 'version' | 'text'>>;
  /**
   * Whether students are who they say (`claimed`, the default), or only who the Hub says
   * (`verified`): a batch that nobody vouches for is refused then.
   */
  students?: (typeof STUDENTS)[number];
  /** What a 200 says: `validated` (the default), or `durable`: the bytes are on disk and judged afterwards. */
  ack?: (typeof ACKS)[number];
  /** Groups of the Hub whose members may see the course. */
  hub?: CourseHubGroups;
  /** Own destination; without it the relay's. */
  posthog?: CoursePostHog;
  /** Students of each section, as events name them. */
  sections?: Record<string, string[]>;
  /** Origins of the pages that may send, in lower case; all where there is no such list. */
  origins?: string[];
  /** How the relay may delete persons from its PostHog: the project's id, and the variable that holds a personal key. */
  persons?: { project: string; personalKeyEnv: string };
  /** Counts the changes of the settings. */
  version: number;
  /** Its events are made up. They go to PostHog only where the course names one. */
  simulated?: boolean;
  /** Whether PostHog may get an `$ip` that a client set, and look up the place. */
  places?: boolean;
}

/** A key as it is kept: never in plain text. */
export interface CourseKey {
  id: string;
  kind: KeyKind;
  sha256: string;
  course: string;
  /** ISO 8601 UTC, as the next two. */
  created: string;
  expires?: string;
  revoked?: string;
  /** Whose students an assistant's key shows. */
  section?: string;
  label?: string;
}

/** All of the file. Members that a later version added are kept when it is written again. */
export interface CourseFile {
  courses: Course[];
  keys: CourseKey[];
}

/** Raised for a courses.json that cannot be used; says where and why. */
export class CourseFileError extends Error {
  readonly code = 'bad_courses_file';

  constructor(file: string, problem: string) {
    super(`${file}: ${problem}`);
    this.name = 'CourseFileError';
  }
}

/** Ids appear in addresses and file names. */
export const COURSE_ID = /^[a-z0-9][a-z0-9._-]{0,63}$/;
export const LEVELS = ['outcomes', 'code', 'full'] as const;
export const STUDENTS = ['claimed', 'verified'] as const;
export const IDENTITIES = ['names', 'pseudonyms'] as const;
export const CONSENTS = ['notice', 'opt-in'] as const;
/** Longest text of a notice, in characters. */
export const MAX_NOTICE_CHARS = 2000;

/** A new course with the defaults of every setting. */
export function newCourse(id: string, title: string): Course {
  return {
    id,
    title,
    level: 'outcomes',
    consent: 'notice',
    identity: 'names',
    // Written down: a later version's default is not what these students were told.
    events: [...DEFAULT_EVENTS],
    notice: {
      version: 1,
      receiver: title,
      retention_days: 365,
      contact: null,
      text: null
    },
    version: 1
  };
}

/** The events of the contract that a course collects. */
export function eventsOf(course: Course): readonly EventName[] {
  return course.events ?? DEFAULT_EVENTS;
}

/**
 * What a notice tells students, as text to compare: two courses with the same text tell them the
 * same. Where events go to counts by the PostHog's address, not by its key.
 */
export function toldOf(course: Course): string {
  const { level, consent, identity, notice, posthog } = course;
  const { receiver, retention_days, contact, text = null } = notice;
  const to = typeof posthog === 'object' ? posthog.host : (posthog ?? 'relay');
  return JSON.stringify([
    level,
    consent,
    identity,
    [...eventsOf(course)].sort(),
    receiver,
    retention_days,
    contact,
    text,
    to,
    ...(course.places === true ? ['places'] : [])
  ]);
}

/** The public part of a course's settings. */
export function publicSettings(course: Course): CourseSettings {
  const { id, title, version, level, consent, identity, notice } = course;
  return {
    course: id,
    title,
    version,
    level,
    consent,
    identity,
    events: [...eventsOf(course)],
    notice: {
      version: notice.version ?? 1,
      receiver: notice.receiver,
      retention_days: notice.retention_days,
      contact: notice.contact,
      text: notice.text ?? null
    }
  };
}

/**
 * Reads the file's text; no text means no courses.
 *
 * @throws CourseFileError if it is not what this relay can work with.
 */
export function parseCourseFile(
  text: string | undefined,
  file: string
): CourseFile {
  if (text === undefined) {
    return { courses: [], keys: [] };
  }
  const fail = (problem: string): never => {
    throw new CourseFileError(file, problem);
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return fail('expected JSON, got something else. Restore it from a backup.');
  }
  const { courses, keys } = (value ?? {}) as Partial<CourseFile>;
  if (!Array.isArray(courses) || !Array.isArray(keys)) {
    return fail('expected {"courses": […], "keys": […]}');
  }
  for (const course of courses) {
    const problem = problemOf(course);
    if (problem) {
      fail(`course ${JSON.stringify(course?.id)}: ${problem}`);
    }
  }
  for (const key of keys) {
    if (
      !/^[0-9a-f]{64}$/.test(String(key?.sha256)) ||
      typeof key.course !== 'string' ||
      typeof key.id !== 'string'
    ) {
      fail(`key ${JSON.stringify(key?.id)}: expected id, course and sha256`);
    }
    if (!KEY_KINDS.includes(key.kind)) {
      fail(`key ${key.id}: expected kind ${KEY_KINDS.join(', ')}`);
    }
    if (key.expires !== undefined && Number.isNaN(Date.parse(key.expires))) {
      fail(
        `key ${key.id}: expected expires as a time such as 2026-12-31T00:00:00Z`
      );
    }
  }
  return value as CourseFile;
}

/** What is wrong with a course's settings; null where nothing is. */
export function problemOf(course: Course): string | null {
  const expected = (field: string, what: string, got: unknown): string =>
    `${field}: expected ${what}, got ${JSON.stringify(got)}`;
  if (typeof course.id !== 'string' || !COURSE_ID.test(course.id)) {
    return expected(
      'id',
      'lower-case letters, digits, dot, dash and underscore, 64 at most',
      course.id
    );
  }
  if (typeof course.title !== 'string' || course.title.trim() === '') {
    return expected('title', 'text', course.title);
  }
  if (!LEVELS.includes(course.level)) {
    return expected('level', LEVELS.join(', '), course.level);
  }
  if (!CONSENTS.includes(course.consent)) {
    return expected('consent', CONSENTS.join(', '), course.consent);
  }
  if (!IDENTITIES.includes(course.identity)) {
    return expected('identity', IDENTITIES.join(', '), course.identity);
  }
  if (
    course.identity === 'pseudonyms' &&
    typeof course.pseudonym?.keyId !== 'string'
  ) {
    return expected('pseudonym', 'the id of a key', course.pseudonym);
  }
  if (course.students !== undefined && !STUDENTS.includes(course.students)) {
    return expected('students', STUDENTS.join(', '), course.students);
  }
  if (course.ack !== undefined && !ACKS.includes(course.ack)) {
    return expected('ack', ACKS.join(', '), course.ack);
  }
  const against = course.ack === 'durable' ? againstDurable(course) : [];
  if (against.length > 0) {
    return `ack: expected validated, since the relay has to look into events before it keeps them (${against.join('; ')}), got "durable"`;
  }
  if (course.hub !== undefined && !isCourseHubGroups(course.hub)) {
    return expected('hub', '{instructors: […], assistants: […]}', course.hub);
  }
  if (course.events !== undefined && !isEventList(course.events)) {
    return expected(
      'events',
      `a list out of ${EXPECTED_EVENTS}`,
      course.events
    );
  }
  if (
    course.properties !== undefined &&
    !isPropertySetting(course.properties)
  ) {
    return expected('properties', EXPECTED_PROPERTIES, course.properties);
  }
  const {
    receiver,
    retention_days,
    contact,
    version = 1,
    text = null
  } = course.notice ?? {};
  if (
    typeof receiver !== 'string' ||
    !(retention_days === null || isCount(retention_days)) ||
    !(contact === null || typeof contact === 'string') ||
    !isCount(version) ||
    !(text === null || typeof text === 'string')
  ) {
    return expected(
      'notice',
      '{version, receiver, retention_days, contact, text}',
      course.notice
    );
  }
  if (text !== null && (text.trim() === '' || text.length > MAX_NOTICE_CHARS)) {
    return `notice.text: expected 1 to ${MAX_NOTICE_CHARS} characters, got ${text.length}`;
  }
  if (course.places !== undefined && typeof course.places !== 'boolean') {
    return expected('places', 'true or false', course.places);
  }
  if (course.sections !== undefined && !isSections(course.sections)) {
    return expected('sections', '{"NAME": ["STUDENT", …]}', 'something else');
  }
  if (
    course.origins !== undefined &&
    !(
      Array.isArray(course.origins) &&
      course.origins.length > 0 &&
      course.origins.every(isOrigin)
    )
  ) {
    return expected(
      'origins',
      'origins such as https://hub.example.org, without a path',
      course.origins
    );
  }
  if (!isCount(course.version)) {
    return expected('version', 'a whole number from 1', course.version);
  }
  const { persons } = course;
  if (
    persons !== undefined &&
    !(
      /^[\w@-]{1,64}$/.test(String(persons.project)) &&
      typeof persons.personalKeyEnv === 'string'
    )
  ) {
    return expected('persons', '{project, personalKeyEnv}', persons);
  }
  return problemOfPostHog(course.posthog);
}

const DESTINATION = destination('https://eu.i.posthog.com');

function problemOfPostHog(posthog: unknown): string | null {
  if (posthog === undefined || posthog === 'off') {
    return null;
  }
  const { host, apiKey, apiKeyEnv } = (posthog ?? {}) as Record<
    string,
    unknown
  >;
  if (DESTINATION.read(host) === undefined) {
    return `posthog.host: expected ${DESTINATION.expected}`;
  }
  return (typeof apiKey === 'string') === (typeof apiKeyEnv === 'string')
    ? 'posthog: expected either apiKey or apiKeyEnv'
    : null;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

function isSections(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.values(value).every(
      students =>
        Array.isArray(students) &&
        students.every(student => typeof student === 'string')
    )
  );
}

/** Whether the text is what browsers send as `Origin`; "null" is none, as any page can make itself that. */
function isOrigin(value: unknown): boolean {
  return (
    typeof value === 'string' &&
    value === value.toLowerCase() &&
    /^[a-z][a-z0-9+.-]*:\/\/[^/\s?#@]+$/.test(value) &&
    (!/^https?:/.test(value) ||
      (URL.canParse(value) && new URL(value).origin === value))
  );
}
