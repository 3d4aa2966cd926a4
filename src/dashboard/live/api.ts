/** The few requests the page makes, and what it takes their answers for. */
import type { Change, CourseSummary, Snapshot } from '../../api/index.js';

/** What a request for the courses came to. */
export type CoursesAnswer =
  | { kind: 'ok'; courses: CourseSummary[] }
  | { kind: 'signed-out' }
  | { kind: 'unreachable' };

/** The courses this browser may see. Never rejects. */
export async function fetchCourses(): Promise<CoursesAnswer> {
  try {
    const response = await fetch(apiUrl('courses'), {
      headers: { accept: 'application/json' }
    });
    if (response.status === 401 || response.status === 403) {
      return { kind: 'signed-out' };
    }
    const answer: unknown = response.ok ? await response.json() : null;
    return Array.isArray(answer)
      ? { kind: 'ok', courses: answer.filter(isCourse) }
      : { kind: 'unreachable' };
  } catch {
    return { kind: 'unreachable' };
  }
}

/** Address of the stream of a course. */
export function liveUrl(course: string): string {
  return `${apiUrl('live')}?course=${encodeURIComponent(course)}`;
}

/** A snapshot out of a message's text; null where it is none. */
export function readSnapshot(text: string): Snapshot | null {
  const value = readRows(text);
  return value && typeof value['course'] === 'string'
    ? (value as unknown as Snapshot)
    : null;
}

/** A change out of a message's text; null where it is none. */
export function readChange(text: string): Change | null {
  return readRows(text) as unknown as Change | null;
}

/** The relay's own answers are taken at their word, once they have the right outline. */
function readRows(text: string): Record<string, unknown> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isObject(value) &&
    ['students', 'sessions', 'grid'].every(key => Array.isArray(value[key])) &&
    isObject(value['coverage'])
    ? value
    : null;
}

function isCourse(value: unknown): value is CourseSummary {
  return (
    isObject(value) &&
    typeof value['course'] === 'string' &&
    typeof value['title'] === 'string'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Relative to the page, so that a proxy may put it below a prefix. */
function apiUrl(path: string): string {
  return `api/v1/${path}`;
}
