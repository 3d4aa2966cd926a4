/** Log-ins that went to the Hub and have not come back: each is bound to the browser that began it, and good once. */
import { randomBytes } from 'node:crypto';
import { hashSecret, sameHash } from '../courses/keys.js';

/** How long somebody may take at the Hub, in ms. */
export const LOGIN_MS = 10 * 60_000;

/** A log-in under way. */
interface Pending {
  /** Hash of the browser's cookie. */
  browser: string;
  until: number;
  course: string | undefined;
}

/** Log-ins under way; in memory only. */
export class PendingLogins {
  /** By state, in the order of their making. */
  readonly #pending = new Map<string, Pending>();

  /** @param size most of them; beyond that the oldest has to begin again. */
  constructor(
    private readonly now: () => number = Date.now,
    private readonly size = 10_000
  ) {}

  /**
   * Begins one.
   *
   * @param cookie of an earlier one of the same browser, which may be in another tab still.
   * @returns the browser's cookie, and the state that the Hub brings back.
   */
  begin(
    cookie: string | undefined,
    course: string | undefined
  ): { cookie: string; state: string } {
    const browser =
      cookie !== undefined && NONCE.test(cookie) ? cookie : nonce();
    const state = nonce();
    this.#pending.set(state, {
      browser: hashSecret(browser),
      until: this.now() + LOGIN_MS,
      course
    });
    if (this.#pending.size > this.size) {
      this.#pending.delete(this.#pending.keys().next().value!);
    }
    return { cookie: browser, state };
  }

  /** Ends one; undefined if it was none, is over, or was begun by another browser. */
  end(
    state: unknown,
    cookie: string | undefined
  ): { course: string | undefined } | undefined {
    const pending =
      typeof state === 'string' ? this.#pending.get(state) : undefined;
    if (
      !pending ||
      cookie === undefined ||
      !sameHash(pending.browser, hashSecret(cookie))
    ) {
      return undefined;
    }
    this.#pending.delete(state as string);
    return pending.until > this.now() ? { course: pending.course } : undefined;
  }
}

const NONCE = /^[\w-]{32}$/;

function nonce(): string {
  return randomBytes(24).toString('base64url');
}
