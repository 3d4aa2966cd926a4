/** Keeps a log within its bounds of size and age, as far as its readers let it. */
import type { RelayConfig } from '../config/options.js';
import { Ages } from './ages.js';
import type { EventLog, Released } from './types.js';

/** How much of the log is kept. */
export interface Bounds {
  /** Bytes; null for any number. */
  maxBytes: number | null;
  /** Age in ms; null for any. */
  maxAgeMs: number | null;
  /** How long ids have to be found in the log after a restart, in ms. It comes before the bounds. */
  windowMs: number;
}

/** What keeps a log from its bounds. */
export type Holder = 'a reader' | 'the duplicate window';

/** How a log stands to its bounds. */
export interface RetentionStatus {
  /** Receipt time of the oldest record, ISO 8601; null in an empty log. */
  oldest: string | null;
  /** What keeps records that the bounds would have removed; null if nothing does. */
  heldBy: Holder | null;
}

/** What the retention needs. */
export interface RetentionOptions {
  log: EventLog;
  bounds: Bounds;
  /** Lowest number that a reader with a durable place still needs. */
  lowest: () => number;
  onReleased?: (released: Released) => void;
  /** Called when the status's `heldBy` changes. */
  onHeld?: (heldBy: Holder | null) => void;
  onError?: (error: unknown) => void;
  now?: () => number;
  everyMs?: number;
}

/** The retention at work. */
export interface Retention {
  status(): RetentionStatus;
  /**
   * Removes what is outside the bounds and needed by nobody.
   *
   * @param before removes what was received before it as well, a time in ms.
   */
  run(before?: number): Promise<Released & { heldBy: Holder | null }>;
  /** Waits for a run at work, and begins no more. */
  stop(): Promise<void>;
}

const EVERY_MS = 60_000;

const DAY_MS = 86_400_000;

/** The bounds that the relay's options ask for. */
export function boundsOf(
  config: Pick<
    RelayConfig,
    'log-max-bytes' | 'log-max-age-days' | 'duplicate-window-days'
  >
): Bounds {
  const days = config['log-max-age-days'];
  return {
    maxBytes: config['log-max-bytes'],
    maxAgeMs: days === null ? null : days * DAY_MS,
    windowMs: config['duplicate-window-days'] * DAY_MS
  };
}

/** Looks at the log at once and every minute. */
export function startRetention(options: RetentionOptions): Retention {
  const { log, bounds, lowest, now = Date.now } = options;
  const ages = new Ages(log);
  let status: RetentionStatus = { oldest: null, heldBy: null };
  let turn: Promise<unknown> = Promise.resolve();
  let stopped = false;

  async function runOnce(
    before: number
  ): Promise<Released & { heldBy: Holder | null }> {
    const time = now();
    const byAge = Math.max(
      before,
      bounds.maxAgeMs === null ? -Infinity : time - bounds.maxAgeMs
    );
    const wanted = Math.max(
      belowForSize(log, bounds.maxBytes),
      byAge === -Infinity ? 1 : await ages.before(byAge)
    );
    let released: Released = { segments: 0, bytes: 0 };
    let heldBy: Holder | null = null;
    if (wanted > 1) {
      const read = lowest();
      const window = await ages.before(time - bounds.windowMs);
      const below = Math.min(wanted, read, window);
      // A reader within the part that it reads holds up nothing: only whole parts go.
      released = await log.release(below);
      const first = log.parts()[0]?.first ?? 1;
      heldBy =
        below >= wanted || first >= wanted || log.status().first === 0
          ? null
          : read <= window
            ? 'a reader'
            : 'the duplicate window';
    }
    const oldest = await ages.oldest();
    if (heldBy !== status.heldBy) {
      options.onHeld?.(heldBy);
    }
    status = {
      oldest: oldest === undefined ? null : new Date(oldest).toISOString(),
      heldBy
    };
    if (released.segments > 0) {
      options.onReleased?.(released);
    }
    return { ...released, heldBy };
  }

  function run(
    before = -Infinity
  ): Promise<Released & { heldBy: Holder | null }> {
    const result = turn.then(() => runOnce(before));
    turn = result.catch(() => undefined);
    return result;
  }

  function look(): void {
    if (!stopped) {
      run().catch((error: unknown) => options.onError?.(error));
    }
  }
  look();
  const timer = setInterval(look, options.everyMs ?? EVERY_MS);
  timer.unref();

  return {
    status: () => status,
    run,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await turn;
    }
  };
}

/** Number below which everything has to go for the rest to take at most `maxBytes`; the newest part stays. */
export function belowForSize(
  log: Pick<EventLog, 'parts'>,
  maxBytes: number | null
): number {
  const parts = log.parts();
  let excess =
    maxBytes === null
      ? 0
      : parts.reduce((sum, { bytes }) => sum + bytes, 0) - maxBytes;
  let below = 1;
  for (let index = 0; index + 1 < parts.length && excess > 0; index += 1) {
    excess -= parts[index]!.bytes;
    below = parts[index + 1]!.first;
  }
  return below;
}
