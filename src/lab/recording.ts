/** One kernel's session as a page sees it: kernel messages in, `cell` and `test` events out. */
import { cellRunId, testResultId } from '../events/ids.js';
import type { Properties, SessionContext } from '../events/types.js';
import type { Fact, Hello, Reply, TestResult } from './facts.js';
import type { MadeEvent } from './made.js';
import {
  countLines,
  errorText,
  outcomeOf,
  RunTable,
  type Run,
  type RunOutcome
} from './runs.js';
import { VERSION } from './version.js';

/** The page's line to the kernel package. */
export interface Channel {
  /** Comm id. */
  readonly id: string;
  send(data: Properties): void;
  close(): void;
}

/** What a recording needs of the page around it. */
export interface RecordingHost {
  /** Takes an event for delivery. */
  made(event: MadeEvent): void;
  /** Opens a comm to the kernel package; null where that is impossible. */
  openChannel(): Channel | null;
  /** The session began, changed or ended. */
  sessionChanged(): void;
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic clock in milliseconds. */
  ticks(): number;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later(ms: number, action: () => void): () => void;
}

/**
 * How long a run waits for the kernel's idle after its reply. Labels and test results
 * come before the idle, on another socket than the reply.
 */
export const IDLE_WAIT_MS = 1000;

/** Requests, and test results, that are remembered; a result may come long after its run. */
const MAX_REMEMBERED = 1000;

/** What happens in one kernel connection of this page. */
export class Recording {
  constructor(host: RecordingHost) {
    this._host = host;
  }

  /** The session the kernel package announced; null before it did and after it ended. */
  get session(): SessionContext | null {
    return this._session;
  }

  /** Takes in what a message told. */
  receive(fact: Fact): void {
    switch (fact.kind) {
      case 'requested':
        remember(this._requested, fact.run);
        this._runs.open({
          id: fact.run,
          cell: fact.cell,
          exercise: fact.exercise,
          code: fact.code
        });
        break;
      case 'began':
        this._began(fact.run, fact.code, fact.count);
        break;
      case 'replied':
        this._replied(fact.run, fact.reply);
        break;
      case 'idle':
        this._idle(fact.run);
        break;
      case 'hello':
        this._hello(fact.run, fact.own, fact.hello);
        break;
      case 'welcome':
        this._welcome(fact.comm, fact.hello);
        break;
      case 'label':
        this._label(fact.comm, fact.run, fact.cellId, fact.code);
        break;
      case 'test':
        // Another page's run is that page's to report.
        if (this._requested.has(fact.run) && this._isOurs(fact.comm)) {
          this._test(fact.run, fact.test);
        }
        break;
    }
  }

  /** Asks a kernel that was there before this page for its session. */
  reattach(): void {
    if (this._session === null && this._channel === null) {
      this._channel = this._host.openChannel();
    }
  }

  /** Tells the kernel package which events arrived, so that it lets go of its own copies. */
  acknowledge(uuids: readonly string[]): void {
    if (uuids.length > 0) {
      this._channel?.send({ kind: 'ack', uuids: [...uuids] });
    }
  }

  /** The kernel closed the channel: there is nobody to acknowledge to. */
  channelClosed(id: string): void {
    if (this._channel?.id === id) {
      this._channel = null;
    }
  }

  /** The kernel is restarting or gone: no open run will be answered, and the session is over. */
  kernelGone(): void {
    this._cancelWaits();
    for (const run of this._runs.closeAll()) {
      this._report(run, outcomeOf(run));
    }
    this._channel = null;
    this._end();
  }

  /**
   * This page stops watching while the kernel goes on. The kernel package reports how
   * the open runs end; where it does not listen they are lost.
   */
  leave(): void {
    if (this._channel === null) {
      this.kernelGone();
      return;
    }
    this._cancelWaits();
    for (const run of this._runs.closeAll()) {
      if (run.reply !== null) {
        this._report(run, outcomeOf(run));
      }
    }
    this._channel.close();
    this._channel = null;
    this._end();
  }

  /** The page is being hidden for good: let the kernel package report by itself from here on. */
  detach(): void {
    this._channel?.close();
    this._channel = null;
  }

  private _began(id: string, code: string, count: number | null): void {
    // The kernel numbers all runs, also those of a second tab or a console.
    const number =
      this._session !== null && code.trim() !== '' ? ++this._runCount : null;
    const run = this._runs.get(id);
    if (run) {
      run.number = number;
      run.count = count;
      run.beganAt = this._host.ticks();
    }
  }

  private _replied(id: string, reply: Reply): void {
    const run = this._runs.get(id);
    if (!run || run.reply !== null) {
      return;
    }
    run.reply = reply;
    run.pageMs = run.beganAt === null ? null : this._host.ticks() - run.beganAt;
    run.count = reply.count ?? run.count;
    if (this._idleBeforeReply.delete(id)) {
      this._finish(id);
    } else {
      this._waits.set(
        id,
        this._host.later(IDLE_WAIT_MS, () => this._finish(id))
      );
    }
  }

  private _idle(id: string): void {
    const run = this._runs.get(id);
    if (run?.reply) {
      this._finish(id);
    } else if (run) {
      this._idleBeforeReply.add(id);
    }
  }

  private _finish(id: string): void {
    this._waits.get(id)?.();
    this._waits.delete(id);
    const run = this._runs.close(id);
    if (run) {
      this._report(run, outcomeOf(run));
    }
  }

  private _hello(id: string, own: boolean, hello: Hello): void {
    if (!own) {
      return;
    }
    // An earlier session's line is the kernel's to close.
    this._begin(hello);
    // The setup's own run is the first of its session.
    this._runCount = 1;
    const run = this._runs.get(id);
    if (run) {
      run.number = 1;
    }
    this._channel = this._host.openChannel();
    this._host.sessionChanged();
  }

  private _welcome(comm: string, hello: Hello): void {
    if (this._channel?.id !== comm) {
      return;
    }
    if (this._session?.sess !== hello.sess) {
      this._begin(hello);
      this._runCount = hello.runs ?? 0;
      this._host.sessionChanged();
    } else {
      this._runCount = Math.max(this._runCount, hello.runs ?? 0);
    }
  }

  private _label(
    comm: string,
    id: string,
    cellId: string,
    code: string | null
  ): void {
    const run = this._runs.get(id);
    if (run && this._isOurs(comm)) {
      run.label = { cellId, code };
    }
  }

  private _test(id: string, test: TestResult): void {
    const session = this._session;
    const uuid = testResultId(id, test.ex, test.ordinal);
    if (session === null || this._seenTests.has(uuid)) {
      return;
    }
    remember(this._seenTests, uuid);
    const run = this._runs.get(id);
    this._host.made({
      name: 'test',
      context: session,
      uuid,
      at: new Date(this._host.now()),
      properties: {
        ex: test.ex,
        ok: test.ok,
        try: test.try,
        ms: test.ms === null ? null : Math.round(test.ms),
        err: test.errType === null ? null : errorText(test.errType, test.err),
        cell_id: test.cellId ?? (run ? cellIdOf(run) : null)
      }
    });
  }

  /** Makes the `cell` event of a run that ended. Runs outside a session are nobody's. */
  private _report(run: Run, outcome: RunOutcome): void {
    this._idleBeforeReply.delete(run.id);
    const session = this._session;
    if (session === null) {
      return;
    }
    const reached = outcome.status !== 'aborted';
    this._host.made({
      name: 'cell',
      context: session,
      uuid: cellRunId(run.id),
      at: new Date(this._host.now()),
      properties: {
        cell_id: cellIdOf(run),
        cell_num: reached ? run.number : null,
        code: run.label?.code || run.code,
        status: outcome.status,
        ms: outcome.ms,
        err: outcome.err,
        count: reached ? run.count : null,
        lines: countLines(run.code),
        nb_cell: run.cell
      }
    });
  }

  private _begin(hello: Hello): void {
    this._comm = hello.comm;
    this._session = {
      nb: hello.nb,
      sess: hello.sess,
      student: hello.student,
      v: VERSION,
      src: 'lab'
    };
  }

  private _end(): void {
    this._comm = null;
    if (this._session !== null) {
      this._session = null;
      this._host.sessionChanged();
    }
  }

  private _isOurs(comm: string): boolean {
    return comm === this._comm || comm === this._channel?.id;
  }

  private _cancelWaits(): void {
    for (const cancel of this._waits.values()) {
      cancel();
    }
    this._waits.clear();
    this._idleBeforeReply.clear();
  }

  private _host: RecordingHost;
  private _session: SessionContext | null = null;
  /** Runs of the session that the kernel took up, whoever asked for them. */
  private _runCount = 0;
  private _runs = new RunTable();
  private _waits = new Map<string, () => void>();
  private _idleBeforeReply = new Set<string>();
  /** Runs that this page asked for, those that ended included. */
  private _requested = new Set<string>();
  private _seenTests = new Set<string>();
  private _channel: Channel | null = null;
  /** Comm id that the hello named for labels and results. */
  private _comm: string | null = null;
}

/** What `_cell` said, else the exercise, else the notebook format's id. */
function cellIdOf(run: Run): string | null {
  return run.label?.cellId ?? run.exercise ?? run.cell;
}

/** Adds to a set that forgets its oldest. */
function remember(set: Set<string>, value: string): void {
  set.add(value);
  if (set.size > MAX_REMEMBERED) {
    const [oldest] = set;
    set.delete(oldest as string);
  }
}
