/** The members of bodies and events that may stay as they came: those that PostHog's clients send, in the form in which they send them. */
import { kindOf } from '../courses/keys.js';
import { isObject, MAX_NAME_CHARS } from '../wire/shapes.js';
import { usualUuid } from './ids.js';

type Form = (value: unknown) => boolean;

/** An ISO 8601 time, in which nothing else can be said. */
const TIME =
  /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?$/i;
/** Names and versions of libraries, kinds of messages. */
const WORD = /^[\w.@/+-]{1,40}$/;

const absent: Form = value => value === null || value === '';
const anything: Form = () => true;
const name: Form = value =>
  typeof value === 'string' && value.length <= MAX_NAME_CHARS;
const key: Form = value =>
  typeof value === 'string' && kindOf(value) !== undefined;
const word: Form = value => typeof value === 'string' && WORD.test(value);
const id: Form = value => absent(value) || usualUuid(value) !== undefined;

/** Whether the value is a time and says nothing else, or nothing at all. */
export const isTimeAlone: Form = value =>
  absent(value) || (typeof value === 'string' && TIME.test(value));

const KEYS = { api_key: key, token: key, $token: key };

const OF_EVENT = new Map<string, Form>(
  Object.entries({
    ...KEYS,
    event: name,
    distinct_id: name,
    $distinct_id: name,
    uuid: id,
    timestamp: isTimeAlone,
    offset: value => value === null || typeof value === 'number',
    // Judged by themselves.
    properties: anything,
    $set: anything,
    $set_once: anything,
    sent_at: isTimeAlone,
    type: word,
    library: word,
    library_version: word,
    messageId: id
  } satisfies Record<string, Form>)
);

const OF_ENVELOPE = new Map<string, Form>(
  Object.entries({
    ...KEYS,
    batch: anything,
    sent_at: isTimeAlone,
    historical_migration: value => typeof value === 'boolean'
  } satisfies Record<string, Form>)
);

/** Whether an event says more than PostHog's clients do, beside its properties. */
export function hasOtherMembers(event: object): boolean {
  return !areUsual(event, OF_EVENT);
}

/** Whether what stands beside a body's events is what PostHog's clients put there. */
export function isUsualEnvelope(parsed: unknown): boolean {
  return (
    !isObject(parsed) ||
    !Array.isArray(parsed['batch']) ||
    areUsual(parsed, OF_ENVELOPE)
  );
}

function areUsual(value: object, forms: ReadonlyMap<string, Form>): boolean {
  for (const member in value) {
    const form = forms.get(member);
    if (!form || !form((value as Record<string, unknown>)[member])) {
      return false;
    }
  }
  return true;
}
