/** A recording with a scripted page and notebook around it. */
import type { Properties } from '../../src/events/types.js';
import {
  readMessage,
  type MessageLike,
  type SentEvent
} from '../../src/lab/facts.js';
import type {
  Consent,
  KeyValueStorage,
  MadeEvent
} from '../../src/lab/made.js';
import type { EndReason } from '../../src/lab/ownSession.js';
import {
  Recording,
  type Channel,
  type KernelAction
} from '../../src/lab/recording.js';
import { SessionMemory } from '../../src/lab/sessionMemory.js';
import { Sessions } from '../../src/lab/sessions.js';
import * as m from './messages.js';

/** What a test says of the page and its notebook. */
export interface PageOptions {
  /** The notebook asks to be recorded; without a setup cell unless `hasSetup`. */
  marked: boolean;
  hasSetup: boolean;
  student: string | null;
  keeps: boolean;
  storage: KeyValueStorage | null;
  /** Id of the notebook's kernel; undefined while nobody knows. */
  kernel: string | null | undefined;
  exerciseOf: (cell: string, declared: string | null) => string | null;
}

/** `sessionStorage` for tests. */
export function storage(): KeyValueStorage & { entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    getItem: key => entries.get(key) ?? null,
    setItem: (key, value) => void entries.set(key, value)
  };
}

/** A page whose notebook has a setup cell and whose student is unknown, unless told otherwise. */
export class RecordedPage {
  constructor(options: Partial<PageOptions> = {}) {
    this.options = {
      marked: true,
      hasSetup: true,
      student: null,
      keeps: true,
      storage: null,
      kernel: 'kernel-1',
      exerciseOf: (_cell, declared) => declared,
      ...options
    };
    this.sessions = new Sessions({
      made: event => this.made.push(event),
      keeps: () => this.options.keeps,
      recorded: () => this.options.marked,
      notebookId: () => 'intro',
      hasSetup: () => this.options.hasSetup,
      student: () => this.options.student,
      kernelFacts: () => ({ kernel: 'ipykernel 7.4.0' }),
      countsOf: sess => {
        const made = this.made.filter(event => event.context.sess === sess);
        return { made: made.length, delivered: 0, dropped: 0 };
      },
      changed: () => (this.changes += 1),
      now: () => this.now(),
      memory: new SessionMemory(this.options.storage)
    });
    this.recording = new Recording({
      sessions: this.sessions,
      openChannel: () => this._openChannel(),
      exerciseOf: (cell, declared) => this.options.exerciseOf(cell, declared),
      requested: cell => this.asked.push(cell),
      consent: () => this.decision,
      sentByKernel: events => this.byKernel.push(...events),
      decidedInKernel: decision => this.decisions.push(decision),
      now: () => this.now(),
      ticks: () => this._ticks,
      later: (ms, action) => {
        const timer = { due: this._ticks + ms, action };
        this.timers.add(timer);
        return () => this.timers.delete(timer);
      }
    });
    if (this.options.kernel !== undefined) {
      this.sessions.kernelIs(this.options.kernel);
    }
  }

  readonly options: PageOptions;
  readonly sessions: Sessions;
  readonly recording: Recording;
  readonly made: MadeEvent[] = [];
  readonly sent: { id: string; data: Properties }[] = [];
  readonly closed: string[] = [];
  /** Cells that this page handed to the kernel. */
  readonly asked: string[] = [];
  readonly byKernel: SentEvent[] = [];
  readonly decisions: Consent[] = [];
  readonly timers = new Set<{ due: number; action: () => void }>();
  decision: Consent | null = null;
  changes = 0;

  now(): number {
    return Date.UTC(2026, 10, 21, 9, 30) + this._ticks;
  }

  request(...messages: MessageLike[]): void {
    this._take('send', messages);
  }

  receive(...messages: MessageLike[]): void {
    this._take('recv', messages);
  }

  /** A run from its request to its idle. */
  run(id: string, count: number, code = 'x', metadata?: object): void {
    this.request(m.request(id, code, metadata));
    this.receive(m.input(id, count, code), m.ok(id, count), m.idle(id));
  }

  /** A run that raised. */
  fail(
    id: string,
    count: number,
    [ename, evalue]: [string, string],
    code = 'x',
    metadata?: object
  ): void {
    this.request(m.request(id, code, metadata));
    this.receive(
      m.input(id, count, code),
      m.failed(id, count, ename, evalue),
      m.idle(id)
    );
  }

  /** A setup run, so that a session of the kernel package is there. */
  setup(run = 'setup'): void {
    this.request(m.request(run, 'setup_telemetry("intro")'));
    this.receive(m.input(run, 1), m.hello(run), m.ok(run, 1), m.idle(run));
    this.made.length = 0;
    this.changes = 0;
  }

  gone(reason: EndReason, action: KernelAction | null = null): void {
    this.recording.kernelGone(reason, action);
  }

  pass(ms: number): void {
    this._ticks += ms;
    for (const timer of [...this.timers]) {
      if (timer.due <= this._ticks) {
        this.timers.delete(timer);
        timer.action();
      }
    }
  }

  /** Properties of the events named `name`, in order. */
  of(name: string): Properties[] {
    return this.made
      .filter(event => event.name === name)
      .map(event => event.properties);
  }

  private _openChannel(): Channel {
    const id = `comm-${++this._channels}`;
    return {
      id,
      send: data => this.sent.push({ id, data }),
      close: () => {
        this.closed.push(id);
        this.recording.channelClosed(id);
      }
    };
  }

  private _take(direction: 'send' | 'recv', messages: MessageLike[]): void {
    for (const msg of messages) {
      const fact = readMessage(direction, msg, m.CLIENT);
      if (fact) {
        this.recording.receive(fact);
      }
    }
  }

  private _ticks = 0;
  private _channels = 0;
}
