/** Follows every open notebook, focused or not, from the moment it opens until it is closed. */
import type { ISessionContext } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { Signal, type ISignal } from '@lumino/signaling';
import type { SessionContext } from '../events/types.js';
import { HELLO_MIME, readHello } from './facts.js';
import { guarded } from './guard.js';
import type { MadeEvent } from './recording.js';
import { KernelWatch } from './watch.js';

/** What the notebooks tell, and what they need. */
export interface NotebooksOptions {
  tracker: INotebookTracker;
  made: (event: MadeEvent) => void;
  /** Whether this page reports at all; if not, no kernel package shall wait for it. */
  reports: () => boolean;
  later: (ms: number, action: () => void) => () => void;
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
