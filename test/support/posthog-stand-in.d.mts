/** Types of the stand-in PostHog. */

/** How the next requests are treated; without one, as PostHog treats them when it is well. */
export interface Behaviour {
  /**
   * - `ok`: as PostHog does.
   * - `answer`: `status` (503 by default) for everything, nothing stored.
   * - `hang`: takes the request and never answers, nothing stored.
   * - `slow`: as PostHog does, `ms` late.
   * - `drop`: cuts the connection, nothing stored.
   * - `reset`: stores, then cuts the connection: the 200 is lost.
   * - `refuse`: 400 for every batch that holds an event whose `property` is truthy.
   * - `limit`: 413 above `events` events or `bytes` on the wire.
   * - `down` (over HTTP alone): closes the port for `ms`.
   */
  mode:
    | 'ok'
    | 'answer'
    | 'hang'
    | 'slow'
    | 'drop'
    | 'reset'
    | 'refuse'
    | 'limit'
    | 'down';
  /** Number of capture requests it holds for; then the next of the list, then `ok`. For ever where left out. */
  times?: number;
  status?: number;
  /** Seconds, or a date as the header has it. */
  retryAfter?: number | string;
  /** Target of a redirect. */
  location?: string;
  body?: string;
  ms?: number;
  /** `poison` where left out. */
  property?: string;
  events?: number;
  bytes?: number;
}

/** A row of the events table. */
export interface StoredEvent {
  token: string;
  event: string;
  distinct_id: string;
  uuid: string;
  /** ISO 8601, as PostHog stores it. */
  timestamp: string;
  properties: Record<string, unknown>;
  /** How many rows were merged into this one. */
  copies: number;
}

/** One capture request. */
export interface RequestSeen {
  at: string;
  path: string;
  /** What was answered; 0 for no answer. */
  status: number;
  /** Size on the wire. */
  bytes: number;
  gzip: boolean;
  userAgent: string;
  token: string | null;
  sentAt: string | null;
  /** Whether the client said that the events are a replay. */
  historical: boolean;
  uuids: string[];
}

export interface StandInOptions {
  /** 0, the default, takes a free one. */
  port?: number;
  host?: string;
  /** Where given, any other token is answered 401; PostHog's own default is 200 for all. */
  knownTokens?: string[];
}

export interface PostHogStandIn {
  readonly url: string;
  readonly port: number;
  stored(): StoredEvent[];
  requests(): RequestSeen[];
  /** Replaces the behaviour, by one step or by several in turn. */
  behave(next: Behaviour | Behaviour[]): void;
  /** Forgets events, requests and behaviour. */
  reset(): void;
  /** Closes the port, so that connections are refused; comes back after `ms` where given. */
  down(ms?: number): Promise<void>;
  /** Opens the same port again. */
  up(): Promise<void>;
  stop(): Promise<void>;
}

export function startPostHogStandIn(
  options?: StandInOptions
): Promise<PostHogStandIn>;
