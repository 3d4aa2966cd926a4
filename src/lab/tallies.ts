/** Numbers and fates of the events of each session: this tab's part, and what other tabs told of theirs. */
import type { Counts } from './made.js';

/** What became of the events of one tab's part of a session. */
export interface Fates {
  delivered: number;
  dropped: number;
}

/** One tab's part of a session. */
interface Part extends Fates {
  /** Largest number given; 0 before the first. */
  last: number;
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
    const own = this._part(sess, OWN);
    own.last = last + 1;
    this._numbered.add(sess);
    return own.last;
  }

  /** An event of `sess` was delivered, or given up. */
  settle(sess: string, fate: 'delivered' | 'dropped'): void {
    this._part(sess, OWN)[fate] += 1;
    this._settled.add(sess);
  }

  /** Another tab has given numbers of `sess` up to `last`. */
  raise(sess: string, tab: string, last: number): void {
    const part = this._part(sess, tab);
    part.last = Math.max(part.last, last);
  }

  /** Whatever the database says, `last` has been given in `sess`. */
  claim(sess: string, last: number): void {
    const own = this._part(sess, OWN);
    own.last = Math.max(own.last, last);
    this._numbered.add(sess);
  }

  /** What another tab told of the fates of its part of `sess`. */
  setFates(sess: string, tab: string, { delivered, dropped }: Fates): void {
    Object.assign(this._part(sess, tab), { delivered, dropped });
  }

  /** What became of the events of `sess`. */
  countsOf(sess: string): Counts {
    const { last, delivered, dropped } = this._sum(sess);
    return { made: last, delivered, dropped };
  }

  /** Largest numbers of this tab's that changed since they were asked for last. */
  takeNumbers(): [sess: string, last: number][] {
    return take(this._numbered).map(sess => [sess, this._part(sess, OWN).last]);
  }

  /** Fates of this tab's that changed since they were asked for last. */
  takeFates(): [sess: string, fates: Fates][] {
    return take(this._settled).map(sess => {
      const { delivered, dropped } = this._part(sess, OWN);
      return [sess, { delivered, dropped }];
    });
  }

  /** What was asked for was not kept: all of it has to be asked for again. */
  changedAll(): void {
    for (const [sess, parts] of this._parts) {
      if (parts.has(OWN)) {
        this._numbered.add(sess);
        this._settled.add(sess);
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
    this._numbered.clear();
    this._settled.clear();
  }

  private _part(sess: string, tab: string): Part {
    let parts = this._parts.get(sess);
    if (!parts) {
      this._parts.set(sess, (parts = new Map()));
    }
    let part = parts.get(tab);
    if (!part) {
      parts.set(tab, (part = { ...NOTHING }));
    }
    return part;
  }

  private _sum(sess: string): Part {
    const sum = { ...NOTHING };
    for (const part of this._parts.get(sess)?.values() ?? []) {
      sum.last = Math.max(sum.last, part.last);
      sum.delivered += part.delivered;
      sum.dropped += part.dropped;
    }
    return sum;
  }

  /** By session, then by tab. */
  private _parts = new Map<string, Map<string, Part>>();
  private _numbered = new Set<string>();
  private _settled = new Set<string>();
}

/** Empties `set`. */
function take(set: Set<string>): string[] {
  const taken = [...set];
  set.clear();
  return taken;
}

const OWN = '';
const NOTHING: Readonly<Part> = { last: 0, delivered: 0, dropped: 0 };
