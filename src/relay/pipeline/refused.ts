/** What a sink will never take, as the dead letters that it becomes. */
import type { Batch } from './batches.js';
import type { DeadLetter } from './deadLetters.js';
import type { Suspect } from './delivery.js';

/** Letters of the batch's events that the sink refused; `at` is the time now, ISO 8601 UTC. */
export function refusedLetters(
  { events }: Pick<Batch, 'events'>,
  culprits: readonly Suspect[],
  sink: string,
  at: string
): DeadLetter[] {
  return culprits.map(({ index, reason }) => {
    const event = events[index]!;
    return {
      at,
      course: event.course ?? '',
      stage: sink,
      code: 'refused',
      reason,
      uuid: event.uuid ?? null,
      event
    };
  });
}

/** Letters of the batch's log records that could not be read; `at` is the time now, ISO 8601 UTC. */
export function unreadableLetters(
  { unreadable }: Pick<Batch, 'unreadable'>,
  sink: string,
  at: string
): DeadLetter[] {
  return unreadable.map(({ reason, ...event }) => ({
    at,
    course: event.course,
    stage: sink,
    code: 'unreadable',
    reason,
    uuid: null,
    event
  }));
}
