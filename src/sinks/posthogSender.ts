/** posthog-node in acknowledged mode: one batch, one request, one outcome. */
import { PostHog, type EventMessage } from 'posthog-node';
import type { PostHogEvent } from './posthogEvent.js';
import type { Destination } from './posthogOutcome.js';

/**
 * posthog-node without its own queueing, retrying, enriching and timers. By itself it
 * deletes a batch that was answered 503, and drops the oldest events when its queue is
 * full; with a queue that holds one batch and a flush that is awaited it can do neither
 * unnoticed.
 */
export class BatchSender extends PostHog {
  private request: AbortController | null = null;
  private aborted = false;

  constructor(
    to: Destination,
    private readonly batch: number
  ) {
    super(to.apiKey, {
      host: to.host,
      requestTimeout: to.requestTimeoutMs,
      // One above the batch: nothing is sent before `flush`, and sent whole then.
      flushAt: batch + 1,
      maxBatchSize: batch + 1,
      maxQueueSize: batch + 1,
      flushInterval: 0,
      fetchRetryCount: 0,
      disableGeoip: false,
      isServer: false,
      fetch: (url, init) => this.post(url, init as RequestInit)
    });
    // The environment can switch the SDK to a protocol in which a lost batch looks delivered.
    Reflect.set(this, 'captureMode', 'v0');
  }

  /**
   * Sends events in one request (in halves where the SDK finds it too big). At most
   * `batch` events, one call at a time.
   *
   * @throws what posthog-node rejects with; how much arrived is then unknown.
   */
  async send(events: readonly PostHogEvent[]): Promise<void> {
    try {
      for (const { event, distinctId, properties, uuid, timestamp } of events) {
        this.captureStateless(distinctId, event, properties as JsonProperties, {
          uuid,
          // Text keeps the microseconds, which a Date has no room for.
          timestamp: timestamp as unknown as Date
        });
      }
      const queued = this.queue();
      if (queued !== events.length) {
        throw new Error(
          `posthog-node took ${queued} of ${events.length} events`
        );
      }
      await this.flush();
      if (this.queue() > 0) {
        throw new Error(`posthog-node kept ${this.queue()} events back`);
      }
    } finally {
      this.setPersistedProperty(QUEUE, []);
      // After a 413 the SDK would stay with its halves for ever.
      Reflect.set(this, 'maxBatchSize', this.batch + 1);
    }
  }

  /** Breaks off the request in flight, for good. */
  abort(): void {
    this.aborted = true;
    this.request?.abort();
  }

  /** `$lib` and its like stay as the event's own client set them. */
  protected override getCommonEventProperties(): Record<string, never> {
    return {};
  }

  private queue(): number {
    const queue: unknown = this.getPersistedProperty(QUEUE);
    return Array.isArray(queue) ? queue.length : 0;
  }

  private async post(url: string, init: RequestInit): Promise<Response> {
    const request = new AbortController();
    this.request = request;
    if (this.aborted) {
      request.abort();
    }
    init.signal?.addEventListener('abort', () => request.abort(), {
      once: true
    });
    // A redirect followed would turn the POST into a GET, whose 200 means nothing.
    return fetch(url, { ...init, signal: request.signal, redirect: 'manual' });
  }
}

type QueueKey = Parameters<PostHog['getPersistedProperty']>[0];
/** The SDK's name for its queue; the enum is not exported. */
const QUEUE = 'queue' as QueueKey;
/** Values read from JSON are what the SDK asks for. */
type JsonProperties = NonNullable<EventMessage['properties']>;
