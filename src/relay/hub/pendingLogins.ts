/** Log-ins that went to the Hub and have not come back: each is bound to the browser that began it, and good once. */
import { createHmac, randomBytes } from 'node:crypto';
import { hashSecret, sameHash } from '../courses/keys.js';

/** How long somebody may take at the Hub, in ms. */
export const LOGIN_MS = 10 * 60_000;

/**
 * Log-ins under way. What is to be known of one travels in its state, under a code that only this
 * relay can make: nothing is kept until it comes back, so nobody's log-in can be crowded out by
 * others that are begun and left.
 */
export class PendingLogins {
  readonly #key = randomBytes(32);
  /** Hashes of the states that came back, with their end, in the order of their coming. */
  readonly #used = new Map<string, number>();

  /**
   * @param size most states that are remembered as used. Beyond that the first is forgotten; using
   * it again takes the cookie of its browser, and a code that the Hub takes once.
   */
  constructor(
    private readonly now: () => number = Date.now,
    private readonly size = 10_000
  ) {}

  /**
   * Begins one.
   *
   * @param cookie of an earlier one of the same browser, which may be in another tab still.
   * @param course that the log-in is for; readable in the state.
   * @returns the browser's cookie, and the state that the Hub brings back.
   */
  begin(
    cookie: string | undefined,
    course: string | undefined
  ): { cookie: string; state: string } {
    const browser =
      cookie !== undefined && NONCE.test(cookie) ? cookie : nonce();
    const told = [
      nonce(),
      (this.now() + LOGIN_MS).toString(36),
      course === undefined ? '' : Buffer.from(course).toString('base64url')
    ].join('.');
    return { cookie: browser, state: `${told}.${this.#code(browser, told)}` };
  }

  /** Ends one; undefined if it was none, is over, or was begun by another browser. */
  end(
    state: unknown,
    cookie: string | undefined
  ): { course: string | undefined } | undefined {
    const match = typeof state === 'string' ? STATE.exec(state) : null;
    if (!match || cookie === undefined) {
      return undefined;
    }
    const [, told, until, course, code] = match as unknown as string[];
    if (!sameHash(code!, this.#code(cookie, told!))) {
      return undefined;
    }
    const end = Number.parseInt(until!, 36);
    const hash = hashSecret(told!);
    if (end <= this.now() || this.#used.has(hash)) {
      return undefined;
    }
    this.#use(hash, end);
    return {
      course:
        course === '' ? undefined : Buffer.from(course!, 'base64url').toString()
    };
  }

  #code(browser: string, told: string): string {
    return createHmac('sha256', this.#key)
      .update(`${browser} ${told}`)
      .digest('hex');
  }

  #use(hash: string, end: number): void {
    for (const [first, itsEnd] of this.#used) {
      if (itsEnd > this.now() && this.#used.size < this.size) {
        break;
      }
      this.#used.delete(first);
    }
    this.#used.set(hash, end);
  }
}

const NONCE = /^[\w-]{32}$/;
/** What is told (a nonce, the end in base 36, the course in base64url), and its code. */
const STATE = /^([\w-]{32}\.([0-9a-z]{1,11})\.([\w-]{0,600}))\.([0-9a-f]{64})$/;

function nonce(): string {
  return randomBytes(24).toString('base64url');
}
