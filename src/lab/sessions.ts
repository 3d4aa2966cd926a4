/** The sessions of one notebook, one after the other: finds out whose an event is, and says when one ends. */
import { sessionId } from '../events/ids.js';
import type { SessionContext } from '../events/types.js';
import type { Hello } from './facts.js';
import type { Counts, LooseEvent, MadeEvent } from './made.js';
import { endOf, OwnSession, type EndReason } from './ownSession.js';
import type { SessionMemory } from './sessionMemory.js';
import { VERSION } from './version.js';

/** What the sessions need to know of the page and the notebook. */
export interface SessionsHost {
  /** Takes an event for delivery. */
  made(event: MadeEvent): void;
  /** Whether what happens may be kept now. */
  keeps(): boolean;
  /** Whether the notebook is recorded also without the kernel package. */
  recorded(): boolean;
  notebookId(): string;
  /** Whether a setup cell may yet begin a session of the kernel package. */
  hasSetup(): boolean;
  /** The student, where the server or the dialogue told. */
  student(): string | null;
  /** Kernel and language for the `start` of a session of the page's own. */
  kernelFacts(): { kernel?: string; language?: string };
  countsOf(sess: string): Counts;
  /** The session began, changed or ended. */
  changed(): void;
  now(): number;
  memory: SessionMemory;
}

/** One notebook's sessions. */
export class Sessions {
  constructor(host: SessionsHost) {
    this._host = host;
  }

  /** The session the kernel package announced; null before it did and after it ended. */
  get announced(): SessionContext | null {
    return this._announced;
  }

  /** The session that events go to now; null while they are kept, or nobody's. */
  get current(): SessionContext | null {
    return this._announced ?? this._own?.context ?? null;
  }

  /** Whether an event would be taken now. */
  get recorded(): boolean {
    return (
      this._host.keeps() && (this._announced !== null || this._host.recorded())
    );
  }

  /** Whether sessions that are over still wait to learn who the student is. */
  get unsettled(): boolean {
    return this._past.length > 0;
  }

  /** Takes an event. False where the notebook is not recorded: the event is then nobody's. */
  add(event: LooseEvent): boolean {
    if (!this.recorded) {
      return false;
    }
    if (this._announced !== null) {
      this._host.made({ ...event, context: this._announced });
    } else {
      this._own ??= new OwnSession(event.at, made => this._host.made(made));
      this._own.take(event);
      this.settle();
    }
    return true;
  }

  /** The notebook turned out to have this kernel, by id, or none. */
  kernelIs(id: string | null): void {
    this._kernel = id;
    this.settle();
  }

  /** The kernel took up a run; gives its number within the session, from 1. */
  nextRun(): number {
    this._runs += 1;
    this._remember();
    return this._runs;
  }

  /**
   * The attempt that a result of test `name` belongs to, from 1.
   *
   * @param counts whether the result is an attempt; one that is not has the number of the last.
   */
  attempt(name: string, counts: boolean): number {
    const tried = this._tries.get(name) ?? 0;
    if (!counts) {
      return Math.max(1, tried);
    }
    this.attempted(name, tried + 1);
    return tried + 1;
  }

  /** The kernel package counted an attempt by itself. */
  attempted(name: string, number: number): void {
    this._tries.set(name, Math.max(number, this._tries.get(name) ?? 0));
    this._remember();
  }

  /** The kernel package says which session it is in; true if the page did not know. */
  announce(hello: Hello): boolean {
    if (this._ended.has(hello.sess)) {
      return false; // Out of an old output.
    }
    if (this._announced?.sess === hello.sess) {
      this._runs = Math.max(this._runs, hello.runs ?? 0);
      return false;
    }
    this._endAnnounced('setup');
    const own = this._own;
    this._own = null;
    this._told = hello.student;
    const context: SessionContext = {
      nb: hello.nb,
      sess: hello.sess,
      student: hello.student,
      v: VERSION,
      src: 'lab'
    };
    if (own?.context) {
      this._end(own, 'setup');
    } else if (own && this._host.keeps()) {
      own.joinTo(context);
    }
    this._announced = context;
    const before = this._host.memory.get(this._key);
    const goesOn = before?.sess === hello.sess;
    // The setup's own run is the first of its session.
    this._runs = hello.runs ?? (goesOn ? before.runs : 1);
    if (goesOn) {
      this._tries = new Map(Object.entries(before.tries));
    }
    this._remember();
    this.settle();
    this._host.changed();
    return true;
  }

  /** A run ended: where it announced no session, the page's own goes ahead. */
  runEnded(): void {
    if (this._own !== null) {
      this._own.committed = true;
      this.settle();
    }
  }

  /** The kernel is gone. */
  kernelGone(reason: EndReason): void {
    this._endAnnounced(reason);
    const own = this._own;
    if (own?.context) {
      this._own = null;
      this._end(own, reason);
    } else if (own?.committed) {
      this._own = null;
      this._postpone(own, reason);
    }
    // What came before any run waits for the next kernel.
    this._host.memory.delete(this._key);
    this._runs = 0;
    this._tries.clear();
    this._host.changed();
  }

  /** The notebook is closed; a session of the kernel package goes on where the kernel does. */
  close(): void {
    this._announced = null;
    const own = this._own;
    this._own = null;
    if (own?.context) {
      this._host.memory.delete(this._key);
      this._end(own, 'closed');
    } else if (own) {
      own.committed = true;
      this._postpone(own, 'closed');
      this.settle();
    }
    this._host.changed();
  }

  /** Something became known: what can go out goes out, what may not be kept is forgotten. */
  settle(): void {
    if (!this._host.keeps()) {
      this._past = [];
      if (this._own?.context === null) {
        this._own = null;
      }
      return;
    }
    const past = this._past;
    this._past = past.filter(own => !this._begin(own));
    if (this._own?.context === null && this._begin(this._own)) {
      this._host.changed();
    }
  }

  /** Nothing of a session of the page's own is to be known any more. */
  forget(): void {
    this._own = null;
    this._past = [];
    this._told = null;
    if (this._announced === null) {
      this._host.memory.delete(this._key);
    }
    this._host.changed();
  }

  /** Lets a session of the page's own begin, if all it needs is known; true if it did. */
  private _begin(own: OwnSession): boolean {
    const student = this._told ?? this._host.student();
    const { over } = own;
    const before = over ? undefined : this._host.memory.get(this._key);
    const remembered = before?.own ? before : undefined;
    if (
      student === null ||
      !(own.committed || remembered || !this._host.hasSetup()) ||
      (this._kernel === undefined && over === null)
    ) {
      return false;
    }
    const context: SessionContext = {
      nb: this._host.notebookId(),
      sess: remembered?.sess ?? sessionId(),
      student,
      v: VERSION,
      src: 'lab'
    };
    if (remembered) {
      this._runs += remembered.runs;
      this._tries = new Map(Object.entries(remembered.tries));
    }
    own.begin(
      context,
      remembered ? null : { client: 'lab', ...this._host.kernelFacts() }
    );
    if (over) {
      own.end(over.reason, over.at, this._host.countsOf(context.sess));
    } else {
      this._remember();
    }
    return true;
  }

  private _end(own: OwnSession, reason: EndReason): void {
    if (own.context !== null && this._host.keeps()) {
      const counts = this._host.countsOf(own.context.sess);
      own.end(reason, new Date(this._host.now()), counts);
    }
  }

  private _endAnnounced(reason: EndReason): void {
    const context = this._announced;
    this._announced = null;
    if (context !== null) {
      this._ended.add(context.sess);
      this._runs = 0;
      this._tries.clear();
      if (this._host.keeps()) {
        const at = new Date(this._host.now());
        const counts = this._host.countsOf(context.sess);
        this._host.made(endOf(context, reason, at, counts));
      }
    }
  }

  private _postpone(own: OwnSession, reason: EndReason): void {
    own.over = { reason, at: new Date(this._host.now()) };
    this._past.push(own);
  }

  private _remember(): void {
    const context = this.current;
    if (context !== null && this._kernel) {
      this._host.memory.set(this._key, {
        sess: context.sess,
        own: this._announced === null,
        runs: this._runs,
        tries: Object.fromEntries(this._tries)
      });
    }
  }

  private get _key(): string {
    return `${this._kernel ?? ''}/${this._host.notebookId()}`;
  }

  private _host: SessionsHost;
  private _announced: SessionContext | null = null;
  private _own: OwnSession | null = null;
  /** Sessions of the kernel package that are over. */
  private _ended = new Set<string>();
  /** Sessions that were over before they could begin. */
  private _past: OwnSession[] = [];
  /** The student whom the kernel package named in this notebook. */
  private _told: string | null = null;
  private _kernel: string | null | undefined = undefined;
  /** Runs of the session that the kernel took up, whoever asked for them. */
  private _runs = 0;
  private _tries = new Map<string, number>();
}
