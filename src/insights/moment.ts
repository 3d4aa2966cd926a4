/** When an event happened, in the one order that does not depend on when events arrive. */
import type { TelemetryRecord } from '../events/types.js';

/** A point in the total order of events: time first, id where times are equal. */
export interface Moment {
  /** Time of the event, ms since 1970. */
  at: number;
  /** Event id in lower case. */
  uuid: string;
  /**
   * `at`, but not later than the receipt: a clock that runs ahead keeps its own events
   * in order, yet never shows a student as seen in the future.
   */
  seen: number;
}

/** The record's moment; null where no time can be read. */
export function momentOf(record: TelemetryRecord): Moment | null {
  const received = Date.parse(record.received_at ?? '');
  const claimed = Date.parse(record.timestamp);
  const at = Number.isNaN(claimed) ? received : claimed;
  if (Number.isNaN(at)) {
    return null;
  }
  return {
    at,
    uuid: record.uuid?.toLowerCase() ?? '',
    seen: received < at ? received : at
  };
}

/** Whether `a` comes after `b`; anything comes after nothing. */
export function isAfter(a: Moment, b: Moment | null): boolean {
  return b === null || a.at > b.at || (a.at === b.at && a.uuid > b.uuid);
}
