/** From an event that was made to the outbox: only with the student's agreement, and reduced to its level. */
import { buildEvent } from '../events/builders.js';
import { eventId, sessionId } from '../events/ids.js';
import { applyLevel } from '../events/levels.js';
import type {
  EventName,
  PrivacyLevel,
  SessionContext
} from '../events/types.js';
import { isSending, type Standing } from './consent.js';
import type { Decision } from './courseAnswer.js';
import type { MadeEvent } from './made.js';
import type { Outbox } from './outbox.js';
import type { UnnumberedEvent } from './store.js';
import { VERSION } from './version.js';

/** What a reporter works with. */
export interface ReporterOptions {
  outbox: Pick<Outbox, 'add'>;
  /** What holds now. */
  standing: () => Standing;
  /** The session that has the focus, or any other. */
  session: () => SessionContext | null;
  /** The student, where the server knows them. */
  student: () => string | null;
}

/** Events held while course and decision were never reached. */
export const MAX_HELD = 2000;

/**
 * Lets nothing into the outbox before course and student have said how much may leave: an
 * event waits here, in memory alone, and is given up where it may not be kept.
 */
export class Reporter {
  constructor(options: ReporterOptions) {
    this._options = options;
  }

  /** Events that wait for the course's settings. */
  get held(): number {
    return this._held.length;
  }

  /** Takes an event; false where it is given up. */
  report(event: MadeEvent): boolean {
    const standing = this._options.standing();
    if (standing.state === 'unknown') {
      this._held.push(event);
      if (this._held.length > MAX_HELD) {
        this._held.shift();
      }
      return true;
    }
    if (!standing.collects(event.name)) {
      return false;
    }
    this._send(event, standing.level);
    return true;
  }

  /** Something else holds now: what was held may go, or must be given up. */
  standingChanged(): void {
    const { state } = this._options.standing();
    if (state !== 'unknown' && this._held.length > 0) {
      const held = this._held;
      this._held = [];
      held.forEach(event => this.report(event));
    }
    if (!isSending(state) && state !== 'paused') {
      this._pending = null;
    }
  }

  /**
   * Tells the course what the student decided. What does not take back goes with the first
   * event that follows: before there is a session there is nothing to agree to.
   */
  tell(
    action: 'given' | 'changed' | 'withdrawn',
    { level, notice_version }: Decision
  ): void {
    const word: Word = { action, level, notice_version };
    const context = this._options.session() ?? this._last;
    if (context !== null) {
      this._say(word, context);
    } else if (action !== 'withdrawn') {
      this._pending = word;
    } else {
      const student = this._options.student();
      // Events may have come from an earlier page; without a name there never were any.
      if (student !== null) {
        const sess = sessionId();
        this._say(word, { nb: '', sess, student, v: VERSION, src: 'lab' });
      }
    }
  }

  private _send(event: MadeEvent, level: PrivacyLevel): void {
    this._last = event.context;
    if (this._pending !== null) {
      const word = this._pending;
      this._pending = null;
      this._say(word, event.context);
    }
    this._options.outbox.add([unnumbered(event, level)]);
  }

  private _say(word: Word, context: SessionContext): void {
    const event = {
      name: 'consent' as const,
      // The page says it, whoever announced the session.
      context: { ...context, v: VERSION, src: 'lab' as const },
      uuid: eventId(),
      at: new Date(),
      properties: { ...word }
    };
    this._options.outbox.add([unnumbered(event, 'outcomes')]);
  }

  private _options: ReporterOptions;
  private _held: MadeEvent[] = [];
  /** Session of the last event. */
  private _last: SessionContext | null = null;
  private _pending: Word | null = null;
}

interface Word {
  action: 'given' | 'changed' | 'withdrawn';
  level: PrivacyLevel;
  notice_version: number;
}

/** The wire event of `event`; its `seq` comes from the store. */
function unnumbered(event: MadeEvent, level: PrivacyLevel): UnnumberedEvent {
  const built = buildEvent(
    event.name as EventName,
    event.context,
    { at: event.at, uuid: event.uuid, seq: 0 },
    applyLevel(event.name, event.properties, level) as never
  );
  const { seq: _later, ...properties } = built.properties;
  return { ...built, uuid: event.uuid, properties };
}
