/** What the Jupyter server's answers to a batch mean, and what all its answers have in common. */

/** What became of a batch, and with it the sender's duty. */
export type Outcome =
  /** Safe at the relay: forget the batch. `rejected` were set aside there with a reason. */
  | { kind: 'ok'; rejected: Rejection[] }
  | Retry
  /** Send less at a time. */
  | { kind: 'too-large' }
  /** Never: drop the batch and say so. */
  | { kind: 'refused'; reason: string }
  | Off;

/** Not now: keep what was to be sent and try again, not before `afterMs` where it is given. */
export interface Retry {
  kind: 'retry';
  reason: string;
  afterMs: number | null;
}

/** Nobody collects here: send nothing more. */
export interface Off {
  kind: 'off';
  reason: string;
}

/** One event that the relay set aside. */
export interface Rejection {
  uuid: string | null;
  message: string;
}

/** An HTTP answer as far as it is read. `body` is parsed JSON or null. */
export interface Answer {
  status: number;
  retryAfter: string | null;
  etag?: string | null;
  body: unknown;
}

/** Reads the answer to a batch. */
export function readBatchAnswer(answer: Answer): Outcome {
  const { status } = answer;
  const body = bag(answer.body);
  if (status >= 200 && status < 300) {
    const rejected = Array.isArray(body['rejected']) ? body['rejected'] : [];
    return {
      kind: 'ok',
      rejected: rejected.map(entry => ({
        uuid: text(bag(entry)['uuid']),
        message: text(bag(entry)['message']) ?? 'no reason given'
      }))
    };
  }
  const off = nobodyCollects(answer);
  if (off !== null) {
    return { kind: 'off', reason: off };
  }
  if (status === 413) {
    return { kind: 'too-large' };
  }
  if (status === 400 || status === 422) {
    return { kind: 'refused', reason: reasonOf(answer) };
  }
  // 401 and 403 too: a key or a login can be mended while the events wait.
  return later(answer);
}

/** Why there is nobody to send to, or null if there may be. */
export function nobodyCollects(answer: Answer): string | null {
  // The extension's own answers are JSON; Jupyter's page for an unknown address is not.
  if (answer.status === 404 && answer.body === null) {
    return 'the Jupyter server has no ipynb-telemetry extension';
  }
  return bag(answer.body)['configured'] === false ? reasonOf(answer) : null;
}

/** To be asked again. */
export function later(answer: Answer): Retry {
  const seconds = Number(answer.retryAfter ?? NaN);
  return {
    kind: 'retry',
    reason: reasonOf(answer),
    afterMs: seconds >= 0 ? seconds * 1000 : null
  };
}

function reasonOf(answer: Answer): string {
  const body = bag(answer.body);
  return (
    text(body['message']) ?? text(body['error']) ?? `HTTP ${answer.status}`
  );
}

/** An object to read from, whatever `value` is. */
export function bag(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : {};
}

/** `value` where it is text. */
export function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
