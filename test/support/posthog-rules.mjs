/**
 * PostHog's rules for what it takes, as pure functions: how a body is decoded, which
 * token and which events are good, what time is stored, and which rows count as one.
 */
import { randomUUID } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

/** Limits of PostHog's v0 analytics routes, in bytes. */
export const WIRE_LIMIT = 20 * 1024 * 1024;
export const DECOMPRESSED_LIMIT = 100 * 1024 * 1024;
/** The message queue behind it counts the event as a JSON string inside JSON. */
export const EVENT_LIMIT = 1_000_000;

/** Routes that take events. */
export const CAPTURE_PATHS = new Set([
  '/batch',
  '/capture',
  '/e',
  '/engage',
  '/i/v0/e',
  '/track'
]);
/** Routes where clients may wrap the payload in base64 once more. */
const UNWRAPPING_PATHS = new Set(['/capture', '/e', '/engage', '/track']);

/** What PostHog answers instead of taking the request; nothing of it is stored. */
export class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} message
   */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/**
 * The JSON value of a request.
 *
 * @param {{path: string, query: URLSearchParams, contentType: string, contentEncoding: string, body: Buffer}} request
 * @returns {unknown}
 * @throws {Refusal} 400 or 413
 */
export function decode({ path, query, contentType, contentEncoding, body }) {
  let payload = query.has('data') ? Buffer.from(query.get('data') ?? '') : body;
  if (payload.length === 0) {
    throw new Refusal(400, 'failed to decode request: empty body');
  }
  let hint = query.get('compression') ?? '';
  if (contentType === 'application/x-www-form-urlencoded') {
    const form = new URLSearchParams(payload.toString('latin1'));
    const data = form.get('data');
    if (data === null) {
      throw new Refusal(400, 'failed to decode request: form without data');
    }
    const restored = data.replaceAll(' ', '+');
    payload = looksBase64(restored)
      ? Buffer.from(restored, 'base64')
      : Buffer.from(data, 'utf8');
    hint ||= form.get('compression') ?? '';
  } else {
    payload = unwrapBase64(payload);
  }
  hint = (hint || contentEncoding).toLowerCase();
  if (hint === 'lz64' || hint === 'lz-string') {
    throw new Refusal(400, 'the stand-in does not read lz-string bodies');
  }
  const gzipped = payload[0] === 0x1f && payload[1] === 0x8b;
  if (gzipped || hint === 'gzip' || hint === 'gzip-js') {
    payload = gunzip(payload);
  }
  if (UNWRAPPING_PATHS.has(path)) {
    payload = unwrapBase64(payload);
  }
  try {
    return JSON.parse(
      new TextDecoder('utf-8', { fatal: true }).decode(payload)
    );
  } catch {
    throw new Refusal(400, 'failed to parse request: invalid JSON or UTF-8');
  }
}

/**
 * Token and events of a decoded body: all of them good, or a refusal of the whole.
 *
 * @param {unknown} value
 * @param {string} path
 * @returns {{token: string, sentAt: string | undefined, historical: boolean, events: Record<string, any>[]}}
 * @throws {Refusal} 400, 401 or 413
 */
export function openBody(value, path) {
  const whole = Array.isArray(value) ? {} : value;
  if (!isObject(whole)) {
    throw new Refusal(400, 'failed to parse request: neither object nor array');
  }
  const isBatch = Array.isArray(whole.batch);
  const raw = Array.isArray(value) ? value : isBatch ? whole.batch : [whole];
  if (raw.length === 0) {
    throw new Refusal(400, 'request contains no events');
  }
  const events = raw.map(event => readEvent(event, path));
  if (raw.some(isTooLarge)) {
    throw new Refusal(413, 'event submitted is too large');
  }
  const shared = isBatch ? (whole.api_key ?? whole.token) : undefined;
  const tokens = new Set(
    shared !== undefined ? [shared] : raw.map(tokenOf).filter(isDefined)
  );
  return {
    token: checkToken(tokens),
    sentAt: typeof whole.sent_at === 'string' ? whole.sent_at : undefined,
    historical: whole.historical_migration === true,
    events: events.filter(({ event }) => event !== '$performance_event')
  };
}

/**
 * The time PostHog stores, in ms since 1970. It corrects the client's clock by the
 * transit time of each attempt, unless the event says `$ignore_sent_at`.
 *
 * @param {{timestamp?: string, offset?: number, properties: Record<string, unknown>}} event
 * @param {string | undefined} sentAt
 * @param {number} now
 */
export function storedTime(event, sentAt, now) {
  if (event.offset !== undefined) {
    return now - event.offset;
  }
  let time = event.timestamp === undefined ? NaN : Date.parse(event.timestamp);
  if (Number.isNaN(time)) {
    return now;
  }
  const sent = sentAt === undefined ? NaN : Date.parse(sentAt);
  if (!Number.isNaN(sent) && event.properties.$ignore_sent_at !== true) {
    time -= sent - now;
  }
  if (time > now + 23 * 3600_000) {
    return now;
  }
  const year = new Date(time).getUTCFullYear();
  return year < 0 || year > 9999 ? 0 : time;
}

/**
 * Rows of one key are merged into one; the day of the stored time is part of it,
 * the time itself is not.
 *
 * @param {{token: string, timestamp: string, event: string, distinct_id: string, uuid: string}} row
 */
export function mergeKey({ token, timestamp, event, distinct_id, uuid }) {
  return JSON.stringify([
    token,
    timestamp.slice(0, 10),
    event,
    distinct_id,
    uuid
  ]);
}

const UUID = /^[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/i;

/**
 * @param {unknown} raw
 * @param {string} path
 */
function readEvent(raw, path) {
  if (!isObject(raw)) {
    throw new Refusal(400, 'failed to parse request: an event is no object');
  }
  const given = raw.properties ?? {};
  if (!isObject(given)) {
    throw new Refusal(400, 'failed to parse request: properties is no object');
  }
  const event = raw.event ?? (path === '/engage' ? '$identify' : undefined);
  if (typeof event !== 'string' || event === '') {
    throw new Refusal(400, 'event submitted without an event name');
  }
  const id = raw.distinct_id ?? raw.$distinct_id ?? given.distinct_id;
  const distinctId = typeof id === 'string' ? id : JSON.stringify(id ?? '');
  if (id === undefined || id === null || distinctId.trim() === '') {
    throw new Refusal(400, 'event submitted without a distinct_id');
  }
  const uuid = raw.uuid || undefined;
  if (uuid !== undefined && !(typeof uuid === 'string' && UUID.test(uuid))) {
    throw new Refusal(400, 'failed to parse request: UUID parsing failed');
  }
  for (const [field, type] of [
    ['timestamp', 'string'],
    ['offset', 'number']
  ]) {
    if (raw[field] != null && typeof raw[field] !== type) {
      throw new Refusal(400, `failed to parse request: ${field} is no ${type}`);
    }
  }
  const properties = { ...given };
  for (const field of ['$set', '$set_once']) {
    if (raw[field] !== undefined) {
      properties[field] = raw[field];
    }
  }
  const cookieless = properties.$cookieless_mode;
  if (cookieless !== undefined && typeof cookieless !== 'boolean') {
    throw new Refusal(400, 'invalid $cookieless_mode');
  }
  return {
    event: [...event].slice(0, 200).join(''),
    distinct_id: [...distinctId.replaceAll('\0', '\ufffd')]
      .slice(0, 200)
      .join(''),
    uuid: uuid === undefined ? randomUUID() : uuid.toLowerCase(),
    timestamp: raw.timestamp ?? undefined,
    offset: raw.offset ?? undefined,
    properties
  };
}

/** @param {unknown} event */
function isTooLarge(event) {
  const json = JSON.stringify(event);
  // Quotes and a letter's bytes can make it four times as long, no more.
  return (
    json.length > EVENT_LIMIT / 4 &&
    Buffer.byteLength(JSON.stringify(json)) > EVENT_LIMIT
  );
}

/** @param {Set<unknown>} tokens */
function checkToken(tokens) {
  const [token] = tokens;
  if (token === undefined) {
    throw new Refusal(401, 'event submitted without an api_key');
  }
  if (tokens.size > 1) {
    throw new Refusal(401, 'batch submitted with inconsistent api_key values');
  }
  if (
    typeof token !== 'string' ||
    !/^[\x01-\x7f]{1,64}$/.test(token) ||
    token.startsWith('phx_')
  ) {
    throw new Refusal(401, 'API key is not valid');
  }
  return token;
}

/** @param {any} event */
function tokenOf(event) {
  return (
    event.token ?? event.$token ?? event.api_key ?? event.properties?.token
  );
}

/** @param {Buffer} payload */
function gunzip(payload) {
  try {
    return gunzipSync(payload, { maxOutputLength: DECOMPRESSED_LIMIT });
  } catch (error) {
    const tooBig = /** @type {any} */ (error).code === 'ERR_BUFFER_TOO_LARGE';
    throw tooBig
      ? new Refusal(413, 'decompressed request is too large')
      : new Refusal(400, 'failed to decode request: invalid gzip');
  }
}

/** @param {Buffer} payload */
function unwrapBase64(payload) {
  const text = payload.toString('latin1').trim();
  return looksBase64(text) ? Buffer.from(text, 'base64') : payload;
}

/** @param {string} text */
function looksBase64(text) {
  return (
    text.length % 4 === 0 && /^[A-Za-z0-9+/]+={0,2}$/.test(text.slice(0, 128))
  );
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, any>}
 */
function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** @param {unknown} value */
function isDefined(value) {
  return value !== undefined && value !== null;
}
