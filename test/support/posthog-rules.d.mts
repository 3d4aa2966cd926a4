/** Types of PostHog's rules. */

/** An event as PostHog reads it. */
export interface ReadEvent {
  event: string;
  distinct_id: string;
  uuid: string;
  timestamp: string | undefined;
  offset: number | undefined;
  properties: Record<string, unknown>;
}

export const CAPTURE_PATHS: ReadonlySet<string>;

export function decode(request: {
  path: string;
  query: URLSearchParams;
  contentType: string;
  contentEncoding: string;
  body: Buffer;
}): unknown;

export function openBody(
  value: unknown,
  path: string
): { token: string; sentAt: string | undefined; events: ReadEvent[] };
