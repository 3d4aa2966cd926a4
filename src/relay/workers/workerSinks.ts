/** PostHog sinks that live in one worker thread; the feeders do not notice. */
import { Worker } from 'node:worker_threads';
import {
  separateEqualTimes,
  type Outcome,
  type PostHogSinkOptions,
  type Sink
} from '../../sinks/index.js';
import type { FromWorker, ToWorker } from './messages.js';

/** Makes sinks in a thread of their own. */
export interface WorkerSinks {
  createPostHogSink(options: PostHogSinkOptions): Sink;
  /** Ends the thread; deliveries in flight end with `retry`. Idempotent. */
  close(): Promise<void>;
}

/** As PostHog's own sink has it; the feeder asks before the thread has answered anything. */
const MAX_BATCH = 500;

const FILE = new URL('./sinkWorker.js', import.meta.url);

/**
 * Sinks in one worker thread, which starts with the first delivery. If it dies, what was on its
 * way may be delivered again, and the next delivery starts another thread.
 *
 * @param file the worker's built file.
 */
export function createWorkerSinks(file: URL = FILE): WorkerSinks {
  const open = new Map<string, PostHogSinkOptions>();
  const waiting = new Map<number, (outcome: Outcome) => void>();
  let worker: Worker | undefined;
  let nextId = 1;
  let closed = false;

  function start(): Worker {
    const started = new Worker(file);
    // Only what waits for an answer keeps the process alive.
    started.unref();
    started.on('message', (message: FromWorker) => {
      settle(
        message.id,
        message.kind === 'outcome' ? message.outcome : { kind: 'ok' }
      );
    });
    let reason = 'the thread that delivers to PostHog ended';
    started.on('error', error => {
      reason = `the thread that delivers to PostHog failed: ${error.message}`;
    });
    started.on('exit', () => {
      if (worker === started) {
        worker = undefined;
        [...waiting.keys()].forEach(id =>
          settle(id, { kind: 'retry', reason })
        );
      }
    });
    for (const [sink, options] of open) {
      post(started, { kind: 'open', sink, options });
    }
    return started;
  }

  function settle(id: number, outcome: Outcome): void {
    const resolve = waiting.get(id);
    waiting.delete(id);
    if (waiting.size === 0) {
      worker?.unref();
    }
    resolve?.(outcome);
  }

  function ask(message: (id: number) => ToWorker): Promise<Outcome> {
    if (closed) {
      return Promise.resolve({ kind: 'retry', reason: 'the sink is closed' });
    }
    worker ??= start();
    worker.ref();
    const target = worker;
    return new Promise(resolve => {
      const id = nextId;
      nextId += 1;
      waiting.set(id, resolve);
      post(target, message(id));
    });
  }

  return {
    createPostHogSink(options) {
      const sink = options.name;
      open.set(sink, options);
      if (worker) {
        post(worker, { kind: 'open', sink, options });
      }
      return {
        name: sink,
        maxBatch: options.maxBatch ?? MAX_BATCH,
        prepare: separateEqualTimes,
        probe: () => ask(id => ({ kind: 'probe', sink, id })),
        deliver: records => ask(id => ({ kind: 'deliver', sink, id, records })),
        async close() {
          open.delete(sink);
          if (worker && !closed) {
            await ask(id => ({ kind: 'close', sink, id }));
          }
        }
      };
    },
    async close() {
      closed = true;
      const ending = worker;
      await ending?.terminate();
      worker = undefined;
      [...waiting.keys()].forEach(id =>
        settle(id, { kind: 'retry', reason: 'the sink is closed' })
      );
    }
  };
}

function post(worker: Worker, message: ToWorker): void {
  worker.postMessage(message);
}
