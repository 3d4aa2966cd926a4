/** Limits of how often somebody may ask: counted in memory, answered with 503 and the time to wait. */
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { RelayError } from '../errors.js';

/** The span over which requests are counted, in seconds: short, so that nobody waits long. */
export const WINDOW_S = 10;
/** Failed logins that one address may have within `LOGIN_WINDOW_S`. */
export const LOGIN_ATTEMPTS = 20;
export const LOGIN_WINDOW_S = 600;

/** A limit for each of many names. */
export interface Limit {
  /** Counts one. @throws RelayError `rate_limited` if that is one too many. */
  count(name: string): Promise<void>;
  /** Looks without counting. @throws RelayError `rate_limited` if none is left. */
  check(name: string): Promise<void>;
}

const NO_LIMIT: Limit = {
  count: () => Promise.resolve(),
  check: () => Promise.resolve()
};

/**
 * A limit of `points` in `seconds`.
 *
 * @param points 0 for no limit.
 * @param whose completes "expected at most 20 … in 600 s".
 */
export function createLimit(
  points: number,
  seconds: number,
  whose: string
): Limit {
  if (points === 0) {
    return NO_LIMIT;
  }
  const limiter = new RateLimiterMemory({ points, duration: seconds });
  const refuse = ({ msBeforeNext }: RateLimiterRes): never => {
    const error = new RelayError('rate_limited', {
      limit: points,
      whose,
      seconds
    });
    error.retryAfterS = Math.max(1, Math.ceil(msBeforeNext / 1000));
    throw error;
  };
  return {
    count: name => limiter.consume(name).then(() => undefined, refuse),
    async check(name) {
      const used = await limiter.get(name);
      if (used && used.consumedPoints >= points) {
        refuse(used);
      }
    }
  };
}
