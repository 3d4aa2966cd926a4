/** Puts the parts together for one page: notebooks → reporter → outbox → Jupyter server. */
import {
  NotebookActions,
  type INotebookTracker,
  type NotebookPanel
} from '@jupyterlab/notebook';
import type { ServerConnection } from '@jupyterlab/services';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import { applyLevel } from '../events/levels.js';
import type { SessionContext } from '../events/types.js';
import { Agreement } from './agreement.js';
import { isSending } from './consent.js';
import { readDecision } from './courseAnswer.js';
import { guarded } from './guard.js';
import type { Consent } from './made.js';
import { Notebooks } from './notebooks.js';
import { Outbox } from './outbox.js';
import { Reporter } from './reporter.js';
import { consentServer, postBatch } from './server.js';
import type { PersonalSettings } from './settings.js';
import type { OutboxStore, QueuedEvent } from './store.js';

/** What a recorder works with. */
export interface RecorderOptions {
  serverSettings: ServerConnection.ISettings;
  tracker: INotebookTracker;
  store: OutboxStore;
  /** The student's own settings; nothing is sent before they are known. */
  personal: Promise<PersonalSettings>;
}

/** All that records on one page. Disposing of it stops it and removes all listeners. */
export class Recorder implements IDisposable {
  constructor(options: RecorderOptions) {
    const { serverSettings, tracker } = options;
    this._tracker = tracker;
    this.outbox = new Outbox({
      store: options.store,
      send: (batch, keepalive, signal) =>
        postBatch(serverSettings, batch, keepalive, signal),
      reduce: event => this._reduced(event),
      course: () => this.agreement?.course?.settings.course ?? null,
      onSettled: events =>
        guarded('acknowledging', () => this.notebooks.acknowledge(events)),
      onChange: () => this._onOutboxChanged(),
      warn: message => console.warn(message),
      later
    });
    this.agreement = new Agreement({
      server: consentServer(serverSettings),
      outbox: this.outbox,
      tell: (action, decision) => this._reporter.tell(action, decision),
      spread: word => this._others?.postMessage(word),
      kept: storage('localStorage'),
      keptAs: serverSettings.baseUrl,
      onChange: () => guarded('a change of consent', () => this._apply()),
      inform: message => console.warn(message),
      later
    });
    this._reporter = new Reporter({
      outbox: this.outbox,
      standing: () => this.agreement.standing,
      session: () => this._anySession(),
      student: () => this.agreement.student
    });
    this.notebooks = new Notebooks({
      tracker,
      actions: NotebookActions,
      made: event =>
        guarded('reporting', () => void this._reporter.report(event)),
      later,
      reports: () => this.agreement.off === null,
      keeps: () => {
        const { state } = this.agreement.standing;
        return state === 'unknown' || isSending(state);
      },
      collects: name => this.agreement.standing.collects(name),
      record: () => this.agreement.course?.policy.record ?? 'marked',
      student: () => this.agreement.student,
      countsOf: sess => this.outbox.countsOf(sess),
      sentByKernel: events =>
        guarded('keeping what the kernel sent', () =>
          this.outbox.journal.add(events as readonly QueuedEvent[], 'kernel')
        ),
      decidedInKernel: decision =>
        guarded('a decision in a cell', () => this.agreement.heard(decision)),
      persisted: storage('sessionStorage')
    });
    this.notebooks.changed.connect(this._onNotebooksChanged, this);
    this._others = channelOf(serverSettings.baseUrl, word => {
      guarded('a decision on another page', () => this._adopt(word));
    });
    document.addEventListener('visibilitychange', this._onVisibility);
    window.addEventListener('pagehide', this._onPageHide);
    window.addEventListener('online', this._onOnline);
    guarded('the settings', async () => {
      this.agreement.setPersonal(await options.personal);
    });
    this.agreement.start();
  }

  readonly outbox: Outbox;
  readonly agreement: Agreement;
  readonly notebooks: Notebooks;

  /** Something that people see may look different. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Events that are not safe at the relay yet. */
  get waiting(): number {
    return this.outbox.state.waiting + this._reporter.held;
  }

  /** Whether nobody knows the student, and no kernel package will ask in that notebook. */
  needsName(panel: NotebookPanel | null): boolean {
    const wanted = panel ?? this._tracker.currentWidget;
    const found = this.notebooks.followed.find(one => one.panel === wanted);
    return (
      this.agreement.student === null &&
      found !== undefined &&
      found.session === null &&
      !found.hasSetup
    );
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    document.removeEventListener('visibilitychange', this._onVisibility);
    window.removeEventListener('pagehide', this._onPageHide);
    window.removeEventListener('online', this._onOnline);
    this._others?.close();
    this.outbox.flushBeforeHide();
    this.notebooks.dispose();
    this.agreement.dispose();
    this.outbox.dispose();
    Signal.clearData(this);
  }

  /** Lets notebooks and kernels know what holds now. */
  private _apply(): void {
    const { agreement, notebooks } = this;
    const { state, level } = agreement.standing;
    this._reporter.standingChanged();
    if (agreement.off !== null) {
      notebooks.detach();
    }
    const decided = isSending(state);
    if (decided || this._told !== '' || agreement.record !== null) {
      const decision: Consent = {
        agreed: decided,
        level: decided ? level : null,
        notice_version: agreement.course?.settings.notice.version ?? 0
      };
      const told = JSON.stringify(decision);
      if (state !== 'unknown' && state !== 'off' && told !== this._told) {
        this._told = told;
        notebooks.consent(decision);
      }
    }
    if (agreement.student !== null && agreement.student !== this._student) {
      notebooks.studentKnown();
    }
    this._student = agreement.student;
    notebooks.refresh();
  }

  /** What waited in an earlier, looser time leaves as it may leave now. */
  private _reduced(event: QueuedEvent): QueuedEvent | null {
    const { level, state, collects } = this.agreement.standing;
    // The word that the student withdrew leaves when nothing else does.
    if (isSending(state) && !collects(event.event)) {
      return null;
    }
    const properties = applyLevel(event.event, event.properties, level);
    return properties === event.properties ? event : { ...event, properties };
  }

  /** The session that has the focus, else any other. */
  private _anySession(): SessionContext | null {
    const { currentSession, followed } = this.notebooks;
    const other = followed.find(({ session }) => session !== null);
    return currentSession ?? other?.session ?? null;
  }

  private _adopt(word: unknown): void {
    if (word === 'saved') {
      void this.agreement.refresh();
    } else {
      this.agreement.adopt(readDecision(word));
    }
  }

  private _onOutboxChanged(): void {
    const { off } = this.outbox.state;
    if (off !== null) {
      this.agreement.switchOff(off);
    }
    this._changed.emit();
  }

  private _onNotebooksChanged(): void {
    this._changed.emit();
  }

  private _onVisibility = (): void => {
    if (document.visibilityState === 'hidden') {
      guarded('the last batch', () => this.outbox.flushBeforeHide());
    } else if (Date.now() - this._seenAt > STALE_MS) {
      // Timers of hidden pages come late, and the kernel may have asked meanwhile.
      this._seenAt = Date.now();
      void this.agreement.refresh();
    }
  };

  private _onPageHide = (event: PageTransitionEvent): void => {
    guarded('the last batch', () => {
      this.outbox.flushBeforeHide();
      if (!event.persisted) {
        this.notebooks.detach();
      }
    });
  };

  private _onOnline = (): void => {
    guarded('sending', () => this.outbox.flush());
  };

  private _tracker: INotebookTracker;
  private _reporter: Reporter;
  private _others: BroadcastChannel | null;
  private _changed = new Signal<this, void>(this);
  /** What the kernels were told last. */
  private _told = '';
  private _student: string | null = null;
  private _seenAt = Date.now();
  private _isDisposed = false;
}

/** Age from which a page that is looked at again asks for course and decision. */
const STALE_MS = 30_000;

/** The student's other pages of this Jupyter server; null where the browser has no such line. */
function channelOf(
  baseUrl: string,
  heard: (word: unknown) => void
): BroadcastChannel | null {
  if (typeof BroadcastChannel === 'undefined') {
    return null;
  }
  const channel = new BroadcastChannel(`ipynb-telemetry ${baseUrl}`);
  channel.onmessage = ({ data }) => heard(data);
  return channel;
}

function later(ms: number, action: () => void): () => void {
  const timer = setTimeout(() => guarded('a timer', action), ms);
  return () => clearTimeout(timer);
}

/** What the browser keeps, or null where it forbids that. */
function storage(kind: 'localStorage' | 'sessionStorage'): Storage | null {
  try {
    return window[kind];
  } catch {
    return null;
  }
}
