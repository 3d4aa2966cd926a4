/** A sink that keeps what it gets and answers as it is told: for tests of whatever feeds sinks. */
import type { TelemetryRecord } from '../events/index.js';
import type { Outcome, Sink } from './types.js';

export interface MemorySinkOptions {
  /** `memory` by default. */
  name?: string;
  /** Records a batch; 100 by default. */
  maxBatch?: number;
  /** Decides what becomes of a batch once the outcomes of `answer` are used up. Takes all by default. */
  judge?: (records: readonly TelemetryRecord[]) => Outcome | Promise<Outcome>;
}

/** A sink that can be looked into. */
export interface MemorySink extends Sink {
  /** Every record it took, once, in order of first arrival. */
  records(): TelemetryRecord[];
  /** Every batch it was handed, whatever became of it. */
  deliveries(): (readonly TelemetryRecord[])[];
  /** The outcomes of the next deliveries, in turn. */
  answer(...outcomes: Outcome[]): void;
}

/** An empty one. */
export function createMemorySink(options: MemorySinkOptions = {}): MemorySink {
  const judge = options.judge ?? ((): Outcome => ({ kind: 'ok' }));
  const taken = new Map<string, TelemetryRecord>();
  const deliveries: (readonly TelemetryRecord[])[] = [];
  const answers: Outcome[] = [];
  let closed = false;

  async function decide(records: readonly TelemetryRecord[]): Promise<Outcome> {
    try {
      return answers.shift() ?? (await judge(records));
    } catch (error) {
      return { kind: 'retry', reason: String(error) };
    }
  }

  return {
    name: options.name ?? 'memory',
    maxBatch: options.maxBatch ?? 100,
    records: () => [...taken.values()],
    deliveries: () => [...deliveries],
    answer: (...outcomes) => {
      answers.push(...outcomes);
    },
    deliver: async records => {
      if (closed) {
        return { kind: 'retry', reason: 'the sink is closed' };
      }
      const outcome = await decide(records);
      deliveries.push([...records]);
      if (outcome.kind === 'ok') {
        for (const record of records) {
          const key = `${record.course ?? ''} ${record.uuid ?? ''}`;
          if (!taken.has(key)) {
            taken.set(key, record);
          }
        }
      }
      return outcome;
    },
    close: () => {
      closed = true;
      return Promise.resolve();
    }
  };
}
