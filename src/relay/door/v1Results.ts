/** What PostHog's v1 protocol answers: the outcome of each event by its id. */
import { isObject } from '../wire/shapes.js';
import { isLeftOut, type Rejection } from './judge.js';

/** Clients act on `drop` alone, which none of them sends again; `retry` is for whole requests here (503). */
export interface V1Result {
  result: 'ok' | 'warning' | 'drop';
  details?: string;
}

/**
 * The outcomes by the ids that the client wrote. An event without one cannot be named.
 *
 * @param collected events of the contract that the course collects.
 */
export function resultsOf(
  events: readonly unknown[],
  rejected: readonly Rejection[],
  collected: readonly string[]
): Record<string, V1Result> {
  const reasons = new Map(
    rejected.map(({ index, message }) => [index, message])
  );
  return Object.fromEntries(
    events.flatMap((event, index): [string, V1Result][] => {
      const uuid = isObject(event) ? event['uuid'] : undefined;
      if (typeof uuid !== 'string' || uuid === '') {
        return [];
      }
      const reason = reasons.get(index);
      return [
        [
          uuid,
          reason !== undefined
            ? { result: 'drop', details: `set aside: ${reason}` }
            : isLeftOut(event, collected)
              ? { result: 'warning', details: 'not collected by this course' }
              : { result: 'ok' }
        ]
      ];
    })
  );
}
