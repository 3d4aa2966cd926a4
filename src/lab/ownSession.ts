/** A session that the page begins by itself, and its events while nobody knows whose they are. */
import { eventId, sessionEndId } from '../events/ids.js';
import type { Properties, SessionContext } from '../events/types.js';
import type { Counts, LooseEvent, MadeEvent } from './made.js';

/** Why a session ended. */
export type EndReason = 'restarted' | 'shutdown' | 'died' | 'setup' | 'closed';

/** Events kept while session or student are unknown; beyond that the oldest are given up. */
export const MAX_KEPT = 1000;

/** The `end` of a session as the page tells it. */
export function endOf(
  context: SessionContext,
  reason: EndReason,
  at: Date,
  counts: Counts
): MadeEvent {
  return {
    name: 'end',
    context,
    uuid: sessionEndId(context.sess, 'lab'),
    at,
    properties: { reason, ...counts }
  };
}

/** One session of the page's own: first a pile of events, then a session with id and student. */
export class OwnSession {
  /** @param made takes an event for delivery. */
  constructor(beganAt: Date, made: (event: MadeEvent) => void) {
    this._beganAt = beganAt;
    this._made = made;
  }

  /** The session; null while its events are only kept. */
  get context(): SessionContext | null {
    return this._context;
  }

  /** It will not become a session of the kernel package any more. */
  committed = false;

  /** It is over, since then and for that reason, and yet its events may still be kept. */
  over: { reason: EndReason; at: Date } | null = null;

  /** Takes an event. */
  take(event: LooseEvent): void {
    if (this._context !== null) {
      this._made({ ...event, context: this._context });
      return;
    }
    this._kept.push(event);
    if (this._kept.length > MAX_KEPT) {
      this._kept.shift();
      this._dropped += 1;
    }
  }

  /**
   * Session and student are known: everything that was kept goes out.
   *
   * @param start properties of its `start`; null where it was sent before a reload.
   */
  begin(context: SessionContext, start: Properties | null): void {
    this._context = context;
    if (start !== null) {
      this._made({
        name: 'start',
        context,
        uuid: eventId(),
        at: this._beganAt,
        properties: start
      });
    }
    this._handOver(context, event => event);
  }

  /** It was a session of the kernel package all along, whose numbers began later. */
  joinTo(context: SessionContext): void {
    this._handOver(context, event =>
      event.name === 'cell'
        ? { ...event, properties: { ...event.properties, cell_num: null } }
        : event
    );
  }

  /** Says that it is over. */
  end(reason: EndReason, at: Date, counts: Counts): void {
    if (this._context !== null) {
      this._made(
        endOf(this._context, reason, at, {
          ...counts,
          dropped: counts.dropped + this._dropped
        })
      );
    }
  }

  private _handOver(
    context: SessionContext,
    change: (event: LooseEvent) => LooseEvent
  ): void {
    const kept = this._kept;
    this._kept = [];
    for (const event of kept) {
      this._made({ ...change(event), context });
    }
  }

  private _beganAt: Date;
  private _made: (event: MadeEvent) => void;
  private _context: SessionContext | null = null;
  private _kept: LooseEvent[] = [];
  private _dropped = 0;
}
