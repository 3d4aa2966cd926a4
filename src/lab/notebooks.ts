/** Follows every open notebook, focused or not, from the moment it opens until it is closed. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import type {
  INotebookTracker,
  Notebook,
  NotebookPanel
} from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { EventName, Properties, SessionContext } from '../events/types.js';
import { eventId } from '../events/ids.js';
import type { SentEvent } from './facts.js';
import { FollowedNotebook } from './followed.js';
import { guarded } from './guard.js';
import type { Consent, Counts, KeyValueStorage, MadeEvent } from './made.js';
import { SessionMemory } from './sessionMemory.js';
import type { Sessions } from './sessions.js';

/** JupyterLab's signals of runs: `NotebookActions`, handed in so that this module loads without it. */
export interface ExecutionSignals {
  readonly executionScheduled: ISignal<
    unknown,
    { notebook: Notebook; cell: Cell }
  >;
  readonly executed: ISignal<
    unknown,
    { notebook: Notebook; cell: Cell; success: boolean }
  >;
}

/** What the notebooks tell, and what they need. After a change of any answer call `refresh`. */
export interface NotebooksOptions {
  tracker: INotebookTracker;
  actions: ExecutionSignals;
  made: (event: MadeEvent) => void;
  /** Calls `action` after `ms`; returns the way to call it off. */
  later: (ms: number, action: () => void) => () => void;
  /** Whether this page reports at all; if not, no kernel package shall wait for it. */
  reports: () => boolean;
  /**
   * Whether what happens may be kept, unsent, until its session and student are known: yes
   * while the course is unknown, no while the student has not agreed, declined or paused.
   */
  keeps: () => boolean;
  /** Whether the course collects events of that name; false while it is unknown. */
  collects: (name: EventName) => boolean;
  /** Which notebooks without a kernel package are recorded. */
  record: () => 'marked' | 'all';
  /** The student, where the server or the dialogue told; null while nobody did. */
  student: () => string | null;
  /** Counts of a session's events, for its `end`. */
  countsOf: (sess: string) => Counts;
  /** A kernel package delivered these by itself. */
  sentByKernel: (events: readonly SentEvent[]) => void;
  /** The student decided on the course in a cell, and the kernel package told the course. */
  decidedInKernel: (decision: Consent) => void;
  /** `sessionStorage`, or null where the browser forbids it. */
  persisted: KeyValueStorage | null;
}

/** One open view of a notebook. */
export interface Followed {
  panel: NotebookPanel;
  /** Whether its events are reported, or kept until they can be. */
  recorded: boolean;
  /** Whether they are, or would be if the student agreed. */
  concerned: boolean;
  /** Whether a setup cell may begin a session, and asks for the name. */
  hasSetup: boolean;
  session: SessionContext | null;
}

/** Notebooks that were closed before it was known whose they are. */
const MAX_UNSETTLED = 20;

/** All open notebooks. */
export class Notebooks implements IDisposable {
  constructor(options: NotebooksOptions) {
    this._options = options;
    this._memory = new SessionMemory(options.persisted);
    const { tracker, actions } = options;
    tracker.forEach(panel => this._onAdded(tracker, panel));
    tracker.widgetAdded.connect(this._onAdded, this);
    tracker.currentChanged.connect(this._onCurrentChanged, this);
    // Once for the page: they tell of all notebooks.
    actions.executionScheduled.connect(this._onScheduled, this);
    actions.executed.connect(this._onExecuted, this);
  }

  /** A session began, changed or ended, or another notebook has the focus. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The session of the notebook that has the focus. */
  get currentSession(): SessionContext | null {
    const panel = this._options.tracker.currentWidget;
    return (panel && this._find(panel)?.sessions.current) ?? null;
  }

  /** All open notebooks, one entry a view. */
  get followed(): readonly Followed[] {
    return [...this._notebooks.values()].flatMap(notebook =>
      notebook.views.map(panel => ({
        panel,
        recorded: notebook.sessions.recorded,
        concerned: notebook.concerned,
        hasSetup: notebook.hasSetup,
        session: notebook.sessions.current
      }))
    );
  }

  /** The course, its policy or what the student wants became known, or changed. */
  refresh(): void {
    guarded('what is recorded', () => {
      for (const notebook of this._notebooks.values()) {
        notebook.refresh();
      }
      for (const sessions of this._unsettled) {
        sessions.settle();
      }
      this._unsettled = this._unsettled.filter(({ unsettled }) => unsettled);
      this._changed.emit();
    });
  }

  /** The student became known: what waited for a name has one now. */
  studentKnown(): void {
    this.refresh();
  }

  /** The student's decision that is in force, for the kernel packages of all notebooks. */
  consent(decision: Consent): void {
    guarded('telling the decision', () => {
      this._consent = decision;
      for (const notebook of this._notebooks.values()) {
        notebook.consented();
      }
    });
    this.refresh();
  }

  /**
   * Makes an event of another extension, in the session of `panel` or, where it is null,
   * of the notebook that has the focus. False where that notebook is not recorded.
   */
  capture(
    panel: NotebookPanel | null,
    name: string,
    properties: Properties
  ): boolean {
    const of = panel ?? this._options.tracker.currentWidget;
    const event = { name, uuid: eventId(), at: new Date(), properties };
    return (of && this._find(of)?.sessions.add(event)) ?? false;
  }

  /** Tells each kernel package which of its session's events arrived. */
  acknowledge(
    events: readonly { uuid: string; properties: Record<string, unknown> }[]
  ): void {
    for (const { recording } of this._notebooks.values()) {
      const sess = recording.session?.sess;
      recording.acknowledge(
        events
          .filter(event => event.properties['sess'] === sess)
          .map(event => event.uuid)
      );
    }
  }

  /** The page goes away, or reports nothing: the kernel packages report by themselves from here on. */
  detach(): void {
    for (const { recording } of this._notebooks.values()) {
      recording.detach();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const context of [...this._notebooks.keys()]) {
      this._onClosed(context);
    }
    Signal.clearData(this);
  }

  private _onAdded(_sender: INotebookTracker, panel: NotebookPanel): void {
    guarded('following a notebook', () => {
      const { sessionContext } = panel;
      const known = this._notebooks.get(sessionContext);
      // A second view of a notebook shares the first one's session.
      if (known) {
        known.addView(panel);
        return;
      }
      const notebook = new FollowedNotebook(panel, {
        ...this._options,
        memory: this._memory,
        consent: () => this._consent,
        changed: () => this._changed.emit()
      });
      this._notebooks.set(sessionContext, notebook);
      sessionContext.disposed.connect(this._onClosed, this);
    });
  }

  private _onClosed(context: ISessionContext): void {
    const notebook = this._notebooks.get(context);
    this._notebooks.delete(context);
    context.disposed.disconnect(this._onClosed, this);
    notebook?.dispose();
    if (notebook?.sessions.unsettled) {
      this._unsettled.push(notebook.sessions);
      this._unsettled.splice(0, this._unsettled.length - MAX_UNSETTLED);
    }
  }

  private _onCurrentChanged(): void {
    guarded('a change of notebook', () => {
      const panel = this._options.tracker.currentWidget;
      for (const notebook of this._notebooks.values()) {
        if (panel === null || !notebook.views.includes(panel)) {
          notebook.leave();
        }
      }
      this._changed.emit();
    });
  }

  private _onScheduled(
    _sender: unknown,
    { notebook, cell }: { notebook: Notebook; cell: Cell }
  ): void {
    guarded('a run', () => this._of(notebook)?.scheduled(cell));
  }

  private _onExecuted(
    _sender: unknown,
    args: { notebook: Notebook; cell: Cell; success: boolean }
  ): void {
    guarded('the end of a run', () =>
      this._of(args.notebook)?.executed(args.cell, args.success)
    );
  }

  private _find(panel: NotebookPanel): FollowedNotebook | undefined {
    return this._notebooks.get(panel.sessionContext);
  }

  private _of(content: Notebook): FollowedNotebook | undefined {
    for (const notebook of this._notebooks.values()) {
      if (notebook.views.some(panel => panel.content === content)) {
        return notebook;
      }
    }
    return undefined;
  }

  private _options: NotebooksOptions;
  private _memory: SessionMemory;
  private _consent: Consent | null = null;
  private _notebooks = new Map<ISessionContext, FollowedNotebook>();
  /** Sessions of closed notebooks that wait to learn who the student is. */
  private _unsettled: Sessions[] = [];
  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}
