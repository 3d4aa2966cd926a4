/** The list of events that a course collects, as people write it: names, `default`, `all`, and `+` or `-` before them. */
import {
  DEFAULT_EVENTS,
  SELECTABLE_EVENTS,
  type EventName
} from '../../events/index.js';

/** Words that stand for several events. */
const GROUPS: Readonly<Record<string, readonly EventName[]>> = {
  default: DEFAULT_EVENTS,
  all: SELECTABLE_EVENTS
};

/** What a list of events may hold, for messages. */
export const EXPECTED_EVENTS = SELECTABLE_EVENTS.join(', ');

/**
 * The events that `list` means, in the contract's order.
 *
 * A list that begins with a signed name changes `present`; any other list replaces it.
 *
 * @param list names, `default` and `all`, comma separated; `+` adds and `-` removes.
 * @throws RangeError that says what was expected, if a word is no event or none is left.
 */
export function readEventList(
  list: string,
  present: readonly EventName[]
): EventName[] {
  const words = list.split(',').map(word => word.trim());
  const chosen = new Set<string>(/^[+-]/.test(words[0]!) ? present : []);
  for (const word of words) {
    const name = word.replace(/^[+-]/, '');
    for (const event of eventsNamed(name, list)) {
      if (word.startsWith('-')) {
        chosen.delete(event);
      } else {
        chosen.add(event);
      }
    }
  }
  if (chosen.size === 0) {
    throw new RangeError(
      `events: expected at least one of ${EXPECTED_EVENTS}, got none that is left of ${JSON.stringify(list)}`
    );
  }
  return SELECTABLE_EVENTS.filter(event => chosen.has(event));
}

/** Whether `value` is such a list as it is kept: known names, each once, at least one. */
export function isEventList(value: unknown): value is EventName[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    new Set(value).size === value.length &&
    value.every(name =>
      (SELECTABLE_EVENTS as readonly unknown[]).includes(name)
    )
  );
}

function eventsNamed(name: string, list: string): readonly string[] {
  if (Object.hasOwn(GROUPS, name)) {
    return GROUPS[name]!;
  }
  if (!(SELECTABLE_EVENTS as readonly string[]).includes(name)) {
    throw new RangeError(
      `events: expected names out of ${EXPECTED_EVENTS}, or default, or all, with commas between them, got ${JSON.stringify(name)} in ${JSON.stringify(list)}`
    );
  }
  return [name];
}
