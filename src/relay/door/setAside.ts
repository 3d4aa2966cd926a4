/** What the dead letters may keep of an event that the door turned down: no more than the course's rules allow. */
import {
  errorType,
  MAX_CODE_CHARS,
  MAX_ERR_CHARS,
  UUID_PATTERN,
  type PrivacyLevel,
  type Properties
} from '../../events/index.js';
import { KEY_LENGTH } from '../courses/keys.js';
import type { DeadLetter } from '../pipeline/deadLetters.js';
import { isAllowed, tellableName } from '../privacy/filter.js';
import {
  isPersonal,
  scrubberFor,
  STUDENT_KEY,
  type Pseudonymizer
} from '../privacy/pseudonyms.js';
import { compileRules, type PrivacyRules } from '../privacy/rules.js';
import { isObject } from '../wire/shapes.js';
import type { SetAside } from './judge.js';
import { blankKeys, blankKeysIn } from './keyBytes.js';

/** Longest text kept of any other value, in characters, below level `full`. */
const MAX_TEXT_CHARS = 200;
/** Of an event of the contract, members that it does not have may be anything; a custom event keeps its own. */
const DECLARED = compileRules({ level: 'outcomes' });
const NOTHING: ReadonlySet<string> = new Set();
/** Deepest nesting kept, and most members or elements of a value. */
const MAX_LEVELS = 4;
const MAX_PARTS = 100;
/** Longest event kept, in characters of names and values; what comes after is replaced by a word on what it was. */
const MAX_CHARS = 64_000;

/** The dead letter of an event that broke the contract. The reason names no value of the event: the event shows it. */
export function letterOf(
  { uuid: claimed, code, field, expected, raw, given }: SetAside,
  course: string,
  rules: PrivacyRules,
  at: string
): DeadLetter {
  // What is no uuid may as well be a name.
  const uuid = rules.pseudonyms && !UUID.test(claimed ?? '') ? null : claimed;
  return {
    at,
    course,
    stage: 'door',
    code,
    reason: `${field}: expected ${expected}`,
    uuid,
    event: tried(() => withoutKeys(reduce(raw, rules, given)))
  };
}

const UUID = new RegExp(UUID_PATTERN);

/** What `make` makes; null where it fails: one letter that says little is better than none of its batch. */
function tried(make: () => unknown): unknown {
  try {
    return make();
  } catch {
    return null;
  }
}

/**
 * The event as the rules allow it, though nothing about its shape is certain: what may be code, an
 * error's message or a member that the contract does not know is replaced by a word on what it was.
 *
 * @param given the event as it came, where `raw` is it under the name of a verified student.
 */
export function reduce(
  raw: unknown,
  rules: PrivacyRules,
  given: unknown = raw
): unknown {
  const room = { left: MAX_CHARS };
  if (rules.open) {
    return cut(raw, MAX_LEVELS, 20_000, room);
  }
  if (!isObject(raw)) {
    return kindOf(raw);
  }
  const result: [string, unknown][] = [];
  for (const name of ['event', 'distinct_id', 'uuid', 'timestamp'] as const) {
    if (Object.hasOwn(raw, name)) {
      result.push([name, cut(raw[name], 0, MAX_TEXT_CHARS, room)]);
    }
  }
  if (Object.hasOwn(raw, 'properties')) {
    const { event, properties } = raw;
    result.push([
      'properties',
      isObject(properties)
        ? reduceProperties(event, properties, rules, room)
        : kindOf(properties)
    ]);
  }
  const reduced = Object.fromEntries(result);
  return rules.pseudonyms
    ? withoutNames(reduced, { raw, given }, rules.pseudonyms)
    : reduced;
}

/** A reduced event under a pseudonym; where it says no name, no text of it is kept either. */
function withoutNames(
  reduced: Properties,
  { raw, given }: { raw: Properties; given: unknown },
  pseudonyms: Pseudonymizer
): Properties {
  const scrubber = scrubberFor([given, raw], pseudonyms);
  const asPseudonym = (value: unknown): unknown =>
    typeof value === 'string' ? pseudonyms.of(value) : kindOf(value);
  const { properties } = reduced;
  const result: Properties = scrubber.knows
    ? (scrubber.clean(reduced) as Properties)
    : textless(reduced);
  if ('distinct_id' in reduced) {
    result['distinct_id'] = asPseudonym(raw['distinct_id']);
  }
  if ('uuid' in reduced && !UUID.test(String(raw['uuid']))) {
    result['uuid'] = kindOf(raw['uuid']);
  }
  if (isObject(properties)) {
    const clean = result['properties'] as Properties;
    Object.keys(clean).forEach(name => {
      if (isPersonal(name)) {
        delete clean[name];
      }
    });
    if ('student' in properties) {
      clean['student'] = asPseudonym(
        (raw['properties'] as Properties)['student']
      );
    }
    clean[STUDENT_KEY] = pseudonyms.keyId;
  }
  return result;
}

function textless(value: Properties): Properties {
  return Object.fromEntries(
    Object.entries(value).map(([name, part]) => [
      tellableName(name),
      isObject(part) ? textless(part) : part === null ? null : kindOf(part)
    ])
  );
}

function reduceProperties(
  event: unknown,
  properties: Properties,
  rules: PrivacyRules,
  room: Room
): Properties {
  const { level } = rules;
  const chars = level === 'full' ? 20_000 : MAX_TEXT_CHARS;
  const allowed =
    typeof event === 'string'
      ? (rules.allowedIn(event) ??
        (level === 'full' ? undefined : DECLARED.allowedIn(event)))
      : NOTHING;
  return Object.fromEntries(
    Object.entries(properties)
      .slice(0, MAX_PARTS)
      .map(([name, value]) => {
        if (level !== 'full' && name === 'code') {
          return [name, reduceCode(value, level)];
        }
        if (level !== 'full' && name === 'err') {
          return [name, reduceErr(value, level)];
        }
        return isAllowed(name, value, allowed)
          ? [
              cut(name, 0, MAX_TEXT_CHARS, room),
              cut(value, MAX_LEVELS - 1, chars, room)
            ]
          : [tellableName(name), kindOf(value)];
      })
  );
}

function reduceCode(value: unknown, level: PrivacyLevel): unknown {
  if (value === null) {
    return null;
  }
  return level === 'outcomes' || typeof value !== 'string'
    ? kindOf(value)
    : head(value, MAX_CODE_CHARS);
}

function reduceErr(value: unknown, level: PrivacyLevel): unknown {
  if (value === null) {
    return null;
  }
  if (typeof value !== 'string') {
    return kindOf(value);
  }
  return level === 'outcomes' ? errorType(value) : head(value, MAX_ERR_CHARS);
}

/** How much of an event may still be kept, in characters. */
interface Room {
  left: number;
}

/** The value with long texts, deep nesting and long lists cut off. */
function cut<T>(value: T, levels: number, chars: number, room: Room): T;
function cut(
  value: unknown,
  levels: number,
  chars: number,
  room: Room
): unknown {
  if (typeof value === 'string') {
    const most = Math.min(chars, Math.max(room.left, 0));
    const kept = value.length > most ? `${head(value, most)}…` : value;
    room.left -= kept.length;
    return kept;
  }
  room.left -= 8;
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (levels === 0 || room.left <= 0) {
    return kindOf(value);
  }
  if (Array.isArray(value)) {
    return value
      .slice(0, MAX_PARTS)
      .map(part => cut(part as unknown, levels - 1, chars, room));
  }
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, MAX_PARTS)
      .map(([name, part]) => [
        cut(name, 0, MAX_TEXT_CHARS, room),
        cut(part as unknown, levels - 1, chars, room)
      ])
  );
}

/** The beginning of a text; no key in it is cut in half, which would hide it from whoever looks for keys. */
function head(text: string, chars: number): string {
  return blankKeysIn(text.slice(0, chars + KEY_LENGTH)).slice(0, chars);
}

/** What a value is, without saying it. */
function kindOf(value: unknown): string | null {
  if (value === null || value === undefined) {
    return null;
  }
  if (typeof value === 'string') {
    return `(text of ${value.length} characters)`;
  }
  return Array.isArray(value)
    ? `(list of ${value.length})`
    : `(${typeof value})`;
}

/** The same with everything that has the form of a course key overwritten. */
function withoutKeys(event: unknown): unknown {
  const bytes = Buffer.from(JSON.stringify(event));
  return blankKeys(bytes) > 0
    ? (JSON.parse(bytes.toString('utf8')) as unknown)
    : event;
}
