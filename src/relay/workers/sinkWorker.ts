/** The worker thread in which PostHog sinks deliver: their compression and JSON never hold up the door. */
import { parentPort } from 'node:worker_threads';
import {
  createPostHogSink,
  type Outcome,
  type Sink
} from '../../sinks/index.js';
import type { FromWorker, ToWorker } from './messages.js';

const sinks = new Map<string, Sink>();
const failures = new Map<string, string>();

async function act(
  message: Extract<ToWorker, { kind: 'deliver' | 'probe' }>
): Promise<Outcome> {
  const sink = sinks.get(message.sink);
  if (!sink) {
    return {
      kind: 'stop',
      reason: failures.get(message.sink) ?? 'the sink is not open'
    };
  }
  return message.kind === 'deliver'
    ? sink.deliver(message.records)
    : (sink.probe?.() ?? { kind: 'ok' });
}

function answer(message: FromWorker): void {
  parentPort!.postMessage(message);
}

parentPort!.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'open':
      try {
        sinks.set(message.sink, createPostHogSink(message.options));
      } catch (error) {
        failures.set(message.sink, (error as Error).message);
      }
      break;
    case 'deliver':
    case 'probe':
      void act(message)
        .catch((error: Error): Outcome => ({
          kind: 'retry',
          reason: error.message
        }))
        .then(outcome => answer({ kind: 'outcome', id: message.id, outcome }));
      break;
    case 'close':
      void Promise.resolve(sinks.get(message.sink)?.close())
        .catch(() => undefined)
        .then(() => answer({ kind: 'closed', id: message.id }));
      sinks.delete(message.sink);
  }
});
