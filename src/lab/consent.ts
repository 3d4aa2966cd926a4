/** What holds for this page, out of the course, its policy, the student's decision and own settings. */
import { isCollected } from '../events/collection.js';
import type { PrivacyLevel } from '../events/types.js';
import { LEVELS, type Course, type Decision } from './courseAnswer.js';
import type { PersonalSettings } from './settings.js';

/** Everything that is decided on. */
export interface ConsentFacts {
  /** Why this page reports nothing at all; null where it may. */
  off: string | null;
  /** Null until it was reached once. */
  course: Course | null;
  /** The student's decision; null for none, undefined until it is known. */
  record: Decision | null | undefined;
  /** Null until they are known. */
  personal: PersonalSettings | null;
  /** The student had everything forgotten: nothing leaves before they answer again. */
  forgotten: boolean;
}

/**
 * - `unknown`: course or decision not known yet. What happens waits in memory.
 * - `ask`: nothing is made, kept or sent before the student agrees.
 * - `tell`: the course informs, and has yet to: a notice is shown, events are sent.
 * - `sending`: as agreed, or as informed.
 * - `paused`, `declined`: nothing is made, kept or sent, by the student's wish.
 * - `off`: nobody collects here.
 */
export type ConsentState =
  'unknown' | 'ask' | 'tell' | 'sending' | 'paused' | 'declined' | 'off';

/** What holds. */
export interface Standing {
  state: ConsentState;
  /** The strictest of course, policy, agreement and own settings. */
  level: PrivacyLevel;
  /** Whether events of that name are made and sent. */
  collects(name: string): boolean;
  /** Whether the student may decline and pause. */
  mayStop: boolean;
}

/** What holds for `facts`. */
export function standingOf(facts: ConsentFacts): Standing {
  const { course, record, personal } = facts;
  const state = stateOf(facts);
  const events: readonly string[] = course?.settings.events ?? [];
  const withheld: readonly string[] = personal?.withhold ?? [];
  return {
    state,
    level: strictest(
      course?.settings.level ?? 'outcomes',
      chosenLevel(record) ?? 'full',
      personal?.level === 'outcomes' ? 'outcomes' : 'full'
    ),
    collects: name =>
      isSending(state) &&
      isCollected(name, events) &&
      !withheld.includes(name.startsWith('ai_') ? 'ai' : name),
    mayStop: course !== null && !isMandatory(course)
  };
}

/** The level the student chose; null where they chose none. */
export function chosenLevel(
  record: Decision | null | undefined
): PrivacyLevel | null {
  return record?.decision === 'agreed' && !record.told ? record.level : null;
}

/** Whether events leave in that state. */
export function isSending(state: ConsentState): boolean {
  return state === 'sending' || state === 'tell';
}

/** The level that lets the least leave. */
export function strictest(...levels: PrivacyLevel[]): PrivacyLevel {
  return LEVELS.find(level => levels.includes(level)) ?? 'outcomes';
}

/**
 * What the course is told of a change of mind: `given` and `changed` travel with what
 * follows, `withdrawn` is the last event that leaves. Null where it has nothing to know:
 * nothing was ever sent, a notice was read, or a pause began or ended.
 */
export function consentAction(
  before: { state: ConsentState; record: Decision | null },
  after: Decision,
  course: Course
): 'given' | 'changed' | 'withdrawn' | null {
  const { state, record } = before;
  const agreed = record?.decision === 'agreed';
  const ran = isSending(state) || state === 'paused';
  if (after.decision === 'declined') {
    // After an agreement to an older notice too: what it brought is still there.
    return agreed || ran ? 'withdrawn' : null;
  }
  if (ran) {
    const { level } = course.settings;
    const of = (one: Decision | null): PrivacyLevel =>
      strictest(level, chosenLevel(one) ?? level);
    return of(after) === of(record) ? null : 'changed';
  }
  const asked = course.settings.consent === 'opt-in';
  return asked || record?.decision === 'declined' ? 'given' : null;
}

function stateOf({
  off,
  course,
  record,
  personal,
  forgotten
}: ConsentFacts): ConsentState {
  if (off !== null) {
    return 'off';
  }
  if (course === null || record === undefined || personal === null) {
    return 'unknown';
  }
  const { settings } = course;
  const current =
    record !== null && record.notice_version >= settings.notice.version;
  if (isMandatory(course)) {
    const refused = record?.decision === 'declined' || record?.paused === true;
    return current && !refused ? 'sending' : 'tell';
  }
  if (settings.consent === 'opt-in' || (forgotten && record === null)) {
    // Who was only told has not agreed.
    if (!current || (record.told && record.decision === 'agreed')) {
      return 'ask';
    }
  }
  if (record?.decision === 'declined') {
    return 'declined'; // A new notice does not undo it where the course only informs.
  }
  if (record?.paused) {
    return 'paused';
  }
  return current ? 'sending' : 'tell';
}

/** Only where the course informs: no operator can agree in a student's place. */
function isMandatory({ settings, policy }: Course): boolean {
  return policy.mandatory && settings.consent === 'notice';
}
