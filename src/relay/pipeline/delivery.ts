/** Brings one batch to its sink: in order, halved where events are refused, and nothing given up before it is clear whose fault it is. */
import type { Outcome, Sink } from '../../sinks/types.js';
import type { Batch } from './batches.js';
import type { Circuit } from './circuit.js';

/** Single events refused in a row before the destination itself is suspected. */
export const MAX_SUSPECTS = 3;

/** An event that was refused on its own, while nothing has shown yet that it is the event's fault. */
export interface Suspect {
  /** Its place in the batch. */
  index: number;
  reason: string;
}

/** What a delivery needs of its feeder. */
export interface DeliveryCourse {
  sink: Pick<Sink, 'deliver' | 'maxBatch' | 'probe'>;
  circuit: Circuit;
  /** Whether no further attempt is to be begun. */
  ended(): boolean;
  /** Whether even the outcome of the present one no longer counts. */
  abandoned(): boolean;
  /** A delivery begins. */
  trying(): void;
  confirmed(count: number): void;
  /** Sets the culprits aside, and notes that the batch's first `count` events are done with. */
  settle(
    batch: Batch,
    culprits: readonly Suspect[],
    count: number
  ): Promise<void>;
  /** Says so and pauses. */
  failed(reason: string, afterMs?: number): Promise<void>;
  /** Says so and pauses for long. */
  stopped(reason: string): Promise<void>;
}

/** Settles the batch's events, in order, each confirmed or set aside; or ends early when told to. */
export async function deliverBatch(
  batch: Batch,
  course: DeliveryCourse
): Promise<void> {
  const { sink, circuit } = course;
  const total = batch.events.length;
  /** Ends of the parts that are still to be delivered, the next one last. */
  let ends = [total];
  let suspects: Suspect[] = [];
  let from = 0;
  while ((from < total || suspects.length > 0) && !course.ended()) {
    if (from === total || suspects.length === MAX_SUSPECTS) {
      const guilty = await areGuilty(suspects, course);
      if (course.ended()) {
        return;
      }
      if (guilty) {
        await course.settle(batch, suspects, from);
      } else {
        from = suspects[0]!.index;
        ends = [total];
      }
      suspects = [];
      continue;
    }
    if (from === ends.at(-1)) {
      ends.pop();
      continue;
    }
    const to = Math.min(ends.at(-1)!, from + circuit.limit);
    course.trying();
    const outcome = await attempt(() =>
      sink.deliver(batch.events.slice(from, to))
    );
    if (course.abandoned()) {
      return;
    }
    switch (outcome.kind) {
      case 'ok':
        course.confirmed(to - from);
        circuit.confirmed(to - from, sink.maxBatch);
        // It takes events: those that it refused just before are to blame themselves.
        await course.settle(batch, suspects, to);
        suspects = [];
        from = to;
        break;
      case 'retry':
        await course.failed(outcome.reason, outcome.afterMs);
        break;
      case 'stop':
        await course.stopped(outcome.reason);
        break;
      case 'refused':
        circuit.answered();
        if (to - from > 1) {
          ends.push(from + Math.ceil((to - from) / 2));
          break;
        }
        suspects.push({ index: from, reason: outcome.reason });
        from = to;
        if (!sink.probe) {
          await course.settle(batch, suspects, from);
          suspects = [];
        }
    }
  }
}

/**
 * Whether refused events are themselves to blame, as a probe tells. If everything is refused,
 * nothing may be set aside for that: waits until it is over, and says no.
 */
async function areGuilty(
  suspects: readonly Suspect[],
  course: DeliveryCourse
): Promise<boolean> {
  let guilty = true;
  while (!course.ended()) {
    const outcome = await attempt(() => course.sink.probe!());
    if (outcome.kind === 'ok') {
      course.circuit.answered();
      return guilty;
    }
    if (outcome.kind === 'retry') {
      await course.failed(outcome.reason, outcome.afterMs);
    } else {
      guilty = false;
      await course.stopped(
        `everything is refused: ${suspects.length} events one by one, and a plain test event. Is it PostHog that answers there, or a proxy? ${outcome.reason}`
      );
    }
  }
  return false;
}

async function attempt(act: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await act();
  } catch (error) {
    // Against the contract; nothing is known to have arrived.
    return {
      kind: 'retry',
      reason: error instanceof Error ? error.message : String(error)
    };
  }
}
