/** Numbers and fates of the events of each session: this tab's own part, and what others told. */
import type { Counts } from './made.js';

/** One tab's part of a session. */
export interface Tally {
  /** Largest number given; 0 before the first. */
  last: number;
  delivered: number;
  dropped: number;
}

/** The sessions of one destination. */
export class Tallies {
  /** Events given up in all sessions. */
  get dropped(): number {
    let sum = 0;
    for (const { dropped } of this._own.values()) {
      sum += dropped;
    }
    for (const { dropped } of this._others.values()) {
      sum += dropped;
    }
    return sum;
  }

  /** The next number of session `sess`, as far as it is known here. */
  next(sess: string): number {
    const own = this.own(sess);
    own.last = Math.max(own.last, this._others.get(sess)?.last ?? 0) + 1;
    return own.last;
  }

  /** This tab's part of `sess`. */
  own(sess: string): Tally {
    let tally = this._own.get(sess);
    if (!tally) {
      this._own.set(sess, (tally = { last: 0, delivered: 0, dropped: 0 }));
    }
    return tally;
  }

  /** The other tabs' parts of `sess` are these. */
  setOthers(sess: string, parts: readonly Tally[]): void {
    this._others.set(sess, parts.reduce(sum, { ...NOTHING }));
  }

  /** Another tab has given numbers up to `last`. */
  raise(sess: string, last: number): void {
    const others = this._others.get(sess) ?? { ...NOTHING };
    this._others.set(sess, { ...others, last: Math.max(others.last, last) });
  }

  /** What became of the events of `sess`. */
  countsOf(sess: string): Counts {
    const { last, delivered, dropped } = sum(
      this._own.get(sess) ?? NOTHING,
      this._others.get(sess) ?? NOTHING
    );
    return { made: last, delivered, dropped };
  }

  private _own = new Map<string, Tally>();
  private _others = new Map<string, Tally>();
}

const NOTHING: Readonly<Tally> = { last: 0, delivered: 0, dropped: 0 };

/** Two parts of one session as one. */
export function sum(a: Tally, b: Tally): Tally {
  return {
    last: Math.max(a.last, b.last),
    delivered: a.delivered + b.delivered,
    dropped: a.dropped + b.dropped
  };
}
