/** A circuit breaker: leaves a failing destination alone, tries it with a little, and then gives it more and more. */

/** Failures in a row after which the destination is left alone and only tried. */
export const OPEN_AFTER = 5;
/** Events with which it is tried. */
export const TRIAL_EVENTS = 10;

/** Whether and how much a destination may be given. */
export class Circuit {
  #failures = 0;
  #state: 'closed' | 'open' | 'half-open' = 'closed';
  #limit = Infinity;

  get state(): 'closed' | 'open' | 'half-open' {
    return this.#state;
  }

  /** Failures in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Most events in the next delivery. */
  get limit(): number {
    return this.#limit;
  }

  /** A delivery is about to begin. */
  trying(): void {
    if (this.#state === 'open') {
      this.#state = 'half-open';
    }
  }

  /** Nothing is known to have arrived. What was too much for a slow line may get through in parts. */
  failed(): void {
    this.#failures += 1;
    if (this.#failures >= OPEN_AFTER) {
      this.#state = 'open';
      this.#limit = TRIAL_EVENTS;
    } else if (this.#limit !== Infinity) {
      this.#limit = Math.max(TRIAL_EVENTS, Math.floor(this.#limit / 2));
    }
  }

  /** Everything is turned away: what comes next is a trial. */
  stopped(): void {
    this.#limit = TRIAL_EVENTS;
  }

  /** The destination answered, if only that it refuses these events. */
  answered(): void {
    this.#failures = 0;
    this.#state = 'closed';
  }

  /** `events` were confirmed, of a full batch of `most`. */
  confirmed(events: number, most: number): void {
    this.answered();
    if (events >= this.#limit) {
      this.#limit *= 2;
    }
    if (this.#limit >= most) {
      this.#limit = Infinity;
    }
  }
}
