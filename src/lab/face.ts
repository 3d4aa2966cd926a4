/** Everything of the recorder that a student sees and does: bars, status, commands, dialogue and panel. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ICommandPalette } from '@jupyterlab/apputils';
import type { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import type { IStatusBar } from '@jupyterlab/statusbar';
import type { TranslationBundle } from '@jupyterlab/translation';
import { DisposableSet, type IDisposable } from '@lumino/disposable';
import { Signal } from '@lumino/signaling';
import { NoticeBar } from './banner.js';
import { barOf, type BarAction, type BarText } from './barText.js';
import { COMMANDS } from './commands.js';
import { isSending } from './consent.js';
import type { Desk } from './desk.js';
import { guarded } from './guard.js';
import type { Recorder } from './recorder.js';
import { StatusItem } from './status.js';
import { addStyle, STYLE } from './style.js';

/** What the face is put on. */
export interface FaceOptions {
  app: JupyterFrontEnd;
  tracker: INotebookTracker;
  recorder: Recorder;
  statusBar: IStatusBar | null;
  palette: ICommandPalette | null;
  trans: TranslationBundle;
}

/** The face of one page's recorder. */
export class Face implements IDisposable {
  constructor(options: FaceOptions) {
    this._options = options;
    addStyle(STYLE);
    this._addCommands();
    this._status = this._addStatus();
    options.recorder.changed.connect(this._refresh, this);
    this._refresh();
  }

  get isDisposed(): boolean {
    return this._parts.isDisposed;
  }

  /** Whether the status item is shown. */
  set showStatus(shown: boolean) {
    this._showsStatus = shown;
    this._status.setHidden(!shown);
    this._statusShown.emit();
  }

  dispose(): void {
    this._options.recorder.changed.disconnect(this._refresh, this);
    this._bars.forEach(bar => bar.dispose());
    this._desk?.dispose();
    this._status.dispose();
    this._parts.dispose();
  }

  private _addCommands(): void {
    const { app, palette, recorder, trans } = this._options;
    const { agreement } = recorder;
    const runs = (): boolean =>
      ['sending', 'tell', 'paused'].includes(agreement.standing.state);
    const mayStop = (): boolean => runs() && agreement.standing.mayStop;
    const noArgs = { args: { type: 'object' as const, properties: {} } };
    const commands = {
      [COMMANDS.panel]: {
        label: trans.__('What Has Been Sent About Me'),
        execute: async () => (await this._openDesk()).openPanel()
      },
      [COMMANDS.pause]: {
        label: () =>
          agreement.standing.state === 'paused'
            ? trans.__('Resume Telemetry')
            : trans.__('Pause Telemetry'),
        isEnabled: mayStop,
        execute: () =>
          agreement.setPaused(agreement.standing.state !== 'paused')
      },
      [COMMANDS.decide]: {
        label: trans.__('Telemetry Notice and Decision…'),
        isEnabled: () => agreement.course !== null && agreement.off === null,
        execute: () => this._read(null)
      },
      [COMMANDS.withdraw]: {
        label: trans.__('Withdraw from Telemetry'),
        caption: trans.__('Ends the recording at once'),
        isEnabled: mayStop,
        execute: () => this._decline()
      }
    };
    for (const [command, description] of Object.entries(commands)) {
      this._parts.add(
        app.commands.addCommand(command, {
          ...description,
          describedBy: noArgs
        })
      );
      const category = trans.__('Telemetry');
      const item = palette?.addItem({ command, category });
      if (item) {
        this._parts.add(item);
      }
    }
  }

  private _addStatus(): StatusItem {
    const { app, statusBar, trans } = this._options;
    const status = new StatusItem(app.commands, Object.values(COMMANDS), trans);
    if (statusBar) {
      this._parts.add(
        statusBar.registerStatusItem('ipynb-telemetry:status', {
          item: status,
          align: 'right',
          rank: 900,
          // Narrow windows show only what has a priority.
          priority: 1,
          // The bar shows its items anew whenever the window changes.
          isActive: () => this._showsStatus,
          activeStateChanged: this._statusShown
        })
      );
    } else {
      // Notebook 7 has no status bar; this is at the right end of its top bar.
      app.shell.add(status, 'top', { rank: 10_005 });
    }
    return status;
  }

  private _refresh(): void {
    guarded('showing the state', () => {
      const { recorder, app } = this._options;
      const { agreement, notebooks, outbox } = recorder;
      const { delivered, dropped, trouble } = outbox.state;
      const settings = agreement.course?.settings;
      const panel = this._options.tracker.currentWidget;
      const current = notebooks.followed.find(one => one.panel === panel);
      const begins =
        isSending(agreement.standing.state) &&
        current?.concerned &&
        current.session === null &&
        !current.hasSetup;
      this._status.present({
        consent: agreement.standing.state,
        student: notebooks.currentSession?.student ?? null,
        begins: !begins ? null : recorder.needsName(panel) ? 'name' : 'run',
        course: settings?.title || settings?.course || null,
        off: agreement.off,
        waiting: recorder.waiting,
        delivered,
        dropped,
        trouble: trouble ?? agreement.trouble
      });
      const { state } = agreement.standing;
      if (state !== this._state) {
        this._state = state;
        this._dismissed.clear();
        Object.values(COMMANDS).forEach(command =>
          app.commands.notifyCommandChanged(command)
        );
      }
      this._refreshBars();
    });
  }

  /** One bar above each notebook that is, or would be, recorded. */
  private _refreshBars(): void {
    const { recorder, trans } = this._options;
    const { agreement, notebooks } = recorder;
    const { course, record, standing } = agreement;
    const wanted = new Map<NotebookPanel, BarText>();
    for (const { panel, concerned } of notebooks.followed) {
      if (concerned && !this._dismissed.has(panel) && !panel.isDisposed) {
        const needsName = recorder.needsName(panel);
        const bar = barOf(standing, course, record, trans, needsName);
        if (bar !== null) {
          wanted.set(panel, bar);
        }
      }
    }
    for (const [panel, shown] of this._bars) {
      if (!wanted.has(panel)) {
        this._bars.delete(panel);
        // The keyboard goes back to the notebook, not to nowhere.
        if (shown.node.contains(document.activeElement)) {
          panel.content.activate();
        }
        shown.dispose();
      }
    }
    for (const [panel, bar] of wanted) {
      (this._bars.get(panel) ?? this._addBar(panel)).present(bar);
    }
  }

  private _addBar(panel: NotebookPanel): NoticeBar {
    const bar = new NoticeBar(
      this._options.trans.__('Telemetry'),
      action => guarded('a decision', () => this._act(action, panel)),
      () => this._dismiss(panel)
    );
    this._bars.set(panel, bar);
    panel.contentHeader.addWidget(bar);
    return bar;
  }

  /** Decided later: the bar is gone until something changes, and the status item stays. */
  private _dismiss(panel: NotebookPanel): void {
    this._dismissed.add(panel);
    this._refreshBars();
  }

  private async _act(action: BarAction, panel: NotebookPanel): Promise<void> {
    switch (action) {
      case 'agree':
      case 'seen':
        await (this._options.recorder.needsName(panel)
          ? this._read(panel)
          : this._agree());
        break;
      case 'decline':
        await this._decline();
        break;
      case 'read':
        await this._read(panel);
        break;
    }
  }

  /** Agrees to what the course asks, but to no more than before. */
  private async _agree(): Promise<void> {
    const { agreement } = this._options.recorder;
    await agreement.decide('agreed', agreement.offered);
  }

  private async _decline(): Promise<void> {
    const { agreement } = this._options.recorder;
    await agreement.decide('declined', agreement.offered);
  }

  private async _read(panel: NotebookPanel | null): Promise<void> {
    await (await this._openDesk()).read(panel);
  }

  private async _openDesk(): Promise<Desk> {
    const { Desk } = await import('./desk.js');
    const { app, recorder, trans } = this._options;
    return (this._desk ??= new Desk(app, recorder, trans));
  }

  private _options: FaceOptions;
  private _parts = new DisposableSet();
  private _showsStatus = true;
  private _statusShown = new Signal<this, void>(this);
  private _status: StatusItem;
  private _bars = new Map<NotebookPanel, NoticeBar>();
  private _dismissed = new Set<NotebookPanel>();
  private _desk: Desk | null = null;
  private _state: string | null = null;
}
