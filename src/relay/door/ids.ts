/** Ids for events that come without one: the same when the client sends them again, different for different events. */
import { v5 } from 'uuid';
import { ID_NAMESPACE, type WireEvent } from '../../events/index.js';
import type { Clock } from './clock.js';

/** An id in one of the other forms that PostHog reads: without dashes, in braces, as a URN. */
const OTHER_FORM =
  /^(?:urn:uuid:|\{)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})\}?$/i;

/** The usual form of an id that a client wrote in another one; undefined where it is none. */
export function usualUuid(given: unknown): string | undefined {
  return typeof given === 'string'
    ? OTHER_FORM.exec(given.trim())?.slice(1).join('-').toLowerCase()
    : undefined;
}

/** Makes the ids of one body's events; `given` is what stood where the id should. */
export type Mint = (event: WireEvent, given: unknown) => string;

/**
 * A mint for one body.
 *
 * What a client sends again is the event with all its properties, among which many clients put an
 * id or a time of their own. Its time is `timestamp`; where there is only an age (`offset`), it is
 * the client's clock at sending less the age, because that does not move while both grow. Two
 * events of one body that are alike in all this are two, and are numbered. An event without
 * any of this cannot be told from a second one like it, and counts as a new one: the smaller mistake.
 */
export function createMint(course: string, clock: Clock): Mint {
  const seen = new Map<string, number>();
  return (event, given) => {
    const mark = markOf(event, given, clock);
    if (mark === undefined) {
      return crypto.randomUUID();
    }
    const { distinct_id, event: name, properties } = event;
    const what = JSON.stringify([course, distinct_id, name, mark, properties]);
    const before = seen.get(what) ?? 0;
    if (!hasInsertId(event)) {
      seen.set(what, before + 1);
    }
    return v5(before === 0 ? what : `${what} ${before}`, ID_NAMESPACE);
  };
}

/** What tells the event from others like it; undefined where nothing does. */
function markOf(
  event: WireEvent,
  given: unknown,
  { sentMs }: Clock
): unknown[] | undefined {
  const { timestamp, properties } = event;
  const own = given === undefined ? [] : [given];
  if (timestamp !== undefined) {
    return [timestamp, ...own];
  }
  if (own.length > 0 || hasInsertId(event) || '$time' in properties) {
    return own;
  }
  const { offset } = event as { offset?: unknown };
  return sentMs === undefined
    ? undefined
    : [sentMs - (typeof offset === 'number' ? offset : 0)];
}

/** Whether the client gave it an id of its own, as clients did before there were uuids. */
function hasInsertId({ properties }: WireEvent): boolean {
  const id = properties['$insert_id'];
  return typeof id === 'string' && id !== '';
}
