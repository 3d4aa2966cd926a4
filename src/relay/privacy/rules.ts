/** What a course lets into the log of an event's properties: compiled once from its settings. */
import {
  CommonProperties,
  EVENT_PROPERTIES,
  EVENT_NAMES,
  type PrivacyLevel
} from '../../events/index.js';
import type { PropertiesSetting } from '../courses/courseFile.js';
import type { Pseudonymizer } from './pseudonyms.js';

/** A course's rules, ready for use on every event. */
export interface PrivacyRules {
  level: PrivacyLevel;
  /** Whether nothing is ever removed or replaced, so that events are kept byte for byte. */
  open: boolean;
  /** Names allowed in an event; undefined where all are. */
  allowedIn(event: string): ReadonlySet<string> | undefined;
  /** Where the course keeps no names. */
  pseudonyms?: Pseudonymizer | undefined;
  /** The id under which PostHog gets a student who was forgotten before and is new now. */
  distinctIdOf?: ((student: string) => string) | undefined;
  /** Whether an event of that student and time (ms since 1970) was deleted, and only comes again out of an old queue. */
  isForgotten?: ((student: string, timeMs: number) => boolean) | undefined;
}

/** What PostHog's clients note of themselves, and of how PostHog is to take the event: nothing of a person. */
export const BOOKKEEPING: ReadonlySet<string> = new Set([
  '$lib',
  '$lib_version',
  '$process_person_profile',
  '$geoip_disable'
]);

/** Events whose properties the contract declares; those of `command` it leaves to the tracer. */
const DECLARING = EVENT_NAMES.filter(name => name !== 'command');

const COMMON = Object.keys(CommonProperties);

/**
 * The rules of a course.
 *
 * - `all`: every property is allowed.
 * - `default`: at level `full` every property; below it the contract's events keep the properties
 *   that the contract declares for them, and custom events keep theirs.
 * - a list: at every level the contract's events keep the declared ones and those of the list,
 *   custom events those of the list.
 *
 * Properties that all events share, and clients' harmless bookkeeping, are always allowed.
 */
export function compileRules({
  level,
  properties = 'default',
  pseudonyms
}: {
  level: PrivacyLevel;
  properties?: PropertiesSetting | undefined;
  pseudonyms?: Pseudonymizer | undefined;
}): PrivacyRules {
  const everything =
    properties === 'all' || (properties === 'default' && level === 'full');
  if (everything) {
    return {
      level,
      open: level === 'full' && pseudonyms === undefined,
      allowedIn: () => undefined,
      pseudonyms
    };
  }
  const listed = properties === 'default' ? [] : properties;
  const always = [...COMMON, ...BOOKKEEPING, ...listed];
  const contract = new Map<string, ReadonlySet<string>>(
    DECLARING.map(name => [
      name,
      new Set([...always, ...Object.keys(EVENT_PROPERTIES[name].properties)])
    ])
  );
  const custom = properties === 'default' ? undefined : new Set(always);
  return {
    level,
    open: false,
    allowedIn: event => contract.get(event) ?? custom,
    pseudonyms
  };
}
