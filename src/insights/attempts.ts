/** One student's way through one exercise: how many results it took to pass, or how many there are so far. */
import { isAfter, type Moment } from './moment.js';

/** A test's result as the fold takes it. */
export interface TestResult {
  moment: Moment;
  ok: boolean;
  /** Error type; null where it passed or nothing is known. */
  error: string | null;
}

/**
 * Counts attempts whatever the order of arrival.
 *
 * What comes after the first pass is no attempt any more, so only the failures before
 * it are kept; a pass that turns out to be earlier moves that border back, never forth.
 */
export class Attempts {
  /** Takes in a result. The same event must not be added twice. */
  add({ moment, ok, error }: TestResult): void {
    this._lastSeen = Math.max(this._lastSeen, moment.seen);
    if (ok) {
      if (this._firstPass === null || isAfter(this._firstPass, moment)) {
        this._firstPass = moment;
        this._failures.length = this._placeOf(moment);
      }
      return;
    }
    if (isAfter(moment, this._lastFailure)) {
      this._lastFailure = moment;
      this._lastError = error;
    }
    if (this._firstPass === null || isAfter(this._firstPass, moment)) {
      // Nearly always the end: events come in order but for a few.
      this._failures.splice(this._placeOf(moment), 0, moment);
    }
  }

  get passed(): boolean {
    return this._firstPass !== null;
  }

  /** Results up to and with the first pass. */
  get attempts(): number {
    return this._failures.length + (this.passed ? 1 : 0);
  }

  /** Ms since 1970. */
  get firstPassAt(): number | null {
    return this._firstPass?.seen ?? null;
  }

  /** Ms since 1970; the latest result, re-runs after the pass included. */
  get lastAt(): number {
    return this._lastSeen;
  }

  /** Error type of the latest failing result. */
  get lastError(): string | null {
    return this._lastError;
  }

  /** How many of the failures come before `moment`. */
  private _placeOf(moment: Moment): number {
    let place = this._failures.length;
    while (place > 0 && isAfter(this._failures[place - 1]!, moment)) {
      place -= 1;
    }
    return place;
  }

  private _firstPass: Moment | null = null;
  private readonly _failures: Moment[] = [];
  private _lastSeen = -Infinity;
  private _lastFailure: Moment | null = null;
  private _lastError: string | null = null;
}
