/** What the Jupyter server says of the course, its policy and the student's decision. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { DEFAULT_EVENTS, SELECTABLE_EVENTS } from '../events/collection.js';
import type { CourseSettings, PrivacyLevel } from '../events/types.js';
import {
  bag,
  later,
  nobodyCollects,
  text,
  type Answer,
  type Off,
  type Retry
} from './outcomes.js';

/** What the server's operator decides, and no student overrides. */
export interface Policy {
  /** In a course that only informs, students can neither decline nor pause. */
  mandatory: boolean;
  /** Which notebooks without a kernel package are recorded. */
  record: 'marked' | 'all';
}

/** The course as it holds for this page: the server has merged its policy into the settings. */
export interface Course {
  settings: CourseSettings;
  policy: Policy;
  /** The student, where JupyterHub verified them. */
  hubUser: string | null;
}

/** A student's decision on one course, as page and kernel share it. */
export interface Decision {
  decision: 'agreed' | 'declined';
  level: PrivacyLevel;
  /** Version of the notice that was answered. */
  notice_version: number;
  /** ISO 8601. */
  at: string;
  /** Nothing is made or sent for now; what happens meanwhile is not kept. */
  paused: boolean;
  by: 'page' | 'kernel';
  /** The student was told and chose nothing: no agreement for a course that asks. */
  told?: boolean;
}

/** What asking for the course gave. */
export type CourseAnswer =
  | { kind: 'course'; course: Course; etag: string | null }
  /** As it was at the last answer. */
  | { kind: 'unchanged' }
  | Off
  | Retry;

/** What asking for, or keeping, the student's decision gave. */
export type ConsentAnswer =
  | {
      kind: 'consent';
      /** Remembered name of the student. */
      student: string | null;
      record: Decision | null;
      /** The student had everything deleted, and has not decided since. */
      forgotten?: boolean;
    }
  | Off
  | Retry;

/** From the least to the most. */
export const LEVELS: readonly PrivacyLevel[] = ['outcomes', 'code', 'full'];

/** Reads the answer to the question for the course's settings. */
export function readCourseAnswer(answer: Answer): CourseAnswer {
  if (answer.status === 304) {
    return { kind: 'unchanged' };
  }
  const off = nobodyCollects(answer);
  if (off !== null) {
    return { kind: 'off', reason: off };
  }
  if (answer.status !== 200) {
    // Also 401: a relay that does not know the key now may know it later.
    return later(answer);
  }
  const body = bag(answer.body);
  const policy = bag(body['policy']);
  return {
    kind: 'course',
    course: {
      settings: readSettings(body),
      policy: {
        mandatory: policy['mandatory'] === true,
        record: policy['record'] === 'all' ? 'all' : 'marked'
      },
      hubUser: text(body['hub_user'])
    },
    etag: answer.etag ?? null
  };
}

/** Reads what the server keeps of the student's decision. */
export function readConsentAnswer(answer: Answer): ConsentAnswer {
  const off = nobodyCollects(answer);
  if (off !== null) {
    return { kind: 'off', reason: off };
  }
  if (answer.status !== 200) {
    return later(answer);
  }
  const body = bag(answer.body);
  return {
    kind: 'consent',
    student: text(body['student']) || null,
    record: readDecision(body['record']),
    ...(body['forgotten'] === true ? { forgotten: true } : {})
  };
}

/** What is not understood collects the least, and asks. */
function readSettings(body: Record<string, unknown>): CourseSettings {
  const notice = bag(body['notice']);
  const events: readonly unknown[] = Array.isArray(body['events'])
    ? body['events']
    : DEFAULT_EVENTS;
  return {
    course: text(body['course']) ?? '',
    title: text(body['title']) ?? '',
    version: number(body['version']) ?? 0,
    level: readLevel(body['level']),
    consent: body['consent'] === 'notice' ? 'notice' : 'opt-in',
    identity: body['identity'] === 'pseudonyms' ? 'pseudonyms' : 'names',
    events: SELECTABLE_EVENTS.filter(name => events.includes(name)),
    notice: {
      version: number(notice['version']) ?? 1,
      receiver: text(notice['receiver']) ?? '',
      retention_days: number(notice['retention_days']),
      contact: text(notice['contact']),
      text: text(notice['text'])
    }
  };
}

/** What to call the course. */
export function courseName(course: Course, trans: TranslationBundle): string {
  return (
    course.settings.title || course.settings.course || trans.__('A course')
  );
}

/** A decision as it is kept; null for what is none. */
export function readDecision(value: unknown): Decision | null {
  const record = bag(value);
  const { decision } = record;
  if (decision !== 'agreed' && decision !== 'declined') {
    return null;
  }
  return {
    decision,
    level: readLevel(record['level']),
    notice_version: number(record['notice_version']) ?? 0,
    at: text(record['at']) ?? '',
    paused: record['paused'] === true,
    by: record['by'] === 'kernel' ? 'kernel' : 'page',
    ...(record['told'] === true ? { told: true } : {})
  };
}

function readLevel(value: unknown): PrivacyLevel {
  return LEVELS.find(level => level === value) ?? 'outcomes';
}

function number(value: unknown): number | null {
  return typeof value === 'number' ? value : null;
}
