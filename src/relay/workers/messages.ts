/** What the relay and its worker thread for sinks say to each other. */
import type { TelemetryRecord } from '../../events/index.js';
import type { Outcome, PostHogSinkOptions } from '../../sinks/index.js';

/** From the relay to the worker. */
export type ToWorker =
  | { kind: 'open'; sink: string; options: PostHogSinkOptions }
  | {
      kind: 'deliver';
      sink: string;
      id: number;
      records: readonly TelemetryRecord[];
    }
  | { kind: 'probe'; sink: string; id: number }
  | { kind: 'close'; sink: string; id: number };

/** From the worker to the relay: the outcome of a delivery, or that a sink is closed. */
export type FromWorker =
  | { kind: 'outcome'; id: number; outcome: Outcome }
  | { kind: 'closed'; id: number };
