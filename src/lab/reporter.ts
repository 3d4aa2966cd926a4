/** From an event that was made to the outbox: held until the course is known, then reduced to its level. */
import { buildEvent } from '../events/builders.js';
import { applyLevel } from '../events/levels.js';
import type { CourseSettings, EventName } from '../events/types.js';
import type { CourseAnswer } from './outcomes.js';
import type { Outbox } from './outbox.js';
import type { MadeEvent } from './made.js';
import type { Sequence } from './sequence.js';
import type { QueuedEvent } from './store.js';

/** What a reporter works with. */
export interface ReporterOptions {
  outbox: Pick<Outbox, 'add'>;
  sequence: Sequence;
  /** Asks for the course's settings. Never throws. */
  askCourse: () => Promise<CourseAnswer>;
  /** The course became known, or that there is none. */
  onChange?: () => void;
  /** Says something to whoever reads the console. */
  inform?: (message: string) => void;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later: (ms: number, action: () => void) => () => void;
}

/** Events held while the course's settings were never reached. */
export const MAX_HELD = 2000;

const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/**
 * Lets nothing into the outbox before the course has said how much may leave: an event
 * waits here, unsent, and is given up where nobody collects.
 */
export class Reporter {
  constructor(options: ReporterOptions) {
    this._options = options;
    void this._ask();
  }

  /** The course's settings; null until they are known. */
  get course(): CourseSettings | null {
    return this._course;
  }

  /** Why this page reports nothing; null where it does, or may. */
  get off(): string | null {
    return this._off;
  }

  /** Why the settings could not be had at the last attempt. */
  get trouble(): string | null {
    return this._trouble;
  }

  /** Events that wait for the course's settings. */
  get held(): number {
    return this._held.length;
  }

  /** Takes an event. */
  report(event: MadeEvent): void {
    if (this._off !== null || this._stopped) {
      return;
    }
    if (this._course === null) {
      this._held.push(event);
      if (this._held.length > MAX_HELD) {
        this._held.shift();
      }
      return;
    }
    this._options.outbox.add([this._queued(event, this._course)]);
  }

  /** Nothing is to leave this page after all: give up what is held and take no more. */
  switchOff(reason: string): void {
    if (this._off === null && !this._stopped) {
      this._course = null;
      this._off = reason;
      this._held = [];
      this._cancel?.();
      this._options.inform?.(
        `ipynb-telemetry: this page reports nothing: ${reason}`
      );
      this._options.onChange?.();
    }
  }

  /** Stops asking. */
  dispose(): void {
    this._stopped = true;
    this._cancel?.();
  }

  private async _ask(): Promise<void> {
    const answer = await this._options.askCourse();
    if (this._stopped || this._off !== null) {
      return;
    }
    switch (answer.kind) {
      case 'course': {
        if (answer.settings.consent === 'opt-in') {
          // Nothing may leave before agreement, and this page cannot ask for it.
          this.switchOff(
            'the course asks each student first; the setup cell says how to agree'
          );
          return;
        }
        this._course = answer.settings;
        this._trouble = null;
        const held = this._held;
        this._held = [];
        this._options.outbox.add(
          held.map(event => this._queued(event, answer.settings))
        );
        this._options.onChange?.();
        break;
      }
      case 'off':
        this.switchOff(answer.reason);
        break;
      case 'retry': {
        this._trouble = answer.reason;
        const delay = Math.min(
          LONGEST_RETRY_MS,
          FIRST_RETRY_MS * 2 ** this._attempts
        );
        this._attempts += 1;
        this._cancel = this._options.later(
          Math.max(delay, answer.afterMs ?? 0),
          () => void this._ask()
        );
        this._options.onChange?.();
        break;
      }
    }
  }

  private _queued(event: MadeEvent, course: CourseSettings): QueuedEvent {
    return {
      ...buildEvent(
        event.name as EventName,
        event.context,
        {
          at: event.at,
          uuid: event.uuid,
          seq: this._options.sequence.next(event.context.sess)
        },
        applyLevel(event.name, event.properties, course.level) as never
      ),
      uuid: event.uuid
    };
  }

  private _options: ReporterOptions;
  private _course: CourseSettings | null = null;
  private _off: string | null = null;
  private _trouble: string | null = null;
  private _held: MadeEvent[] = [];
  private _attempts = 0;
  private _cancel: (() => void) | null = null;
  private _stopped = false;
}
