/** A course, its policy and decisions on it, for tests. */
import type { TranslationBundle } from '@jupyterlab/translation';
import { SELECTABLE_EVENTS } from '../../src/events/collection.js';
import type { CourseSettings } from '../../src/events/types.js';
import type { Course, Decision } from '../../src/lab/courseAnswer.js';

/** Puts the arguments in, as Jupyter's own bundle does. */
export const trans = {
  __: (text: string, ...args: unknown[]) =>
    text.replace(/%(\d)/g, (_, i: string) => String(args[Number(i) - 1]))
} as TranslationBundle;

export const SETTINGS: CourseSettings = {
  course: 'demo',
  title: 'Intro to Python',
  version: 1,
  level: 'code',
  consent: 'notice',
  identity: 'names',
  events: [...SELECTABLE_EVENTS],
  notice: {
    version: 2,
    receiver: 'Example University',
    retention_days: 365,
    contact: 'help@example.org',
    text: null
  }
};

/** The course with other settings or another policy. */
export function course(
  settings: Partial<CourseSettings> = {},
  policy: Partial<Course['policy']> = {}
): Course {
  return {
    settings: { ...SETTINGS, ...settings },
    policy: { mandatory: false, record: 'marked', ...policy },
    hubUser: null
  };
}

/** An agreement to the present notice, or another decision. */
export function decision(change: Partial<Decision> = {}): Decision {
  return {
    decision: 'agreed',
    level: 'code',
    notice_version: 2,
    at: '2026-11-21T09:00:00.000Z',
    paused: false,
    by: 'page',
    ...change
  };
}
