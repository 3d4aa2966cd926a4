/** Puts pseudonyms in the place of names, everywhere in an event, and takes out what else would tell who a student is. */
import type { Properties, WireEvent } from '../../events/index.js';
import { isObject, MAX_NAME_CHARS, normalizeEvent } from '../wire/shapes.js';
import { finderOf, type Span } from './finder.js';
import { BOOKKEEPING } from './rules.js';

/** Makes pseudonyms with a course's key. */
export interface Pseudonymizer {
  /** Which key it uses; told in each event as `student_key`. */
  keyId: string;
  /** The pseudonym of a name: always the same under one key, and nobody's guess without it. */
  of(name: string): string;
}

/** Property that tells the key of an event's pseudonym. */
export const STUDENT_KEY = 'student_key';

/**
 * Properties in which clients say who a person is, beside `student`. So may all that PostHog's
 * clients add by themselves, whose names begin with `$`: addresses of pages, person properties, …
 */
const PERSONAL = new Set([
  'distinct_id',
  'alias',
  'email',
  'name',
  'user',
  'username',
  'user_name',
  'user_id',
  'first_name',
  'last_name',
  'full_name',
  'display_name',
  'ip'
]);

/** Of those, the ones that hold a name and nothing else. */
const IDENTIFYING = new Set([
  '$distinct_id',
  '$anon_distinct_id',
  '$user_id',
  '$email',
  '$name'
]);

/** Names shorter than this are replaced only where they stand alone: in a text they would be found by chance. */
const MIN_INNER_CHARS = 3;

/** Replaces the names that an event gives for its student. */
export interface Scrubber {
  /** The value with each name in it replaced, in members' names as well. */
  clean(value: unknown): unknown;
  /** Whether the first of its sources says any name. */
  knows: boolean;
}

/** The event under a pseudonym. `sources` are the forms that it had before, with all the names in them. */
export function pseudonymize(
  event: WireEvent,
  pseudonyms: Pseudonymizer,
  sources: readonly unknown[]
): WireEvent {
  const { distinct_id, properties } = event;
  const scrubber = scrubberFor(sources, pseudonyms);
  const kept = Object.entries(properties).filter(
    ([name]) => !isPersonal(name) && name !== 'student'
  );
  const { student } = properties;
  return {
    ...event,
    event: scrubber.clean(event.event) as string,
    distinct_id: pseudonyms.of(distinct_id),
    properties: {
      ...(scrubber.clean(Object.fromEntries(kept)) as Properties),
      student: pseudonyms.of(
        typeof student === 'string' ? student : distinct_id
      ),
      [STUDENT_KEY]: pseudonyms.keyId
    }
  };
}

/** Whether a property says who a person is, and is therefore left out under pseudonyms. */
export function isPersonal(name: string): boolean {
  return PERSONAL.has(name) || (name[0] === '$' && !BOOKKEEPING.has(name));
}

/**
 * A scrubber for the names that stand in an event, whose shape may be wrong.
 *
 * @param sources the event as it came, and what was made of it.
 */
export function scrubberFor(
  sources: readonly unknown[],
  pseudonyms: Pseudonymizer
): Scrubber {
  const names = allNamesIn(sources);
  const rules = names.map(name => ({
    name,
    find: name.length < MIN_INNER_CHARS ? undefined : finderOf(name)
  }));
  const text = (value: string): string => {
    // Pseudonyms that were put in are not searched for the names that follow.
    let parts: Part[] = [value];
    const whole = value.trim();
    for (const { name, find } of rules) {
      if (whole === name) {
        return pseudonyms.of(name);
      }
      if (find) {
        parts = parts.flatMap(part =>
          typeof part === 'string' ? without(part, name, find) : [part]
        );
      }
    }
    return parts
      .map(part => (typeof part === 'string' ? part : pseudonyms.of(part.name)))
      .join('');
  };
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') {
      return text(value);
    }
    if (Array.isArray(value)) {
      return value.map(clean);
    }
    return isObject(value)
      ? Object.fromEntries(
          Object.entries(value).map(([key, part]) => [text(key), clean(part)])
        )
      : value;
  };
  return { clean, knows: namesIn(sources[0]).length > 0 };
}

/** A piece of a text, or a name that stood there. */
type Part = string | { name: string };

function without(
  text: string,
  name: string,
  find: (text: string) => Span[]
): Part[] {
  const parts: Part[] = [];
  let done = 0;
  for (const [from, to] of find(text)) {
    parts.push(text.slice(done, from), { name });
    done = to;
  }
  return [...parts, text.slice(done)];
}

/** The names in all forms of an event; the longest first, so that no part of one is left. */
function allNamesIn(sources: readonly unknown[]): string[] {
  const names = sources.flatMap(source => [
    ...namesIn(source),
    // Clients may say them in other places, or as a list.
    ...namesIn(normalizeEvent(source))
  ]);
  return [...new Set(names)].sort((a, b) => b.length - a.length);
}

/** What an event says its student is called; a longer text is no name, and goes with its property. */
function namesIn(raw: unknown): string[] {
  if (!isObject(raw)) {
    return [];
  }
  const properties = isObject(raw['properties']) ? raw['properties'] : {};
  const set = isObject(properties['$set']) ? properties['$set'] : {};
  const candidates = [
    raw['distinct_id'],
    raw['$distinct_id'],
    properties['student'],
    ...Object.entries(properties)
      .filter(([name]) => PERSONAL.has(name) || IDENTIFYING.has(name))
      .map(([, value]) => value),
    ...['name', 'email', 'username'].map(name => set[name])
  ];
  return (
    candidates
      .filter(name => typeof name === 'string')
      .map(name => name.trim())
      .filter(name => name !== '' && name.length <= MAX_NAME_CHARS)
      // A list of one name, written as text, begins with a bracket.
      .flatMap(name => [
        name,
        name.replace(/^[^\p{L}\p{N}]+|[^\p{L}\p{N}]+$/gu, '')
      ])
      .filter(name => name !== '')
  );
}
