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
import type {
  EventName,
  Properties,
  SessionContext,
  WireEvent
} from '../events/types.js';
import { eventId } from '../events/ids.js';
import { HELLO_MIME, readHello } from './facts.js';
import { guarded } from './guard.js';
import type { Consent, Counts, KeyValueStorage, MadeEvent } from './made.js';
import { KernelWatch } from './watch.js';

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
  sentByKernel: (events: readonly WireEvent[]) => void;
  /** `sessionStorage`, or null where the browser forbids it. */
  persisted: KeyValueStorage | null;
}

/** One open view of a notebook. */
export interface Followed {
  panel: NotebookPanel;
  /** Whether its events are reported, or kept until they can be. */
  recorded: boolean;
  session: SessionContext | null;
}

/** All open notebooks. */
export class Notebooks implements IDisposable {
  constructor(options: NotebooksOptions) {
    this._options = options;
    const { tracker } = options;
    tracker.forEach(panel => this._onAdded(tracker, panel));
    tracker.widgetAdded.connect(this._onAdded, this);
    tracker.currentChanged.connect(this._onCurrentChanged, this);
  }

  /** A session began or ended, or another notebook has the focus. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  get isDisposed(): boolean {
    return this._isDisposed;
  }

  /** The session of the notebook that has the focus. */
  get currentSession(): SessionContext | null {
    const panel = this._options.tracker.currentWidget;
    const watch = panel && this._watches.get(panel.sessionContext);
    return watch?.recording.session ?? null;
  }

  /** All open notebooks. */
  get followed(): readonly Followed[] {
    return this._panels.map(panel => {
      const session =
        this._watches.get(panel.sessionContext)?.recording.session ?? null;
      return { panel, recorded: session !== null, session };
    });
  }

  /** The course, its policy or what the student wants became known, or changed. */
  refresh(): void {
    this._changed.emit();
  }

  /** The student became known: what waited for a name has one now. */
  studentKnown(): void {
    this.refresh();
  }

  /** The student's decision that is in force, for the kernel packages of all notebooks. */
  consent(_decision: Consent): void {
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
    const context =
      of && this._watches.get(of.sessionContext)?.recording.session;
    if (!context || !this._options.keeps()) {
      return false;
    }
    this._options.made({
      name,
      context,
      uuid: eventId(),
      at: new Date(),
      properties
    });
    return true;
  }

  /** Tells each kernel package which of its session's events arrived. */
  acknowledge(
    events: readonly { uuid: string; properties: Record<string, unknown> }[]
  ): void {
    for (const { recording } of this._watches.values()) {
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
    for (const { recording } of this._watches.values()) {
      recording.detach();
    }
  }

  dispose(): void {
    if (this._isDisposed) {
      return;
    }
    this._isDisposed = true;
    for (const watch of this._watches.values()) {
      watch.dispose();
    }
    this._watches.clear();
    Signal.clearData(this);
  }

  private _onAdded(_sender: INotebookTracker, panel: NotebookPanel): void {
    guarded('following a notebook', () => {
      const { sessionContext } = panel;
      this._panels.push(panel);
      panel.disposed.connect(this._onPanelClosed, this);
      // A second view of a notebook shares the first one's session.
      if (this._watches.has(sessionContext)) {
        return;
      }
      const watch = new KernelWatch(sessionContext, {
        made: this._options.made,
        reports: this._options.reports,
        later: this._options.later,
        sessionChanged: () => this._changed.emit()
      });
      this._watches.set(sessionContext, watch);
      sessionContext.disposed.connect(this._onClosed, this);
      return this._reattach(panel, watch);
    });
  }

  private _onPanelClosed(sender: NotebookPanel): void {
    this._panels = this._panels.filter(panel => panel !== sender);
  }

  private _onClosed(sender: ISessionContext): void {
    this._watches.get(sender)?.dispose();
    this._watches.delete(sender);
  }

  private _onCurrentChanged(): void {
    this._changed.emit();
  }

  /** After a reload the kernel may still be in the session that the saved output speaks of. */
  private async _reattach(
    panel: NotebookPanel,
    watch: KernelWatch
  ): Promise<void> {
    await Promise.all([panel.context.ready, panel.sessionContext.ready]);
    if (!watch.isDisposed && !panel.isDisposed && hasHello(panel)) {
      watch.recording.reattach();
    }
  }

  private _options: NotebooksOptions;
  private _panels: NotebookPanel[] = [];
  private _watches = new Map<ISessionContext, KernelWatch>();
  private _changed = new Signal<this, void>(this);
  private _isDisposed = false;
}

/** Whether the notebook's saved outputs hold a hello of the kernel package. */
function hasHello(panel: NotebookPanel): boolean {
  for (const cell of panel.content.model?.sharedModel.cells ?? []) {
    if (cell.cell_type !== 'code') {
      continue;
    }
    for (const output of (cell as ISharedCodeCell).getOutputs()) {
      const data = (output as { data?: Record<string, unknown> }).data;
      if (data && readHello(data[HELLO_MIME])) {
        return true;
      }
    }
  }
  return false;
}

interface ISharedCodeCell {
  getOutputs(): readonly object[];
}
