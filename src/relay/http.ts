/** What every answer of the relay has in common: request ids, CORS for clients, headers that keep browsers strict. */
import { randomBytes } from 'node:crypto';
import type {
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse
} from 'node:http';
import type { RelayError } from './errors.js';

const PREFIX = randomBytes(5).toString('hex');
let requests = 0;

/** An id for a request: in the answer's `X-Request-Id` and in the relay's log, and nowhere else. */
export function requestId(): string {
  requests += 1;
  return `${PREFIX}-${requests.toString(36)}`;
}

/** What every answer tells browsers: to take it for nothing else than it says, and to keep it to themselves. */
export const STRICT_HEADERS = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'"
} as const;

/** With TLS: never to come by plain HTTP again, for half a year. */
export const HSTS = 'max-age=15768000';

/**
 * Headers that let a page of any origin read the answer. Beacons carry cookies, so `*` would not
 * do; no answer that is sent with these depends on a cookie.
 */
export function corsHeaders(request: IncomingMessage): OutgoingHttpHeaders {
  const { origin } = request.headers;
  if (origin === undefined) {
    return { ...STRICT_HEADERS, 'access-control-allow-origin': '*' };
  }
  const headers: OutgoingHttpHeaders = {
    ...STRICT_HEADERS,
    'access-control-allow-origin': origin,
    'access-control-allow-credentials': 'true',
    'access-control-expose-headers': 'Retry-After, X-Request-Id',
    vary: 'Origin, Access-Control-Request-Headers'
  };
  if (request.method === 'OPTIONS') {
    const asked = request.headers['access-control-request-headers'];
    headers['access-control-allow-methods'] = 'GET, POST, OPTIONS';
    headers['access-control-max-age'] = '86400';
    if (asked !== undefined) {
      headers['access-control-allow-headers'] = asked;
    }
  }
  return headers;
}

/** Writes a JSON answer. */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: string,
  headers: OutgoingHttpHeaders
): void {
  headers['content-type'] = 'application/json; charset=utf-8';
  headers['content-length'] = Buffer.byteLength(body);
  response.writeHead(status, headers).end(body);
}

/** Writes an error's answer. */
export function sendError(
  response: ServerResponse,
  error: RelayError,
  headers: OutgoingHttpHeaders
): void {
  if (error.status === 503) {
    headers['retry-after'] = String(error.retryAfterS);
  }
  if (error.status === 408) {
    // Nothing more is to be expected on this connection.
    headers['connection'] = 'close';
  }
  sendJson(response, error.status, JSON.stringify(error.body()), headers);
}

/** The request's path below the prefix (which begins with a slash and does not end in one), without its query. */
export function pathOf(url: string | undefined, prefix: string): string {
  const full = (url ?? '/').split('?', 1)[0]!;
  return prefix !== '' && (full === prefix || full.startsWith(`${prefix}/`))
    ? full.slice(prefix.length) || '/'
    : full;
}

/** The request's query. */
export function queryOf(url: string | undefined): URLSearchParams {
  const at = (url ?? '').indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url!.slice(at + 1));
}
