/** The PostHog sink: one batch at a time, each with an exact outcome. */
import type { TelemetryRecord } from '../events/index.js';
import {
  probeEvent,
  separateEqualTimes,
  toPostHogEvent,
  type PostHogEvent
} from './posthogEvent.js';
import { outcomeOfAnswer, outcomeOfSilence } from './posthogOutcome.js';
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
  /** Courses whose events keep the `$ip` that their clients set, so that PostHog may derive places. None by default. */
  places?: readonly string[];
  /** The clock, in ms since 1970. */
  now?: () => number;
}

/** PostHog takes 20 MB; half a batch too many costs less than a resend of it all. */
const MAX_REQUEST_BYTES = 5_000_000;

/** Events older than this are sent as a replay, in ms: PostHog asks for it beyond 48 hours. */
const HISTORICAL_MS = 48 * 3_600_000;

/**
 * A sink into one PostHog project.
 *
 * @throws TypeError if the options cannot work.
 */
export function createPostHogSink(options: PostHogSinkOptions): Sink {
  const { name, requestTimeoutMs = 10_000, maxBatch = 500 } = options;
  const { now = Date.now } = options;
  const places = new Set(options.places);
  const host = checkHost(options.host);
  const apiKey = options.apiKey.trim();
  if (apiKey === '') {
    throw new TypeError(`sink ${name}: the project key is empty`);
  }
  const destination = { host, apiKey, requestTimeoutMs };
  const sender = new BatchSender(destination);
  let turn: Promise<unknown> = Promise.resolve();
  let closed = false;

  async function deliver(
    records: readonly TelemetryRecord[]
  ): Promise<Outcome> {
    const events: PostHogEvent[] = [];
    for (const record of records) {
      const prepared = toPostHogEvent(record, places.has(record.course ?? ''));
      if (!prepared.ok) {
        return {
          kind: 'refused',
          reason: `PostHog cannot take event ${record.uuid ?? '(no uuid)'}: ${prepared.reason}`
        };
      }
      events.push(prepared.event);
    }
    for (const part of parts(events, maxBatch)) {
      const outcome = await send(part);
      if (outcome.kind !== 'ok') {
        return outcome;
      }
    }
    return { kind: 'ok' };
  }

  /** Sends events that fit into a request; in halves where something on the way finds them too many. */
  async function send(events: readonly PostHogEvent[]): Promise<Outcome> {
    if (closed) {
      return { kind: 'retry', reason: 'the sink is closed' };
    }
    const oldest = now() - HISTORICAL_MS;
    try {
      const answer = await sender.send(
        events,
        events.every(({ time }) => time < oldest)
      );
      if (answer.status !== 413 || events.length === 1) {
        return outcomeOfAnswer(answer, destination, now());
      }
    } catch (error) {
      return closed
        ? { kind: 'retry', reason: 'the sink was closed while it delivered' }
        : outcomeOfSilence(error, destination);
    }
    const middle = Math.ceil(events.length / 2);
    const first = await send(events.slice(0, middle));
    return first.kind === 'ok' ? send(events.slice(middle)) : first;
  }

  function inTurn(act: () => Promise<Outcome>): Promise<Outcome> {
    // One request at a time: what is sent first must be there first.
    const mine = turn.then(act);
    turn = mine;
    return mine;
  }

  return {
    name,
    maxBatch,
    prepare: separateEqualTimes,
    deliver: records => inTurn(() => deliver(records)),
    probe: () => inTurn(() => send([probeEvent(now())])),
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
