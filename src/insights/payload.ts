/** Reads what the fold needs out of payloads that nothing but the door has looked at. */
import { errorType } from '../events/levels.js';
import type { Properties, TelemetryRecord } from '../events/types.js';

/** The record's own properties. */
export function payloadOf(record: TelemetryRecord): Properties {
  return record.payload as Properties;
}

/** Type of an error as the wire tells it; null where it tells none. Messages stay out of the page. */
export function errorTypeOf(payload: Properties): string | null {
  const err = payload['err'];
  return typeof err === 'string' && err !== '' ? errorType(err) : null;
}

/** The exercise of a test's result; null where none is named. */
export function exerciseOf(payload: Properties): string | null {
  const exercise = payload['ex'];
  return typeof exercise === 'string' && exercise !== '' ? exercise : null;
}

/** Whether a test's result says how the student's attempt went; one that was skipped or stopped does not. */
export function isAttempt(payload: Properties): boolean {
  const { status } = payload;
  return status !== 'skipped' && status !== 'interrupted';
}
