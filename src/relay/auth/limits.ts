/** Limits of how often somebody may ask: counted in memory, answered with 503 and the time to wait. */
import type { IncomingMessage } from 'node:http';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { RelayError } from '../errors.js';
import { clientAddressOf } from './clientAddress.js';

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

/** Limits the failed logins of each address: guessing gets nowhere, and a class that shares an address may log in. */
export interface LoginLimit {
  /** @throws RelayError `rate_limited` if too many failed. */
  check(request: IncomingMessage): Promise<void>;
  /** Counts a login that failed. */
  failed(request: IncomingMessage): Promise<void>;
}

/** @param trusted proxies, as `clientAddressOf` takes them. */
export function createLoginLimit(trusted: readonly string[]): LoginLimit {
  const addressOf = clientAddressOf(trusted);
  const limit = createLimit(
    LOGIN_ATTEMPTS,
    LOGIN_WINDOW_S,
    'failed logins of one address'
  );
  return {
    check: request => limit.check(addressOf(request)),
    failed: request => limit.count(addressOf(request)).catch(() => undefined)
  };
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
