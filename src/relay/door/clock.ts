/** When an event happened: the client's clock, set right once, at receipt. */

/** Differences below this may be the network's delay as well as the clock's error, so they are let be. */
export const MIN_SKEW_MS = 1_000;
/** Beyond this, `sent_at` is rather from a body that was kept and sent again than from a wrong clock. */
export const MAX_SKEW_MS = 24 * 3_600_000;
/** Times further in the future are set to the receipt, as PostHog does. */
export const MAX_AHEAD_MS = 23 * 3_600_000;

/** A receipt, and what it says of the client's clock. */
export interface Clock {
  receivedMs: number;
  /** The client's clock when it sent, in milliseconds since 1970, right or wrong; undefined where it did not tell. */
  sentMs: number | undefined;
  /** When it sent by the relay's clock: ages of events count from here. The receipt, where nothing credible is known. */
  sentAtMs: number;
  /** Milliseconds by which the client's clock runs ahead; 0 where that is not known. */
  skew: number;
  /** Milliseconds by which it would be behind by its own account, where that is too much to be believed; else 0. */
  behind: number;
  /** Latest timestamp that is believed, as the client writes it. */
  latest: string;
}

/** The clock of a client that sent at `sentAt` (ISO 8601), by its own account. */
export function clockOf(sentAt: string | undefined, receivedMs: number): Clock {
  const sent = sentAt === undefined ? NaN : parseTime(sentAt);
  const ahead = sent - receivedMs;
  const credible = Math.abs(ahead) <= MAX_SKEW_MS;
  const skew = credible && Math.abs(ahead) >= MIN_SKEW_MS ? ahead : 0;
  return {
    receivedMs,
    sentMs: Number.isNaN(sent) ? undefined : sent,
    sentAtMs: credible ? sent - skew : receivedMs,
    skew,
    behind: ahead < -MAX_SKEW_MS ? -ahead : 0,
    latest: new Date(receivedMs + MAX_AHEAD_MS + skew).toISOString()
  };
}

/**
 * The event's time where it is not simply its `timestamp` less the skew: an age in `offset`
 * (milliseconds), a time without a zone (taken as UTC), or one too far in the future or before
 * the year 0. Undefined where the timestamp can stand, or where there is none (that means the receipt).
 */
export function ownTime(
  timestamp: string | undefined,
  offset: unknown,
  clock: Clock
): string | undefined {
  const { receivedMs, sentAtMs, skew, latest } = clock;
  if (typeof offset === 'number' && offset >= 0) {
    return iso(sentAtMs - offset, receivedMs);
  }
  if (timestamp === undefined) {
    return undefined;
  }
  // Nearly all come as 2026-11-21T09:30:00.000Z, which sorts as text.
  if (isUsual(timestamp) && timestamp <= latest) {
    return undefined;
  }
  const time = parseTime(timestamp) - skew;
  return ZONE.test(timestamp) && isSane(time, receivedMs)
    ? undefined
    : iso(time, receivedMs);
}

/**
 * Until when an event may be from, in milliseconds since 1970, if it is dated to `ms`. Much later where
 * the client's clock seems to be days behind: nobody knows whether it is wrong or the body was
 * kept, and for being too old an event needs more than a wrong clock. Never later than the receipt.
 */
export function latestTime(
  ms: number,
  { receivedMs, behind }: Pick<Clock, 'receivedMs' | 'behind'>
): number {
  return behind > 0 ? Math.max(ms, Math.min(ms + behind, receivedMs)) : ms;
}

const ZONE = /(?:Z|UTC|GMT|[+-]\d\d:?\d\d)$/i;
const YEAR_0 = Date.parse('0000-01-01T00:00:00.000Z');

/** Whether a text that is known to be a time has that form; a regular expression would cost more than all the rest. */
function isUsual(text: string): boolean {
  return (
    text.length === 24 &&
    text.charCodeAt(23) === 0x5a && // Z
    text.charCodeAt(10) === 0x54 && // T
    text.charCodeAt(4) === 0x2d && // -
    text.charCodeAt(0) <= 0x39 &&
    text.charCodeAt(0) >= 0x30
  );
}

/** Milliseconds since 1970; NaN where the text is no time. Without a zone it is UTC, whatever this machine's is. */
export function parseTime(text: string): number {
  const utc = ZONE.test(text) ? NaN : Date.parse(`${text}Z`);
  return Number.isNaN(utc) ? Date.parse(text) : utc;
}

function isSane(ms: number, receivedMs: number): boolean {
  return ms <= receivedMs + MAX_AHEAD_MS && ms >= YEAR_0;
}

function iso(ms: number, receivedMs: number): string {
  return new Date(isSane(ms, receivedMs) ? ms : receivedMs).toISOString();
}
