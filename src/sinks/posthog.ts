/** The PostHog sink: posthog-node as the sender of one batch at a time, each with an exact outcome. */
import type { TelemetryRecord } from '../events/index.js';
import { toPostHogEvent, type PostHogEvent } from './posthogEvent.js';
import { outcomeOf } from './posthogOutcome.js';
import { BatchSender } from './posthogSender.js';
import type { Outcome, Sink } from './types.js';

/** A PostHog project, and how to talk to it. */
export interface PostHogSinkOptions {
  /** Name of the sink and its cursor. */
  name: string;
  /** PostHog's ingestion, `https://us.i.posthog.com`. */
  host: string;
  /** The project's write key. Never appears in a message. */
  apiKey: string;
  /** How long to wait for an answer, in ms. 10,000 by default. */
  requestTimeoutMs?: number;
  /** Records a batch; 500 by default. */
  maxBatch?: number;
  /** Let PostHog derive places from IP addresses. False by default: `$ip` is not passed on. */
  geoip?: boolean;
}

/** PostHog takes 20 MB; half a batch too many costs less than a resend of it all. */
const MAX_REQUEST_BYTES = 5_000_000;

/**
 * A sink into one PostHog project.
 *
 * @throws TypeError if the options cannot work.
 */
export function createPostHogSink(options: PostHogSinkOptions): Sink {
  const { name, requestTimeoutMs = 10_000, maxBatch = 500 } = options;
  const host = checkHost(options.host);
  const apiKey = options.apiKey.trim();
  if (apiKey === '') {
    // The SDK would take every event and send none.
    throw new TypeError(`sink ${name}: the project key is empty`);
  }
  const destination = { host, apiKey, requestTimeoutMs };
  const sender = new BatchSender(destination, maxBatch);
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;

  async function deliver(
    records: readonly TelemetryRecord[]
  ): Promise<Outcome> {
    const events: PostHogEvent[] = [];
    for (const record of records) {
      const prepared = toPostHogEvent(record, options.geoip ?? false);
      if (!prepared.ok) {
        return {
          kind: 'refused',
          reason: `PostHog cannot take event ${record.uuid ?? '(no uuid)'}: ${prepared.reason}`
        };
      }
      events.push(prepared.event);
    }
    for (const part of parts(events, maxBatch)) {
      if (closed) {
        return { kind: 'retry', reason: 'the sink is closed' };
      }
      try {
        await sender.send(part);
      } catch (error) {
        return closed
          ? { kind: 'retry', reason: 'the sink was closed while it delivered' }
          : await outcomeOf(error, destination);
      }
    }
    return { kind: 'ok' };
  }

  return {
    name,
    maxBatch,
    deliver: records => {
      // The SDK's queue is shared: a second batch at the same time would mix with the first.
      const mine = turn.then(() => deliver(records));
      turn = mine;
      return mine;
    },
    close: async () => {
      closed = true;
      sender.abort();
      await turn;
    }
  };
}

/** Cuts events into requests of at most `maxEvents` and `MAX_REQUEST_BYTES`, in order. */
function* parts(
  events: readonly PostHogEvent[],
  maxEvents: number
): Generator<PostHogEvent[]> {
  let part: PostHogEvent[] = [];
  let bytes = 0;
  for (const event of events) {
    if (
      part.length === maxEvents ||
      (part.length > 0 && bytes + event.bytes > MAX_REQUEST_BYTES)
    ) {
      yield part;
      part = [];
      bytes = 0;
    }
    part.push(event);
    bytes += event.bytes;
  }
  if (part.length > 0) {
    yield part;
  }
}

function checkHost(text: string): string {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : null;
  if (
    !url ||
    !/^https?:$/.test(url.protocol) ||
    url.username + url.password + url.search !== ''
  ) {
    throw new TypeError(
      `PostHog host: expected an address such as https://us.i.posthog.com, got ${url ? url.origin : JSON.stringify(text)}`
    );
  }
  return url.href.replace(/\/$/, '');
}
