/** Under which ids a student stands in a course's stored events, and which of those events are theirs. */
import { normalizeName, normalizePart } from '../../events/index.js';
import type { Course } from '../courses/courseFile.js';
import { isObject } from '../wire/shapes.js';
import { PSEUDONYM, type Secrets } from './secrets.js';

/** A student of one course, as somebody named them. */
export interface Subject {
  /** Spellings of the name that notebooks may have sent; none where a pseudonym was given. */
  names: string[];
  /** Everything that stands for the student in stored events. */
  ids: ReadonlySet<string>;
  /** The pseudonym that new events get; null where the course keeps names, or a pseudonym was given. */
  pseudonym: string | null;
  /** How often the student was forgotten before. */
  generation: number;
}

/**
 * The student whom `text` means: a name as it was typed or sent, or a pseudonym. With `exact` the
 * name of a verified user: no other spelling, which may be another student's.
 */
export function subjectOf(
  course: Course,
  text: string,
  secrets: Secrets,
  exact = false
): Subject {
  if (!exact && PSEUDONYM.test(text)) {
    return { names: [], ids: new Set([text]), pseudonym: null, generation: 0 };
  }
  const names = exact ? [text] : spellingsOf(text);
  const generation = Math.max(
    ...names.map(name => secrets.generation(course.id, name))
  );
  // A verified name that looks like a pseudonym of the course would be whose that pseudonym is.
  const isTaken = (name: string): boolean =>
    PSEUDONYM.test(name) && secrets.keyIds(course.id).length > 0;
  const ids = new Set<string>();
  for (const name of names) {
    for (let n = 0; n <= generation && !isTaken(name); n += 1) {
      ids.add(distinctIdOf(name, n));
    }
    for (const id of secrets.pseudonyms(course.id, name, generation)) {
      ids.add(id);
    }
  }
  const keyId =
    course.identity === 'pseudonyms' ? course.pseudonym?.keyId : undefined;
  return {
    names,
    ids,
    pseudonym:
      keyId === undefined
        ? null
        : (secrets.pseudonym(course.id, keyId, names[0]!, generation) ?? null),
    generation
  };
}

/** What PostHog knows a student by who was forgotten `generation` times: it takes no deleted id again. */
export function distinctIdOf(name: string, generation: number): string {
  return generation === 0 ? name : `${name}~${generation + 1}`;
}

/** Tells whether a stored event or letter is of a student of whom only hashes are known. */
export function matcherOf(
  tags: Iterable<string>,
  tag: (id: string) => string
): (id: unknown) => boolean {
  const wanted = new Set(tags);
  const known = new Map<string, boolean>();
  return id => {
    if (typeof id !== 'string') {
      return false;
    }
    let found = known.get(id);
    if (found === undefined) {
      found = wanted.has(tag(id));
      known.set(id, found);
    }
    return found;
  };
}

/**
 * Whether an event that was set aside is the student's: by the members in which clients say whose
 * it is, which are looked at as they came, also where one holds a list. Never by names of members
 * or by other text, where one student's name is another's word.
 */
export function isTheirLetter(
  event: unknown,
  matches: (id: unknown) => boolean
): boolean {
  if (!isObject(event)) {
    return false;
  }
  const { properties } = event;
  const inside = isObject(properties) ? properties : {};
  return [
    event['distinct_id'],
    event['$distinct_id'],
    // As readers of the log have it.
    event['student'],
    inside['student'],
    inside['distinct_id']
  ].some(id => (Array.isArray(id) ? id.some(matches) : matches(id)));
}

/** The text itself, and as the notebooks' rule for names writes it: `Ada Lovelace` is ADA-LOVELACE. */
function spellingsOf(text: string): string[] {
  const spellings = new Set([text]);
  const [first = '', ...rest] = text.trim().split(/\s+/u);
  const whole = normalizePart(text);
  if (whole !== '') {
    spellings.add(whole);
  }
  if (rest.length > 0) {
    try {
      spellings.add(normalizeName(first, rest.join(' ')));
    } catch {
      // Nothing is left of one of the parts, so no notebook sent it.
    }
  }
  return [...spellings];
}
