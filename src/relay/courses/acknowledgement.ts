/** When a course's requests may be acknowledged before they are judged: only where nothing could ever have to be taken out of them. */
import { SELECTABLE_EVENTS } from '../../events/index.js';
import type { Course } from './courseFile.js';

/** What a 200 says: that the events were judged and are durable, or that the bytes are. */
export const ACKS = ['validated', 'durable'] as const;

/** The settings that stand against `durable`, in words; empty where it may be. */
export function againstDurable(
  course: Pick<
    Course,
    'level' | 'properties' | 'events' | 'identity' | 'students'
  >
): string[] {
  const { properties = 'default', students = 'claimed' } = course;
  return [
    course.level === 'full' ? '' : `level is ${course.level}, not full`,
    properties === 'default' || properties === 'all'
      ? ''
      : 'properties is a list, not all',
    SELECTABLE_EVENTS.every(name => course.events?.includes(name))
      ? ''
      : 'events is not all',
    course.identity === 'names'
      ? ''
      : `identity is ${course.identity}, not names`,
    students === 'claimed' ? '' : `students is ${students}, not claimed`
  ].filter(reason => reason !== '');
}
