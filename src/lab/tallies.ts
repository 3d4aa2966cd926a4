/** Numbers and fates of the events of each session: this tab's part, and what other tabs told of theirs. */
import type { Counts } from './made.js';

/** One tab's part of a session. */
export interface Tally {
  /** Largest number given; 0 before the first. */
  last: number;
  delivered: number;
  dropped: number;
}

/** The sessions of one destination. A number is taken once, whoever gave it. */
export class Tallies {
  /** Events given up in all sessions. */
  get dropped(): number {
    let dropped = 0;
    for (const sess of this._parts.keys()) {
      dropped += this._sum(sess).dropped;
    }
    return dropped;
  }

  /** The next number of session `sess`, as far as numbers are known here. */
  next(sess: string): number {
    const { last } = this._sum(sess);
    const own = this._own(sess);
    own.last = last + 1;
    return own.last;
  }

  /** An event of `sess` was delivered, or given up. */
  settle(sess: string, fate: 'delivered' | 'dropped'): void {
    this._own(sess)[fate] += 1;
  }

  /** What another tab wrote of its part of `sess`. */
  setOther(sess: string, tab: string, { last, ...rest }: Tally): void {
    const parts = this._partsOf(sess);
    parts.set(tab, {
      ...rest,
      last: Math.max(last, parts.get(tab)?.last ?? 0)
    });
  }

  /** Another tab has given numbers of `sess` up to `last`. */
  raise(sess: string, tab: string, last: number): void {
    const { delivered, dropped } = this._partsOf(sess).get(tab) ?? NOTHING;
    this.setOther(sess, tab, { last, delivered, dropped });
  }

  /** What became of the events of `sess`. */
  countsOf(sess: string): Counts {
    const { last, delivered, dropped } = this._sum(sess);
    return { made: last, delivered, dropped };
  }

  /** This tab's parts that changed since they were asked for last. */
  takeChanged(): [sess: string, part: Tally][] {
    const changed = [...this._changed].map(sess => [
      sess,
      { ...this._partsOf(sess).get(OWN)! }
    ]);
    this._changed.clear();
    return changed as [string, Tally][];
  }

  /** What was asked for was not kept: all of it has to be asked for again. */
  changedAll(): void {
    for (const [sess, parts] of this._parts) {
      if (parts.has(OWN)) {
        this._changed.add(sess);
      }
    }
  }

  /** This tab goes on under a new id; its part so far is that of `tab`. */
  handOver(tab: string): void {
    for (const parts of this._parts.values()) {
      const own = parts.get(OWN);
      if (own) {
        parts.delete(OWN);
        parts.set(tab, own);
      }
    }
    this._changed.clear();
  }

  private _own(sess: string): Tally {
    const parts = this._partsOf(sess);
    let own = parts.get(OWN);
    if (!own) {
      parts.set(OWN, (own = { ...NOTHING }));
    }
    this._changed.add(sess);
    return own;
  }

  private _partsOf(sess: string): Map<string, Tally> {
    let parts = this._parts.get(sess);
    if (!parts) {
      this._parts.set(sess, (parts = new Map()));
    }
    return parts;
  }

  private _sum(sess: string): Tally {
    const sum = { ...NOTHING };
    for (const part of this._parts.get(sess)?.values() ?? []) {
      sum.last = Math.max(sum.last, part.last);
      sum.delivered += part.delivered;
      sum.dropped += part.dropped;
    }
    return sum;
  }

  /** By session, then by tab. */
  private _parts = new Map<string, Map<string, Tally>>();
  private _changed = new Set<string>();
}

const OWN = '';
const NOTHING: Readonly<Tally> = { last: 0, delivered: 0, dropped: 0 };
