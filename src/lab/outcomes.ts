/** What the Jupyter server's answers mean, read in one place. */
import { DEFAULT_EVENTS, SELECTABLE_EVENTS } from '../events/collection.js';
import type { CourseSettings, PrivacyLevel } from '../events/types.js';

/** What became of a batch, and with it the sender's duty. */
export type Outcome =
  /** Safe at the relay: forget the batch. `rejected` were set aside there with a reason. */
  | { kind: 'ok'; rejected: Rejection[] }
  /** Not now: keep the batch and try again, not before `afterMs` where it is given. */
  | { kind: 'retry'; reason: string; afterMs: number | null }
  /** Send less at a time. */
  | { kind: 'too-large' }
  /** Never: drop the batch and say so. */
  | { kind: 'refused'; reason: string }
  /** Nobody collects here: send nothing more. */
  | { kind: 'off'; reason: string };

/** One event that the relay set aside. */
export interface Rejection {
  uuid: string | null;
  message: string;
}

/** What asking for the course's settings gave. */
export type CourseAnswer =
  | { kind: 'course'; settings: CourseSettings }
  | { kind: 'off'; reason: string }
  | { kind: 'retry'; reason: string; afterMs: number | null };

/** An HTTP answer as far as it is read. `body` is parsed JSON or null. */
export interface Answer {
  status: number;
  retryAfter: string | null;
  body: unknown;
}

/** PostHog itself knows no courses: as little as possible is sent there. */
const NO_SETTINGS: CourseSettings = {
  course: '',
  title: '',
  version: 0,
  level: 'outcomes',
  consent: 'notice',
  identity: 'names',
  events: [...DEFAULT_EVENTS],
  notice: {
    version: 1,
    receiver: '',
    retention_days: null,
    contact: null,
    text: null
  }
};

const LEVELS: readonly string[] = ['outcomes', 'code', 'full'];

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

/** How a relay refuses a key; PostHog has no such codes. */
const RELAY_CODES = new Set(['missing_key', 'unknown_key', 'revoked_key']);

/** Reads the answer to the question for the course's settings. */
export function readCourseAnswer(answer: Answer): CourseAnswer {
  const off = nobodyCollects(answer);
  if (off !== null) {
    return { kind: 'off', reason: off };
  }
  const body = bag(answer.body);
  if (answer.status === 401 && RELAY_CODES.has(text(body['code']) ?? '')) {
    // A relay that does not know the key now may know it later, and the course may ask for consent.
    return later(answer);
  }
  if (answer.status === 401 || answer.status === 404) {
    return { kind: 'course', settings: NO_SETTINGS };
  }
  if (answer.status !== 200) {
    return later(answer);
  }
  const notice = bag(body['notice']);
  return {
    kind: 'course',
    settings: {
      course: text(body['course']) ?? '',
      title: text(body['title']) ?? '',
      version: typeof body['version'] === 'number' ? body['version'] : 0,
      // What is not understood collects the least.
      level: LEVELS.includes(String(body['level']))
        ? (body['level'] as PrivacyLevel)
        : 'outcomes',
      consent: body['consent'] === 'notice' ? 'notice' : 'opt-in',
      identity: body['identity'] === 'pseudonyms' ? 'pseudonyms' : 'names',
      events: SELECTABLE_EVENTS.filter(name =>
        (Array.isArray(body['events'])
          ? body['events']
          : DEFAULT_EVENTS
        ).includes(name)
      ),
      notice: {
        version: typeof notice['version'] === 'number' ? notice['version'] : 1,
        receiver: text(notice['receiver']) ?? '',
        retention_days:
          typeof notice['retention_days'] === 'number'
            ? notice['retention_days']
            : null,
        contact: text(notice['contact']),
        text: text(notice['text'])
      }
    }
  };
}

/** Why there is nobody to send to, or null if there may be. */
function nobodyCollects(answer: Answer): string | null {
  // The extension's own answers are JSON; Jupyter's page for an unknown address is not.
  if (answer.status === 404 && answer.body === null) {
    return 'the Jupyter server has no ipynb-telemetry extension';
  }
  return bag(answer.body)['configured'] === false ? reasonOf(answer) : null;
}

function later(answer: Answer): {
  kind: 'retry';
  reason: string;
  afterMs: number | null;
} {
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

function bag(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
