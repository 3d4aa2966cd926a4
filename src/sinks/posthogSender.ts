/** One batch, one request to PostHog's capture endpoint, one answer. */
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { refuseLinkLocal } from './linkLocal.js';
import type { PostHogEvent } from './posthogEvent.js';
import type { Answer, Destination } from './posthogOutcome.js';

const compress = promisify(gzip);

/** Longest answer that is looked at; PostHog's own is a line. */
const MAX_ANSWER_BYTES = 64 * 1024;

/** Sends batches, one at a time. */
export class BatchSender {
  #request: AbortController | null = null;
  #aborted = false;

  constructor(private readonly to: Destination) {}

  /**
   * Sends events in one request.
   *
   * @param historical says that all of them are old: PostHog then takes them for a replay and
   *   not for a sudden rush.
   * @throws Error if no complete answer came in time; how much arrived is then unknown.
   */
  async send(
    events: readonly PostHogEvent[],
    historical: boolean
  ): Promise<Answer> {
    const { apiKey, host, requestTimeoutMs } = this.to;
    const body = [
      `{"api_key":${JSON.stringify(apiKey)},`,
      historical ? '"historical_migration":true,' : '',
      `"batch":[${events.map(({ json }) => json).join(',')}],`,
      `"sent_at":"${new Date().toISOString()}"}`
    ].join('');
    // The fastest level: three times as fast as the usual one for a tenth more bytes.
    const bytes = await compress(body, { level: constants.Z_BEST_SPEED });
    const request = new AbortController();
    this.#request = request;
    const timer = setTimeout(
      () => request.abort(new SilenceError()),
      requestTimeoutMs
    );
    if (this.#aborted) {
      request.abort();
    }
    try {
      await refuseLinkLocal(new URL(host).hostname);
      const response = await fetch(`${host}/batch/`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          'Content-Encoding': 'gzip',
          'User-Agent': 'ipynb-telemetry'
        },
        body: bytes,
        signal: request.signal,
        // A redirect followed would turn the POST into a GET, whose 200 means nothing.
        redirect: 'manual'
      });
      const retryAfter = response.headers.get('retry-after');
      return {
        status: response.status,
        body: await bodyOf(response),
        ...(retryAfter === null ? {} : { retryAfter })
      };
    } finally {
      clearTimeout(timer);
      this.#request = null;
    }
  }

  /** Breaks off the request in flight, and every later one, for good. */
  abort(): void {
    this.#aborted = true;
    this.#request?.abort();
  }
}

/** Raised when no answer came in time. */
export class SilenceError extends Error {
  constructor() {
    super('no answer in time');
    this.name = 'SilenceError';
  }
}

async function bodyOf(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    const part = chunk as Uint8Array;
    parts.push(part);
    size += part.length;
    if (size > MAX_ANSWER_BYTES) {
      break;
    }
  }
  return Buffer.concat(parts).toString('utf8');
}
