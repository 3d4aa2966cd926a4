/** The shapes of PostHog's v0 bodies, read alike when a body arrives and when it is read back from the log. */
import type { Properties } from '../../events/index.js';

/** Longest id and longest name of an event, in characters: what is longer is cut off there, as PostHog does. */
export const MAX_NAME_CHARS = 200;

/** A body taken apart; nothing is validated yet. */
export interface Envelope {
  /** Whatever stood where events stand. */
  events: unknown[];
  /** Project key, from the body or its first event that has one. */
  apiKey: string | undefined;
  /** Whether the key stands in the events, and not in all the same. */
  mixedKeys: boolean;
  /** The client's clock when it sent. */
  sentAt: string | undefined;
  /** Whether the events are not those of the body, which has to be written anew from them. */
  changed: boolean;
}

/** Narrows to a JSON object. */
export function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The same members in an object that inherits none: a key may be any text, `constructor` as well. */
export function withoutInherited<T>(
  members: Readonly<Record<string, T>>
): Record<string, T> {
  return Object.assign(Object.create(null) as Record<string, T>, members);
}

/** Takes apart an array of events, `{api_key, batch: […]}` or a single event; undefined for anything else. */
export function openEnvelope(parsed: unknown): Envelope | undefined {
  const changed = false;
  if (Array.isArray(parsed)) {
    return { events: parsed, ...keyAmong(parsed), sentAt: undefined, changed };
  }
  if (!isObject(parsed)) {
    return undefined;
  }
  const sentAt = text(parsed['sent_at']);
  if (Array.isArray(parsed['batch'])) {
    const events: unknown[] = parsed['batch'];
    const apiKey = keyOf(parsed);
    return apiKey === undefined
      ? { events, ...keyAmong(events), sentAt, changed }
      : { events, apiKey, mixedKeys: false, sentAt, changed };
  }
  return {
    events: [parsed],
    apiKey: keyOf(parsed),
    mixedKeys: false,
    sentAt,
    changed
  };
}

/** The same where what has no name is an update of a person, as on PostHog's `/engage`. */
export function asEngage(envelope: Envelope): Envelope {
  const isUpdate = (event: unknown): event is Properties =>
    isObject(event) && (event['event'] ?? undefined) === undefined;
  return envelope.events.some(isUpdate)
    ? {
        ...envelope,
        events: envelope.events.map(event =>
          isUpdate(event) ? { ...event, event: '$identify' } : event
        ),
        changed: true
      }
    : envelope;
}

/**
 * One event in the contract's shape: `distinct_id` from where clients put it, person
 * properties inside `properties`, an empty uuid left out. The same object where nothing
 * has to change; anything that is no object is returned as it is, for the validation to judge.
 */
export function normalizeEvent(raw: unknown): unknown {
  if (!isObject(raw)) {
    return raw;
  }
  const { event, distinct_id: id, properties: given, uuid, timestamp } = raw;
  if (
    typeof id === 'string' &&
    id.length <= MAX_NAME_CHARS &&
    !id.includes('\0') &&
    isObject(given) &&
    uuid !== '' &&
    uuid !== null &&
    timestamp !== null &&
    raw['$set'] === undefined &&
    raw['$set_once'] === undefined &&
    !(typeof event === 'string' && event.length > MAX_NAME_CHARS)
  ) {
    return raw;
  }
  const properties = given ?? {};
  const result: Properties = { ...raw, properties };
  const found = studentOf(raw, isObject(properties) ? properties : {});
  if (found !== undefined) {
    result['distinct_id'] = found;
  }
  if (typeof event === 'string') {
    result['event'] = cut(event);
  }
  for (const name of ['uuid', 'timestamp']) {
    if (raw[name] === '' || raw[name] === null) {
      delete result[name];
    }
  }
  if (isObject(properties)) {
    result['properties'] = {
      ...properties,
      ...defined(raw, '$set'),
      ...defined(raw, '$set_once')
    };
    delete result['$set'];
    delete result['$set_once'];
  }
  return result;
}

/** Whose event it is, as text; undefined where it says nothing. */
function studentOf(raw: Properties, inner: Properties): string | undefined {
  const id =
    raw['distinct_id'] ??
    raw['$distinct_id'] ??
    inner['distinct_id'] ??
    inner['$distinct_id'] ??
    undefined;
  return id === undefined
    ? undefined
    : cut(
        (typeof id === 'string' ? id : JSON.stringify(id)).replaceAll(
          '\0',
          '\ufffd'
        )
      );
}

/** The first characters, none of them halved. */
function cut(text: string): string {
  return text.length <= MAX_NAME_CHARS
    ? text
    : [...text.slice(0, 2 * MAX_NAME_CHARS)].slice(0, MAX_NAME_CHARS).join('');
}

function defined(raw: Properties, name: string): Properties {
  return raw[name] === undefined || raw[name] === null
    ? {}
    : { [name]: raw[name] };
}

function keyAmong(
  events: readonly unknown[]
): Pick<Envelope, 'apiKey' | 'mixedKeys'> {
  const keys = new Set(events.map(keyOf).filter(key => key !== undefined));
  return { apiKey: [...keys][0], mixedKeys: keys.size > 1 };
}

function keyOf(value: unknown): string | undefined {
  if (!isObject(value)) {
    return undefined;
  }
  const inner = isObject(value['properties']) ? value['properties'] : {};
  return (
    text(value['api_key']) ??
    text(value['token']) ??
    text(value['$token']) ??
    text(inner['token'])
  );
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
