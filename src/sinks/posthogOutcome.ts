/** What PostHog's answer, or its silence, means for a batch. */
import type { Outcome } from './types.js';

/** Where a request went, for the wording; `apiKey` is taken out of whatever is said. */
export interface Destination {
  host: string;
  apiKey: string;
  requestTimeoutMs: number;
}

/** How posthog-node reports an answer other than 2xx. */
interface HttpError {
  status: number;
  text: Promise<string>;
  retryAfterMs?: number | undefined;
}

/** The outcome of a request that posthog-node rejected with `error`. Never throws. */
export async function outcomeOf(
  error: unknown,
  destination: Destination
): Promise<Outcome> {
  const outcome = isHttpError(error)
    ? judgeStatus(error, await bodyOf(error), destination)
    : isObject(error) && error['name'] === 'RangeError'
      ? // Writing the JSON failed, and would again: one event is nested too deep.
        refused(`posthog-node cannot write it: ${String(error['message'])}`)
      : retry(explainSilence(error, destination));
  return 'reason' in outcome
    ? { ...outcome, reason: clean(outcome.reason, destination.apiKey) }
    : outcome;
}

function judgeStatus(
  { status, retryAfterMs }: HttpError,
  body: string,
  { host }: Destination
): Outcome {
  const said = body === '' ? '' : `: ${body}`;
  if (status === 408 || status === 429 || status >= 500) {
    return retry(`${host} answered ${status}${said}`, retryAfterMs);
  }
  if (status === 400 || status === 413) {
    return refused(`PostHog answered ${status}${said}`);
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

function explainSilence(error: unknown, destination: Destination): string {
  const said: string[] = [];
  let cause: unknown = error;
  // posthog-node wraps fetch's error, which wraps the socket's.
  for (let depth = 0; isObject(cause) && depth < 5; depth += 1) {
    if (cause['name'] === 'AbortError') {
      return `${destination.host} gave no answer within ${destination.requestTimeoutMs / 1000} s`;
    }
    said.push(String(cause['code'] ?? cause['message']));
    cause = cause['cause'] ?? cause['error'];
  }
  return `cannot reach ${destination.host}: ${said.at(-1) ?? String(error)}`;
}

function retry(reason: string, afterMs?: number): Outcome {
  return {
    kind: 'retry',
    reason,
    ...(afterMs === undefined ? {} : { afterMs })
  };
}

function refused(reason: string): Outcome {
  return { kind: 'refused', reason };
}

function isHttpError(
  error: unknown
): error is HttpError & Record<string, unknown> {
  return (
    isObject(error) &&
    error['name'] === 'PostHogFetchHttpError' &&
    typeof error['status'] === 'number'
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

async function bodyOf(error: HttpError): Promise<string> {
  try {
    return await error.text;
  } catch {
    return '';
  }
}

/** One short line without the key, fit for a log. */
function clean(reason: string, apiKey: string): string {
  const line = reason.replaceAll(apiKey, '…').replace(/\p{Cc}+/gu, ' ');
  return line.length > 400 ? `${line.slice(0, 399)}…` : line;
}
