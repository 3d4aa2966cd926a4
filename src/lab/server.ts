/** The page's requests to the Jupyter server's own ipynb-telemetry routes. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import {
  readBatchAnswer,
  readCourseAnswer,
  type Answer,
  type CourseAnswer,
  type Outcome
} from './outcomes.js';
import type { QueuedEvent } from './store.js';

/** Longest time for an answer, in milliseconds. */
const TIMEOUT_MS = 20_000;

/** Sends one batch. `keepalive`: the request outlives the page (64 KiB at most). */
export async function postBatch(
  settings: ServerConnection.ISettings,
  batch: readonly QueuedEvent[],
  keepalive: boolean
): Promise<Outcome> {
  try {
    return readBatchAnswer(
      await ask(settings, 'batch', {
        method: 'POST',
        // Set at each attempt: the relay tells the clock's error from it.
        body: JSON.stringify({ batch, sent_at: new Date().toISOString() }),
        keepalive,
        ...(keepalive ? {} : { signal: AbortSignal.timeout(TIMEOUT_MS) })
      })
    );
  } catch (error) {
    return { kind: 'retry', reason: describe(error), afterMs: null };
  }
}

/** Asks for the course's settings. */
export async function getCourse(
  settings: ServerConnection.ISettings
): Promise<CourseAnswer> {
  try {
    return readCourseAnswer(
      await ask(settings, 'course', { signal: AbortSignal.timeout(TIMEOUT_MS) })
    );
  } catch (error) {
    return { kind: 'retry', reason: describe(error), afterMs: null };
  }
}

async function ask(
  settings: ServerConnection.ISettings,
  route: string,
  init: RequestInit
): Promise<Answer> {
  const response = await ServerConnection.makeRequest(
    URLExt.join(settings.baseUrl, 'ipynb-telemetry', route),
    init,
    settings
  );
  // Read to the end: until then a keepalive body counts against the browser's limit.
  const text = await response.text();
  let body: unknown = null;
  try {
    body = JSON.parse(text);
  } catch {
    // A proxy's page, say: the status tells enough.
  }
  return {
    status: response.status,
    retryAfter: response.headers.get('Retry-After'),
    body
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
