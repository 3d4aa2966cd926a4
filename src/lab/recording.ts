/** One notebook's runs as a page sees them: kernel messages in, `cell`, `test` and `kernel` events out. */
import { v5 } from 'uuid';
import { cellRunId, eventId, ID_NAMESPACE } from '../events/ids.js';
import type { Properties, SessionContext } from '../events/types.js';
import type { Fact, Hello, Reply, SentEvent } from './facts.js';
import type { Consent } from './made.js';
import type { EndReason } from './ownSession.js';
import { remember, Results } from './results.js';
import {
  cellEvent,
  outcomeOf,
  RunTable,
  type Run,
  type RunOutcome
} from './runs.js';
import type { Sessions } from './sessions.js';

/** The page's line to the kernel package. */
export interface Channel {
  /** Comm id. */
  readonly id: string;
  send(data: Properties): void;
  close(): void;
}

/** What a recording needs of the page around it. */
export interface RecordingHost {
  /** Whose the events are. */
  sessions: Sessions;
  /** Opens a comm to the kernel package; null where that is impossible. */
  openChannel(): Channel | null;
  /** The exercise of a cell whose metadata declares `declared`. */
  exerciseOf(cell: string, declared: string | null): string | null;
  /** A cell of this page was handed to the kernel. */
  requested(cell: string, code: string): void;
  /** The student's decision that is in force; null where there is none. */
  consent(): Consent | null;
  /** The kernel package delivered these by itself. */
  sentByKernel(events: readonly SentEvent[]): void;
  /** The student decided on the course in a cell. */
  decidedInKernel(decision: Consent): void;
  /** Wall clock, milliseconds since the epoch. */
  now(): number;
  /** Monotonic clock in milliseconds. */
  ticks(): number;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later(ms: number, action: () => void): () => void;
}

/** What somebody or something does to a kernel. */
export type KernelAction = 'restarted' | 'interrupted' | 'died';

/**
 * How long a run waits for the kernel's idle after its reply. Labels and test results
 * come before the idle, on another socket than the reply.
 */
export const IDLE_WAIT_MS = 1000;

/** Runs of other clients whose numbers are remembered. */
const MAX_NUMBERS = 100;

/** What happens in the kernels that a notebook has, one after the other. */
export class Recording {
  constructor(host: RecordingHost) {
    this._host = host;
    this.results = new Results(host.sessions);
  }

  /** Test results of this notebook. */
  readonly results: Results;

  /** The session the kernel package announced; null before it did and after it ended. */
  get session(): SessionContext | null {
    return this._host.sessions.announced;
  }

  /** Whether a run of that cell is under way that this page asked for. */
  isRunning(cell: string): boolean {
    for (const run of this._runs.all()) {
      if (run.cell === cell) {
        return true;
      }
    }
    return false;
  }

  /** Number of the run with that execution count, if another client asked for it. */
  numberOf(count: number | null): number | null {
    return (count === null ? undefined : this._numbers.get(count)) ?? null;
  }

  /** Takes in what a message told. */
  receive(fact: Fact): void {
    switch (fact.kind) {
      case 'requested': {
        const { kind: _, run, ...cell } = fact;
        remember(this._requested, run);
        if (cell.cell !== null) {
          this._host.requested(cell.cell, cell.code);
          cell.exercise = this._host.exerciseOf(cell.cell, cell.exercise);
        }
        this._runs.open({ ...cell, id: run });
        break;
      }
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
        if (fact.own) {
          this.announced(fact.hello, fact.run);
        }
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
          const run = this._runs.get(fact.run);
          this.results.told(fact.run, fact.test, run, this._now());
        }
        break;
      case 'sent':
        if (this._isOurs(fact.comm)) {
          this._host.sentByKernel(fact.events);
        }
        break;
      case 'decided':
        if (this._isOurs(fact.comm)) {
          this._host.decidedInKernel(fact.decision);
        }
        break;
      case 'died':
      case 'leaves':
        break; // For whoever watches the kernel.
    }
  }

  /** Asks a kernel that was there before this page for its session. */
  reattach(): void {
    if (this.session === null && this._channel === null) {
      this._channel = this._host.openChannel();
    }
  }

  /**
   * The kernel package began a session.
   *
   * @param id the run that it was begun in, if this page asked for it.
   */
  announced(hello: Hello, id: string | null): void {
    this._comm = hello.comm;
    if (this._host.sessions.announce(hello)) {
      // Whatever ran before has no number in this session.
      for (const run of this._runs.all()) {
        run.number = run.id === id ? 1 : null;
      }
      // An earlier session's line is the kernel's to close.
      this._channel = null;
    }
    this._channel ??= this._host.openChannel();
  }

  /**
   * A run was interrupted. What else waited is aborted: one interrupt has one such run.
   *
   * @param id the run, if this page asked for it.
   */
  interrupted(id: string | null): void {
    this._tellKernel('interrupted', id);
  }

  /** Tells the kernel package which events arrived, so that it lets go of its own copies. */
  acknowledge(uuids: readonly string[]): void {
    if (uuids.length > 0) {
      this._channel?.send({ kind: 'ack', uuids: [...uuids] });
    }
  }

  /** Tells the kernel package what the student decided. */
  tellConsent(): void {
    const decision = this._host.consent();
    if (decision !== null) {
      this._channel?.send({ kind: 'consent', ...decision });
    }
  }

  /** The kernel closed the channel: there is nobody to acknowledge to. */
  channelClosed(id: string): void {
    if (this._channel?.id === id) {
      this._channel = null;
    }
  }

  /**
   * The kernel is restarting or gone: no open run will be answered, and the session is over.
   *
   * @param action what is to be told of the kernel, if anything.
   */
  kernelGone(reason: EndReason, action: KernelAction | null): void {
    this._cancelWaits();
    for (const run of this._runs.closeAll()) {
      this._report(run, outcomeOf(run));
    }
    if (action !== null) {
      this._tellKernel(action, this.session?.sess ?? null);
    }
    this._channel = null;
    this._comm = null;
    this._numbers.clear();
    this._host.sessions.kernelGone(reason);
  }

  /**
   * This page stops watching while the kernel goes on. The kernel package reports how
   * the open runs end; where there is none they are lost.
   */
  leave(): void {
    this._cancelWaits();
    for (const run of this._runs.closeAll()) {
      if (run.reply !== null || this.session === null) {
        this._report(run, outcomeOf(run));
      }
    }
    this.detach();
    this._comm = null;
    this._host.sessions.close();
  }

  /** The page is being hidden for good: let the kernel package report by itself from here on. */
  detach(): void {
    this._channel?.close();
    this._channel = null;
  }

  private _began(id: string, code: string, count: number | null): void {
    // The kernel numbers all runs, also those of a second tab or a console.
    const number = code.trim() === '' ? null : this._host.sessions.nextRun();
    const run = this._runs.get(id);
    if (run) {
      run.number = number;
      run.count = count;
      run.beganAt = this._host.ticks();
    } else if (number !== null && count !== null) {
      this._numbers.set(count, number);
      if (this._numbers.size > MAX_NUMBERS) {
        const [oldest] = this._numbers.keys();
        this._numbers.delete(oldest as number);
      }
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
    if (reply.status === 'error' && reply.ename === 'KeyboardInterrupt') {
      this.interrupted(id);
    }
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

  private _welcome(comm: string, hello: Hello): void {
    if (this._channel?.id === comm) {
      this._comm = hello.comm ?? this._comm;
      this._host.sessions.announce(hello);
      this.tellConsent();
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

  /** Makes the events of a run that ended. */
  private _report(run: Run, outcome: RunOutcome): void {
    const { sessions } = this._host;
    this._idleBeforeReply.delete(run.id);
    const at = this._now();
    const traceback = run.reply?.traceback ?? [];
    this.results.ended(run.id, { run, outcome, traceback, at });
    sessions.add(cellEvent(cellRunId(run.id), run, outcome, at));
    sessions.runEnded();
  }

  /** @param once of what there is only one such event, told by whichever tab; null if unknown. */
  private _tellKernel(action: KernelAction, once: string | null): void {
    this._host.sessions.add({
      name: 'kernel',
      uuid: once ? v5(`${once}/kernel/${action}`, ID_NAMESPACE) : eventId(),
      at: this._now(),
      properties: { action }
    });
  }

  private _now(): Date {
    return new Date(this._host.now());
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
  private _runs = new RunTable();
  private _waits = new Map<string, () => void>();
  private _idleBeforeReply = new Set<string>();
  /** Runs that this page asked for, those that ended included. */
  private _requested = new Set<string>();
  /** Numbers, by execution count, of runs that other clients asked for. */
  private _numbers = new Map<number, number>();
  private _channel: Channel | null = null;
  /** Comm id that the hello named for labels and results. */
  private _comm: string | null = null;
}
