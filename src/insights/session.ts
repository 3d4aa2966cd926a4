/** One session folded from its events: counts, the exercise being worked on, what went wrong last. */
import type { Properties, TelemetryRecord } from '../events/types.js';
import type { SessionRow } from '../api/index.js';
import { isAfter, type Moment } from './moment.js';
import { errorTypeOf, exerciseOf, isAttempt, payloadOf } from './payload.js';

/** The latest of its kind, whatever the order of arrival. */
interface Latest<T> {
  moment: Moment;
  value: T;
}

/** Who and where. */
export type SessionName = Pick<SessionRow, 'session' | 'student' | 'notebook'>;

/** Counts are sums and times are extremes, so any order of arrival gives the same row. */
export class Session {
  constructor(private readonly _name: SessionName) {}

  /** Takes in one event of this session. The same event must not be added twice. */
  add(record: TelemetryRecord, moment: Moment): void {
    this._startedAt = Math.min(this._startedAt, moment.seen);
    if (record.event === 'end') {
      this._addEnd(moment);
      return;
    }
    this._lastAt = Math.max(this._lastAt, moment.seen);
    const payload = payloadOf(record);
    if (record.event === 'cell') {
      this._addRun(payload, moment);
    } else if (record.event === 'test') {
      this._addTest(payload, moment);
    }
  }

  row(): SessionRow {
    return {
      ...this._name,
      startedAt: new Date(this._startedAt).toISOString(),
      lastAt: new Date(this.lastAt).toISOString(),
      endedAt: this._endedAt(),
      runs: this._runs,
      errors: this._errors,
      tests: this._tests,
      passes: this._passes,
      exercise: this._lastTest?.value.exercise ?? null,
      lastError: this._lastError()
    };
  }

  /** Ms since 1970. An end is no sign of the student (servers stop idle kernels), so it counts only where nothing else is known. */
  get lastAt(): number {
    return this._lastAt > -Infinity ? this._lastAt : (this._end?.seen ?? 0);
  }

  /** The page and the kernel both tell the end of a session; the later one is when it was over. */
  private _addEnd(moment: Moment): void {
    if (isAfter(moment, this._end)) {
      this._end = moment;
    }
  }

  /** What is run or tested after an end shows that it was none. */
  private _endedAt(): string | null {
    return this._end !== null && this._end.at >= this._lastWorkAt
      ? new Date(this._end.seen).toISOString()
      : null;
  }

  private _addRun(payload: Properties, moment: Moment): void {
    const status = payload['status'];
    if (status === 'aborted') {
      return; // The kernel never saw it: the student chose nothing here.
    }
    if (status !== 'lost') {
      this._lastWorkAt = Math.max(this._lastWorkAt, moment.at); // Lost ones end with the kernel.
    }
    this._runs += 1;
    this._errors += status === 'error' ? 1 : 0;
    if (isAfter(moment, this._lastRun?.moment ?? null)) {
      const error = status === 'ok' ? null : errorTypeOf(payload);
      this._lastRun = {
        moment,
        value: error ?? (status === 'error' ? 'Error' : null)
      };
    }
  }

  private _addTest(payload: Properties, moment: Moment): void {
    this._lastWorkAt = Math.max(this._lastWorkAt, moment.at);
    const exercise = exerciseOf(payload);
    if (exercise === null || !isAttempt(payload)) {
      return;
    }
    const ok = payload['ok'] === true;
    this._tests += 1;
    this._passes += ok ? 1 : 0;
    if (isAfter(moment, this._lastTest?.moment ?? null)) {
      const error = ok ? null : (errorTypeOf(payload) ?? 'Error');
      this._lastTest = { moment, value: { exercise, error } };
    }
  }

  /**
   * Runs and tests are judged apart: a cell that catches its test's failure ends well
   * right after it, and would hide it.
   */
  private _lastError(): string | null {
    const run = this._lastRun;
    const test = this._lastTest;
    if (!test?.value.error) {
      return run?.value ?? null;
    }
    return run?.value && isAfter(run.moment, test.moment)
      ? run.value
      : test.value.error;
  }

  private _startedAt = Infinity;
  private _lastAt = -Infinity;
  private _end: Moment | null = null;
  /** Time of the latest run or test, by the event's own clock. */
  private _lastWorkAt = -Infinity;
  private _runs = 0;
  private _errors = 0;
  private _tests = 0;
  private _passes = 0;
  private _lastRun: Latest<string | null> | null = null;
  private _lastTest: Latest<{ exercise: string; error: string | null }> | null =
    null;
}
