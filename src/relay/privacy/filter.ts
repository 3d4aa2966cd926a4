/** Takes out of an event what its course does not let into the log: level first, then the properties that are not allowed, then the name. */
import {
  applyLevel,
  type Properties,
  type WireEvent
} from '../../events/index.js';
import { pseudonymize } from './pseudonyms.js';
import type { PrivacyRules } from './rules.js';

/** Longest text of a client's bookkeeping (`$lib`, `$lib_version`). */
const MAX_BOOKKEEPING_CHARS = 60;

/** What became of an event. */
export interface Filtered {
  /** The very same object where nothing had to change. */
  event: WireEvent;
  changed: boolean;
}

/**
 * The event as the rules allow it. `onDropped` is told the name of each property that goes, never
 * its value. `given` is the event as it came: under the name of a verified student it does not say
 * any more what it claimed to be called.
 */
export function filterEvent(
  event: WireEvent,
  rules: PrivacyRules,
  onDropped: (name: string) => void,
  given: unknown = event
): Filtered {
  if (rules.open) {
    const kept = renamed(event, rules);
    return { event: kept, changed: kept !== event };
  }
  const levelled = applyLevel(event.event, event.properties, rules.level);
  const allowed = rules.allowedIn(event.event);
  const properties = allowed
    ? onlyAllowed(levelled, allowed, onDropped)
    : levelled;
  const kept =
    properties === event.properties ? event : { ...event, properties };
  if (rules.pseudonyms) {
    return {
      // The whole event: a name that goes with a property may stand in another one.
      event: pseudonymize(kept, rules.pseudonyms, [given, event]),
      changed: true
    };
  }
  const known = renamed(kept, rules);
  return { event: known, changed: known !== event };
}

function renamed(event: WireEvent, { distinctIdOf }: PrivacyRules): WireEvent {
  const { distinct_id } = event;
  const id = distinctIdOf ? distinctIdOf(distinct_id) : distinct_id;
  return id === distinct_id ? event : { ...event, distinct_id: id };
}

/** Whether a property may be kept, by name and, of clients' bookkeeping, by form. */
export function isAllowed(
  name: string,
  value: unknown,
  allowed: ReadonlySet<string> | undefined
): boolean {
  if (allowed === undefined) {
    return true;
  }
  return allowed.has(name) && (name[0] !== '$' || isPlain(value));
}

/** How programs name properties. Narrower than what a course may list: `ADA-LOVELACE` is not of this form. */
const TELLABLE_NAME = /^\$?[a-z][A-Za-z0-9_]{0,39}$/;

/**
 * A dropped property's name as it may be told: its name where it has the form of one. Any other
 * text is the client's to choose and may be anything.
 */
export function tellableName(name: string): string {
  return TELLABLE_NAME.test(name) ? name : '(another name)';
}

function onlyAllowed(
  properties: Properties,
  allowed: ReadonlySet<string>,
  onDropped: (name: string) => void
): Properties {
  // `for in` costs a quarter of `Object.keys`; JSON gives every object own members alone.
  for (const name in properties) {
    if (!isAllowed(name, properties[name], allowed)) {
      return withoutOthers(properties, allowed, onDropped);
    }
  }
  return properties;
}

function withoutOthers(
  properties: Properties,
  allowed: ReadonlySet<string>,
  onDropped: (name: string) => void
): Properties {
  const kept: Properties = {};
  for (const name of Object.keys(properties)) {
    const value = properties[name];
    if (!isAllowed(name, value, allowed)) {
      onDropped(tellableName(name));
    } else if (name === '__proto__') {
      Object.defineProperty(kept, name, { ...OWN, value });
    } else {
      kept[name] = value;
    }
  }
  return kept;
}

/** As a member of an object literal is; by assignment, one called __proto__ would be something else. */
const OWN = { configurable: true, enumerable: true, writable: true };

function isPlain(value: unknown): boolean {
  return typeof value === 'string'
    ? value.length <= MAX_BOOKKEEPING_CHARS
    : typeof value !== 'object' || value === null;
}
