/** The shapes of PostHog's v0 bodies, read alike when a body arrives and when it is read back from the log. */
import type { Properties } from '../../events/index.js';

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
}

/** Narrows to a JSON object. */
export function isObject(value: unknown): value is Properties {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Takes apart an array of events, `{api_key, batch: […]}` or a single event; undefined for anything else. */
export function openEnvelope(parsed: unknown): Envelope | undefined {
  if (Array.isArray(parsed)) {
    return { events: parsed, ...keyAmong(parsed), sentAt: undefined };
  }
  if (!isObject(parsed)) {
    return undefined;
  }
  const sentAt = text(parsed['sent_at']);
  if (Array.isArray(parsed['batch'])) {
    const events: unknown[] = parsed['batch'];
    const apiKey = keyOf(parsed);
    return apiKey === undefined
      ? { events, ...keyAmong(events), sentAt }
      : { events, apiKey, mixedKeys: false, sentAt };
  }
  return { events: [parsed], apiKey: keyOf(parsed), mixedKeys: false, sentAt };
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
  const given = raw['properties'];
  const emptyUuid = raw['uuid'] === '' || raw['uuid'] === null;
  if (
    typeof raw['distinct_id'] === 'string' &&
    given !== undefined &&
    !emptyUuid &&
    raw['$set'] === undefined &&
    raw['$set_once'] === undefined
  ) {
    return raw;
  }
  const properties = given === undefined ? {} : given;
  const changes: Properties = {};
  if (given === undefined) {
    changes['properties'] = properties;
  }
  if (typeof raw['distinct_id'] !== 'string') {
    const inner = isObject(properties) ? properties : {};
    const id =
      raw['distinct_id'] ??
      raw['$distinct_id'] ??
      inner['distinct_id'] ??
      inner['$distinct_id'];
    if (id !== undefined && id !== null) {
      changes['distinct_id'] = typeof id === 'string' ? id : JSON.stringify(id);
    }
  }
  if (isObject(properties) && ('$set' in raw || '$set_once' in raw)) {
    changes['properties'] = {
      ...properties,
      ...('$set' in raw ? { $set: raw['$set'] } : {}),
      ...('$set_once' in raw ? { $set_once: raw['$set_once'] } : {})
    };
  }
  if (Object.keys(changes).length === 0 && !emptyUuid) {
    return raw;
  }
  const { $set: _set, $set_once: _once, ...rest } = { ...raw, ...changes };
  if (emptyUuid) {
    delete (rest as Properties)['uuid'];
  }
  return rest;
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
