/** What PostHog's answer, or its silence, means for a batch. */
import type { Outcome } from './types.js';

/** Where a request goes; `apiKey` is taken out of whatever is said. */
export interface Destination {
  host: string;
  apiKey: string;
  requestTimeoutMs: number;
}

/** A complete answer. */
export interface Answer {
  status: number;
  body: string;
  /** The header, as it came. */
  retryAfter?: string;
}

/** The outcome of a request that was answered. */
export function outcomeOfAnswer(
  answer: Answer,
  { host, apiKey }: Destination,
  now = Date.now()
): Outcome {
  const outcome = judge(answer, host, now);
  return 'reason' in outcome
    ? { ...outcome, reason: clean(outcome.reason, apiKey) }
    : outcome;
}

/** The outcome of a request that was not answered: whether it arrived is unknown. */
export function outcomeOfSilence(
  error: unknown,
  { host, apiKey, requestTimeoutMs }: Destination
): Outcome {
  const said: string[] = [];
  let silent = false;
  let cause: unknown = error;
  // fetch wraps the socket's error.
  for (let depth = 0; isObject(cause) && depth < 5; depth += 1) {
    silent ||= cause['name'] === 'SilenceError';
    said.push(String(cause['code'] ?? cause['message']));
    cause = cause['cause'];
  }
  const reason = silent
    ? `${host} gave no answer within ${requestTimeoutMs / 1000} s`
    : `cannot reach ${host}: ${said.at(-1) ?? String(error)}`;
  return { kind: 'retry', reason: clean(reason, apiKey) };
}

/**
 * Milliseconds that a `Retry-After` header asks for: seconds or a date (RFC 9110, 10.2.3);
 * undefined where it says neither.
 */
export function retryAfterMs(
  header: string | undefined,
  now: number
): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+(\.\d+)?$/.test(text)) {
    return Math.ceil(Number(text) * 1000);
  }
  // A date has a month's name; Date.parse takes much else for one.
  const at = /[a-z]{3}/i.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(at) ? undefined : Math.max(0, at - now);
}

function judge(
  { status, body, retryAfter }: Answer,
  host: string,
  now: number
): Outcome {
  const said = body === '' ? '' : `: ${body}`;
  if (status >= 200 && status < 300) {
    return isPostHogs(body)
      ? { kind: 'ok' }
      : {
          kind: 'stop',
          reason: `${host} answered ${status} with something that is no answer of PostHog's. Does a proxy or a login page stand in its place? It said${said}`
        };
  }
  if (status === 408 || status === 429 || status >= 500) {
    const afterMs = retryAfterMs(retryAfter, now);
    return {
      kind: 'retry',
      reason: `${host} answered ${status}${said}`,
      ...(afterMs === undefined ? {} : { afterMs })
    };
  }
  if (status === 400 || status === 413) {
    return { kind: 'refused', reason: `PostHog answered ${status}${said}` };
  }
  if (status === 401 || status === 403) {
    return {
      kind: 'stop',
      reason:
        `${host} answered ${status}: it does not know the project key. ` +
        `Compare it with the "Project API key" in the project's settings (it begins with phc_), ` +
        `and the host with the project's region`
    };
  }
  // Anything else says that this is not the place for events. None of them is to blame.
  return {
    kind: 'stop',
    reason:
      `${host} answered ${status}, as PostHog's ingestion never does. ` +
      `Is the host right (https://us.i.posthog.com, https://eu.i.posthog.com or your own)?`
  };
}

/** PostHog says `{"status":"Ok"}`, `{"status":1}` or nothing; a web page with status 200 has taken no event. */
function isPostHogs(body: string): boolean {
  if (body.trim() === '') {
    return true;
  }
  try {
    return JSON.parse(body) !== null;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** One short line without the key, fit for a log. */
function clean(reason: string, apiKey: string): string {
  const line = reason.replaceAll(apiKey, '…').replace(/\p{Cc}+/gu, ' ');
  return line.length > 400 ? `${line.slice(0, 399)}…` : line;
}
