/** The page's requests to the Jupyter server's own ipynb-telemetry routes. */
import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';
import type { ConsentServer } from './agreement.js';
import {
  readConsentAnswer,
  readCourseAnswer,
  type ConsentAnswer
} from './courseAnswer.js';
import {
  later,
  nobodyCollects,
  readBatchAnswer,
  type Answer,
  type Outcome,
  type Retry
} from './outcomes.js';
import type { QueuedEvent } from './store.js';

/** Longest time for an answer, in milliseconds. */
const TIMEOUT_MS = 20_000;

/**
 * Sends one batch.
 *
 * @param keepalive the request outlives the page (64 KiB at most).
 * @param signal calls the request off: no answer came, or the student withdrew.
 */
export async function postBatch(
  settings: ServerConnection.ISettings,
  batch: readonly QueuedEvent[],
  keepalive: boolean,
  signal?: AbortSignal
): Promise<Outcome> {
  try {
    return readBatchAnswer(
      await ask(settings, 'batch', {
        method: 'POST',
        // Set at each attempt: the relay tells the clock's error from it.
        body: JSON.stringify({ batch, sent_at: new Date().toISOString() }),
        keepalive,
        ...(signal ? { signal } : {})
      })
    );
  } catch (error) {
    return failed(error);
  }
}

/** Course and decision, as the Jupyter server keeps them. */
export function consentServer(
  settings: ServerConnection.ISettings
): ConsentServer {
  const consent = async (init: RequestInit): Promise<ConsentAnswer> => {
    try {
      return readConsentAnswer(await ask(settings, 'consent', limited(init)));
    } catch (error) {
      return failed(error);
    }
  };
  return {
    async course(etag) {
      try {
        const headers: HeadersInit =
          etag === null ? [] : [['If-None-Match', etag]];
        return readCourseAnswer(
          await ask(settings, 'course', limited({ headers }))
        );
      } catch (error) {
        return failed(error);
      }
    },
    consent: () => consent({}),
    keep: (record, student) =>
      consent({
        method: 'PUT',
        body: JSON.stringify({
          record,
          ...(student === undefined ? {} : { student })
        }),
        // A decision counts even if the page is closed the moment after.
        keepalive: true
      }),
    async forget() {
      try {
        const answer = await ask(settings, 'me', limited({ method: 'DELETE' }));
        const off = nobodyCollects(answer);
        if (off !== null) {
          return { kind: 'off', reason: off };
        }
        return answer.status < 300 ? { kind: 'ok' } : later(answer);
      } catch (error) {
        return failed(error);
      }
    }
  };
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
    etag: response.headers.get('ETag'),
    body
  };
}

function limited(init: RequestInit): RequestInit {
  return { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) };
}

function failed(error: unknown): Retry {
  return {
    kind: 'retry',
    reason: error instanceof Error ? error.message : String(error),
    afterMs: null
  };
}
