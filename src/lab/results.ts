/** Results of tests in one notebook: those the kernel package tells, and those a run's outcome tells. */
import { eventId, testResultId } from '../events/ids.js';
import type { TestStatus } from '../events/types.js';
import type { TestResult } from './facts.js';
import { isAttempt, judge, testsOf } from './marks.js';
import { cellIdOf, errorText, type Run, type RunOutcome } from './runs.js';
import type { Sessions } from './sessions.js';

/** Results, and runs that had some, that are remembered; a result may come long after its run. */
const MAX_REMEMBERED = 1000;

/** What is known of a run that ended, also where no message of this page asked for it. */
export interface EndedRun {
  run: Omit<Run, 'id'>;
  outcome: RunOutcome;
  /** Texts of the error's frames. */
  traceback: readonly string[];
  at: Date;
}

/** The test results of one notebook, each told once. */
export class Results {
  constructor(sessions: Sessions) {
    this._sessions = sessions;
  }

  /** The kernel package tells a result; maybe not for the first time, maybe after the run. */
  told(id: string, test: TestResult, run: Run | undefined, at: Date): void {
    const uuid = testResultId(id, test.ex, test.ordinal);
    if (this._sessions.announced === null || this._seen.has(uuid)) {
      return;
    }
    remember(this._seen, uuid);
    remember(this._told, id);
    this._sessions.attempted(test.ex, test.try);
    this._sessions.add({
      name: 'test',
      uuid,
      at,
      properties: {
        ex: test.ex,
        ok: test.ok,
        ...(test.status === null ? {} : { status: test.status }),
        try: test.try,
        ms: test.ms === null ? null : Math.round(test.ms),
        err: test.errType === null ? null : errorText(test.errType, test.err),
        cell_id: test.cellId ?? (run ? cellIdOf(run) : null)
      }
    });
  }

  /**
   * A run ended: tells the results of the tests that its cell is marked to hold, unless
   * the kernel package told of any.
   *
   * @param id `msg_id` of the run's request; null where another than this page sent it.
   */
  ended(id: string | null, { run, outcome, traceback, at }: EndedRun): void {
    if (id !== null && this._told.has(id)) {
      return;
    }
    const byDecorator = this._sessions.announced === null;
    const tests = testsOf(run, cellIdOf(run), byDecorator);
    for (const { name, status } of judge(tests, outcome, traceback)) {
      this._judged(id, name, status, { run, outcome, traceback, at });
    }
  }

  private _judged(
    id: string | null,
    name: string,
    status: TestStatus,
    { run, outcome, at }: EndedRun
  ): void {
    const uuid = id === null ? eventId() : testResultId(id, name, 1);
    if (!this._sessions.recorded || this._seen.has(uuid)) {
      return;
    }
    remember(this._seen, uuid);
    this._sessions.add({
      name: 'test',
      uuid,
      at,
      properties: {
        ex: name,
        ok: status === 'passed',
        status,
        try: this._sessions.attempt(name, isAttempt(status)),
        ms: outcome.ms,
        err: outcome.err,
        cell_id: cellIdOf(run)
      }
    });
  }

  private _sessions: Sessions;
  private _seen = new Set<string>();
  /** Runs of which the kernel package told results. */
  private _told = new Set<string>();
}

/** Adds to a set that forgets its oldest entries. */
export function remember(set: Set<string>, entry: string): void {
  set.add(entry);
  if (set.size > MAX_REMEMBERED) {
    const [oldest] = set;
    set.delete(oldest as string);
  }
}
