/** Keeps the course, the student's decision and the queue in step, on this page and with the server. */
import type { PrivacyLevel } from '../events/types.js';
import {
  chosenLevel,
  consentAction,
  standingOf,
  strictest,
  type Standing
} from './consent.js';
import {
  LEVELS,
  readDecision,
  type ConsentAnswer,
  type Course,
  type CourseAnswer,
  type Decision
} from './courseAnswer.js';
import type { Consent } from './made.js';
import type { Outbox } from './outbox.js';
import type { Off, Retry } from './outcomes.js';
import type { PersonalSettings } from './settings.js';

/** The student's own Jupyter server. Nothing here throws: a failed request is an answer too. */
export interface ConsentServer {
  /** @param etag of the last answer, null for none. */
  course(etag: string | null): Promise<CourseAnswer>;
  consent(): Promise<ConsentAnswer>;
  /** Keeps the decision, and the name if one is given. */
  keep(record: Decision | null, student?: string): Promise<ConsentAnswer>;
  /** Forgets name, all decisions and what kernels have not sent. */
  forget(): Promise<{ kind: 'ok' } | Off | Retry>;
}

/** What the agreement works with. */
export interface AgreementOptions {
  server: ConsentServer;
  outbox: Pick<Outbox, 'clear' | 'pause' | 'resume'>;
  /** Tells the course of a decision, by an event. */
  tell: (
    action: 'given' | 'changed' | 'withdrawn',
    decision: Decision
  ) => void | Promise<void>;
  /** The student decided here, or the server has kept it: other pages of theirs shall know at once. */
  spread?: (word: Decision | null | 'saved') => void;
  /** Where an unsaved stop outlives the page; null where the browser forbids it. */
  kept?: Pick<Storage, 'getItem' | 'setItem' | 'removeItem'> | null;
  /** What begins its key there: the Jupyter server. */
  keptAs?: string;
  onChange: () => void;
  /** Says something to whoever reads the console. */
  inform?: (message: string) => void;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later: (ms: number, action: () => void) => () => void;
  now?: () => Date;
}

/** How often course and decision are asked for again: a stricter course reaches running pages. */
export const REFRESH_MS = 300_000;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;

/** What holds on this page, and the ways to change it. */
export class Agreement {
  constructor(options: AgreementOptions) {
    this._options = options;
    // What an earlier page left in the queue waits for the decision as well.
    options.outbox.pause();
    this._standing = this._decide();
  }

  /** Begins to ask. */
  start(): void {
    void this.refresh();
  }

  /** What holds now. */
  get standing(): Standing {
    return this._standing;
  }

  /** The course; null until it is known. */
  get course(): Course | null {
    return this._course;
  }

  /** The decision in force or before a new notice; null where there is none. */
  get record(): Decision | null {
    return this._record ?? null;
  }

  /** The level that is offered: the course's, or a lower one that was chosen before. */
  get offered(): PrivacyLevel {
    const level = this._course?.settings.level ?? 'outcomes';
    return strictest(level, chosenLevel(this._record) ?? level);
  }

  /** The student, as JupyterHub or an earlier session knows them. */
  get student(): string | null {
    return this._course?.hubUser ?? this._student;
  }

  /** Why this page reports nothing; null where it does, or may. */
  get off(): string | null {
    return this._off;
  }

  /** Why course or decision could not be had, or kept, at the last attempt. */
  get trouble(): string | null {
    return this._trouble;
  }

  /** Why the student's decision could not be saved yet; null where it is. */
  get unsaved(): string | null {
    return this._unsaved && this._trouble;
  }

  /** The student's own settings. */
  setPersonal(personal: PersonalSettings): void {
    this._personal = personal;
    this._apply();
  }

  /** Asks the server now for course and decision. */
  async refresh(): Promise<void> {
    this._cancel?.();
    this._cancel = null;
    const { server } = this._options;
    const asked = this._decisions;
    const saving = this._unsaved;
    const [course, consent] = await Promise.all([
      server.course(this._etag),
      saving === null
        ? server.consent()
        : server.keep(saving.record, saving.student)
    ]);
    if (this._stopped || this._off !== null) {
      return;
    }
    const off = [course, consent].find(answer => answer.kind === 'off');
    if (off) {
      this.switchOff((off as Off).reason);
      return;
    }
    if (course.kind === 'course') {
      this._course = course.course;
      this._etag = course.etag;
    }
    // An answer to an older question knows nothing of a decision made since.
    if (consent.kind === 'consent' && asked === this._decisions) {
      this._unsaved = null;
      this._take(consent);
      if (saving !== null) {
        this._keep(null);
      }
    }
    this._schedule([course, consent]);
    const found = this._unsaved === null && this._restore();
    this._apply();
    if (found) {
      await this.refresh();
    }
  }

  /** The student agreed, up to `level`, or declined. `student` is the name they gave with it. */
  async decide(
    decision: 'agreed' | 'declined',
    level: Decision['level'],
    student?: string
  ): Promise<void> {
    await this._change({ decision, level, paused: false }, student);
  }

  /** The student pauses, or goes on. */
  async setPaused(paused: boolean): Promise<void> {
    const level = this.offered;
    await this._change({ decision: 'agreed', level, paused });
  }

  /** The student decided in a cell; the kernel package tells the course of it. */
  heard(word: Consent): void {
    const record: Decision = {
      decision: word.agreed ? 'agreed' : 'declined',
      level: LEVELS.find(level => level === word.level) ?? 'outcomes',
      notice_version: word.notice_version,
      at: this._now(),
      paused: false,
      by: 'kernel'
    };
    this._options.spread?.(record);
    this.adopt(record);
    // A kernel elsewhere cannot write it where the server keeps it.
    this._unsaved = { record };
    this._keep(record);
    void this.refresh();
  }

  /** Another page of the student's decided. */
  adopt(record: Decision | null): void {
    this._decisions += 1;
    // Theirs is the later one, and theirs to save.
    this._unsaved = null;
    this._record = record;
    this._forgotten = record === null;
    this._apply();
  }

  /** Forgets name and decisions, here and on the server, and everything not sent yet. */
  async forget(): Promise<{ kind: 'ok' } | Off | Retry> {
    this._decisions += 1;
    this._unsaved = null;
    this._keep(null);
    this._record = null;
    this._student = null;
    this._forgotten = true;
    this._purging = true;
    this._apply();
    this._options.spread?.(null);
    const [answer] = await Promise.all([
      this._options.server.forget(),
      this._options.outbox.clear()
    ]);
    this._purging = false;
    this._apply();
    return answer;
  }

  /** Nothing is to leave this page after all. */
  switchOff(reason: string): void {
    if (this._off === null && !this._stopped) {
      this._off = reason;
      this._cancel?.();
      this._options.inform?.(
        `ipynb-telemetry: this page reports nothing: ${reason}`
      );
      this._apply();
    }
  }

  /** Stops asking. */
  dispose(): void {
    this._stopped = true;
    this._cancel?.();
  }

  private async _change(
    change: Pick<Decision, 'decision' | 'level' | 'paused'>,
    student?: string
  ): Promise<void> {
    const course = this._course;
    const { outbox, tell, spread } = this._options;
    if (course === null || this._off !== null) {
      return;
    }
    const stops = change.decision === 'declined' || change.paused;
    if (stops && !this._standing.mayStop) {
      return;
    }
    const before = { state: this._standing.state, record: this.record };
    const record: Decision = {
      ...change,
      notice_version: course.settings.notice.version,
      at: this._now(),
      by: 'page',
      ...(isChoice(change, course) ? {} : { told: true })
    };
    const action = consentAction(before, record, course);
    this._decisions += 1;
    this._record = record;
    this._student = student ?? this._student;
    this._forgotten = false;
    this._unsaved = { record, student };
    this._keep(record);
    // From here on nothing more is made; the rest takes its time.
    this._purging = change.decision === 'declined';
    this._apply();
    spread?.(record);
    const saved = this.refresh().then(() => {
      if (this._unsaved === null) {
        spread?.('saved');
      }
    });
    if (this._purging) {
      await outbox.clear();
      this._purging = false;
    }
    if (action !== null) {
      await tell(action, record);
    }
    this._apply();
    await saved;
  }

  /** A reload shall not undo that the student stopped, whatever the server says. */
  private _keep(record: Decision | null): void {
    const { kept } = this._options;
    const stops = record?.decision === 'declined' || record?.paused;
    try {
      if (stops) {
        kept?.setItem(this._keptKey, JSON.stringify(record));
      } else {
        kept?.removeItem(this._keptKey);
      }
    } catch {
      // A full storage: it holds on this page.
    }
  }

  /** Takes up a stop that no page could save; false where there is none, or a later decision. */
  private _restore(): boolean {
    try {
      const text = this._course && this._options.kept?.getItem(this._keptKey);
      const record = text ? readDecision(JSON.parse(text)) : null;
      if (record !== null && record.at > (this._record?.at ?? '')) {
        this._record = record;
        this._unsaved = { record };
        return true;
      }
    } catch {
      // Not ours.
    }
    return false;
  }

  private get _keptKey(): string {
    const { keptAs } = this._options;
    return `ipynb-telemetry ${keptAs} ${this._course?.settings.course}`;
  }

  private _now(): string {
    return (this._options.now?.() ?? new Date()).toISOString();
  }

  private _take(consent: ConsentAnswer & { kind: 'consent' }): void {
    this._record = consent.record;
    this._student = consent.student;
    this._forgotten =
      consent.record === null &&
      (this._forgotten || consent.forgotten === true);
  }

  private _decide(): Standing {
    return standingOf({
      off: this._off,
      course: this._course,
      record: this._record,
      personal: this._personal,
      forgotten: this._forgotten
    });
  }

  /** Brings the queue in line with what holds, and says so. */
  private _apply(): void {
    const before = this._standing.state;
    this._standing = this._decide();
    const { outbox } = this._options;
    switch (this._standing.state) {
      case 'sending':
      case 'tell':
        outbox.resume();
        break;
      case 'ask':
      case 'declined':
        if (this._purging) {
          outbox.pause();
        } else if (before !== this._standing.state) {
          void this._purge();
        } else {
          outbox.resume();
        }
        break;
      default:
        outbox.pause();
    }
    this._options.onChange();
  }

  /** Of what waits, only the word to the course that the student stopped may still leave. */
  private async _purge(): Promise<void> {
    const { outbox } = this._options;
    this._purging = true;
    outbox.pause();
    try {
      await outbox.clear(({ event }) => event === 'consent');
    } finally {
      this._purging = false;
    }
    this._apply();
  }

  private _schedule(answers: readonly (CourseAnswer | ConsentAnswer)[]): void {
    const failed = answers.filter(answer => answer.kind === 'retry') as Retry[];
    this._trouble = failed[0]?.reason ?? null;
    let delay = REFRESH_MS;
    if (failed.length > 0) {
      delay = Math.max(
        Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this._failures),
        ...failed.map(answer => answer.afterMs ?? 0)
      );
    }
    this._failures = failed.length > 0 ? this._failures + 1 : 0;
    this._cancel?.();
    this._cancel = this._options.later(delay, () => void this.refresh());
  }

  private _options: AgreementOptions;
  private _standing: Standing;
  private _course: Course | null = null;
  private _etag: string | null = null;
  private _record: Decision | null | undefined = undefined;
  private _student: string | null = null;
  private _personal: PersonalSettings | null = null;
  private _forgotten = false;
  private _off: string | null = null;
  private _trouble: string | null = null;
  /** A decision that the server has not confirmed. */
  private _unsaved: { record: Decision; student?: string } | null = null;
  /** Counts decisions, so that late answers to earlier questions are told apart. */
  private _decisions = 0;
  private _purging = false;
  private _failures = 0;
  private _cancel: (() => void) | null = null;
  private _stopped = false;
}

/** Whether the student chose something, and did not only take notice. */
function isChoice(
  { decision, level }: Pick<Decision, 'decision' | 'level'>,
  { settings }: Course
): boolean {
  return (
    decision === 'declined' ||
    settings.consent === 'opt-in' ||
    level !== settings.level
  );
}
