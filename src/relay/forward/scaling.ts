/** A relay's part in an installation of several: forwards to a shared log, reads from one, or does both. */
import { join } from 'node:path';
import type { SinkStatus } from '../../api/index.js';
import type { RelayConfig } from '../config/options.js';
import type { EventLog } from '../log/types.js';
import { parseAddress } from './address.js';
import { startConsumer, type ConsumerOptions } from './consumer.js';
import { readCredentials, type Credentials } from './credentials.js';
import { openDoorId } from './doorId.js';
import type { Engine, Share } from './engine.js';
import {
  FORWARDER,
  startForwarder,
  type Forwarder,
  type ForwarderOptions
} from './forwarder.js';
import { openPlace } from './place.js';

/** What it needs of the relay. */
export type ScalingOptions = Pick<
  ConsumerOptions,
  'duplicates' | 'courses' | 'deadLetters'
> &
  Pick<ForwarderOptions, 'onProblem'> & {
    config: Pick<
      RelayConfig,
      | 'forward'
      | 'forward-keep-hours'
      | 'forward-safe'
      | 'consume'
      | 'consume-share'
      | 'engine-credentials'
    >;
    log: ConsumerOptions['log'] &
      ForwarderOptions['log'] &
      Pick<EventLog, 'release'>;
    /** File of this door's id. */
    doorId: string;
    /** Folder of the cursors. */
    cursors: string;
    onStatus: (status: SinkStatus) => void;
  };

/** Forwarder and consumer at work, where they are wanted. */
export interface Scaling {
  statuses(): SinkStatus[];
  /** The lowest sequence number of the log that is still to be forwarded or kept; Infinity where nothing is. */
  lowest(): number;
  /** Stops all. Idempotent. */
  stop(): Promise<void>;
}

/** How often a door that only forwards looks for what may leave its log, in ms. */
const RELEASE_MS = 2_000;

/** Whether a relay so configured feeds its destinations itself: a door that only forwards does not. */
export function feedsSinks({
  forward,
  consume
}: Pick<RelayConfig, 'forward' | 'consume'>): boolean {
  return forward === null || consume !== null;
}

/**
 * Starts what the configuration asks for; nothing waits for the shared log.
 *
 * @throws Error that says what to do if the credentials or this door's id cannot be read.
 */
export async function startScaling(options: ScalingOptions): Promise<Scaling> {
  const { config, log, deadLetters, onStatus } = options;
  const credentials = config['engine-credentials'];
  if (config.forward !== null || config.consume !== null) {
    // Later ones may be renewed; these must be right.
    await readCredentials(credentials);
  }
  // All that may fail comes first: nothing is left running then.
  const target =
    config.forward === null
      ? null
      : {
          engine: await engineAt(config.forward, credentials),
          door: await openDoorId(options.doorId),
          place: await openPlace(
            join(options.cursors, `${FORWARDER}.json`),
            Date.now()
          )
        };
  const source =
    config.consume === null
      ? null
      : await engineAt(config.consume, credentials);
  const forwarder =
    target &&
    startForwarder({
      ...target,
      log,
      deadLetters,
      onStatus,
      ...(options.onProblem ? { onProblem: options.onProblem } : {}),
      keepMs: config['forward-keep-hours'] * 3_600_000,
      safe: config['forward-safe']
    });
  const consumer =
    source &&
    startConsumer({
      ...options,
      engine: source,
      share: shareOf(config['consume-share'])
    });
  // Nobody else reads the log of a door that only forwards.
  const releasing =
    forwarder !== null && !feedsSinks(config)
      ? keepReleasing(log, forwarder, options.onProblem)
      : null;
  return {
    statuses: () =>
      [forwarder, consumer].flatMap(one => (one ? [one.status()] : [])),
    lowest: () => forwarder?.lowest() ?? Infinity,
    async stop() {
      await releasing?.stop();
      await Promise.all([consumer?.stop(), forwarder?.stop()]);
    }
  };
}

/** Lets go, again and again, of what the log is not needed for any more. */
function keepReleasing(
  log: Pick<EventLog, 'release' | 'status'>,
  forwarder: Pick<Forwarder, 'lowest'>,
  onProblem: ForwarderOptions['onProblem']
): { stop(): Promise<void> } {
  let turn = Promise.resolve();
  let released = 0;
  const timer = setInterval(() => {
    turn = turn.then(async () => {
      const below = forwarder.lowest();
      if (below > released) {
        await log.release(below);
        released = below;
      }
    });
    turn = turn.catch((error: Error) => onProblem?.(error.message));
  }, RELEASE_MS);
  timer.unref();
  return {
    async stop() {
      clearInterval(timer);
      await turn;
    }
  };
}

/** The engine at an address; its client is loaded only where it is used. */
async function engineAt(
  text: string,
  credentials: string | null
): Promise<Engine> {
  const address = parseAddress(text)!;
  const read = (): Promise<Credentials> => readCredentials(credentials);
  return address.protocol === 'nats'
    ? (await import('./nats.js')).natsEngine(address, read)
    : (await import('./kafka.js')).kafkaEngine(address, read);
}

function shareOf(text: string): Share {
  const [part, count] = text.split('/').map(Number);
  return { index: part! - 1, count: count! };
}
