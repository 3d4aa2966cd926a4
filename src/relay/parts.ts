/** What a relay is to whoever starts it, and what can be exchanged in it. */
import type { Logger } from 'pino';
import type { PostHogSinkOptions, Sink } from '../sinks/index.js';
import type { LiveOptions } from './api/live.js';
import type { Readiness } from './api/readyRoute.js';
import type { ChoresOptions } from './privacy/chores.js';
import type { PlaceParts } from './privacy/place.js';

/** A relay at work. */
export interface Relay {
  /** Where it listens, without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Makes a link that logs one browser in, once. */
  loginLink(): Promise<string>;
  readiness(): Readiness;
  /** Stops: no new requests, those in flight are answered, the feeders come to rest. Idempotent. */
  close(): Promise<void>;
}

/** What can be exchanged beside the configuration. */
export interface RelayParts {
  /** Where the relay writes about itself; structured, to standard error by default. */
  logger?: Logger;
  /** Makes the sink of a PostHog project; in a worker thread by default. */
  createPostHogSink?: (options: PostHogSinkOptions) => Sink;
  /** Folder of the built page. */
  pageFolder?: string;
  env?: Readonly<Record<string, string | undefined>>;
  live?: LiveOptions;
  /** Times of deletions and of the removal of old events. */
  privacy?: Partial<Omit<ChoresOptions, 'onError'>> &
    Pick<PlaceParts, 'now' | 'pollMs' | 'recheckMs'>;
  /** A listening socket that a supervisor keeps open: it is used instead of `host` and `port`. */
  socket?: number | null;
}
