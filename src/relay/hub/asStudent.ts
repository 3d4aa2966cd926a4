/** Gives an event the student whom the Hub vouches for, whatever it claims itself. */
import type { Properties } from '../../events/index.js';
import { isObject } from '../wire/shapes.js';

/** Other places of an event in which clients of PostHog name whom it is about. */
const OTHER_NAMES = ['distinct_id', '$distinct_id', '$anon_distinct_id'];
/** PostHog's events that make two people one; `alias` names the other. */
const MERGING = new Set(['$create_alias', '$merge_dangerously']);

/**
 * The event as the student's. The same object where it says nothing else; anything that is no
 * object is returned as it is, for the validation to judge.
 */
export function asStudent(raw: unknown, student: string): unknown {
  if (!isObject(raw)) {
    return raw;
  }
  const properties = propertiesOf(raw, student);
  if (
    raw['distinct_id'] === student &&
    raw['properties'] === properties &&
    !('$distinct_id' in raw)
  ) {
    return raw;
  }
  const { $distinct_id: _other, ...rest } = raw;
  return { ...rest, distinct_id: student, properties };
}

function propertiesOf(raw: Properties, student: string): unknown {
  const given = raw['properties'] ?? {};
  if (!isObject(given)) {
    return given;
  }
  const others = MERGING.has(String(raw['event']))
    ? [...OTHER_NAMES, 'alias']
    : OTHER_NAMES;
  const wrong = others.filter(name => Object.hasOwn(given, name));
  if (given['student'] === student && wrong.length === 0) {
    return given;
  }
  const properties: Properties = { ...given, student };
  wrong.forEach(name => delete properties[name]);
  return properties;
}
