/** What a student opens: the dialogue with the notice, the panel, the question before everything is deleted. */
import type { JupyterFrontEnd } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { TranslationBundle } from '@jupyterlab/translation';
import { guarded } from './guard.js';
import { courseName } from './courseAnswer.js';
import type { TelemetryPanel } from './panel.js';
import type { PanelHost } from './panelView.js';
import type { Recorder } from './recorder.js';
import { DESK_STYLE } from './deskStyle.js';
import { addStyle } from './style.js';

/** Events that the panel lists at most. */
const MAX_LISTED = 2000;

/** Loaded when it is first needed. */
export class Desk {
  constructor(
    app: JupyterFrontEnd,
    recorder: Recorder,
    trans: TranslationBundle
  ) {
    this._app = app;
    this._recorder = recorder;
    this._trans = trans;
    addStyle(DESK_STYLE);
  }

  /** Shows the notice, and does what the student answers; `panel` is the notebook it is about. */
  async read(panel: NotebookPanel | null): Promise<void> {
    const { agreement } = this._recorder;
    const { course, standing } = agreement;
    if (course === null || agreement.off !== null) {
      return;
    }
    const { askConsent } = await import('./consentDialog.js');
    const answer = await askConsent(
      {
        course,
        state: standing.state,
        level: agreement.offered,
        mayStop: standing.mayStop,
        needsName: this._recorder.needsName(panel)
      },
      this._trans
    );
    if (answer?.decision === 'agreed') {
      await agreement.decide('agreed', answer.level, answer.student);
    } else if (answer?.decision === 'declined') {
      await agreement.decide('declined', agreement.offered);
    }
  }

  /** Shows the panel. */
  async openPanel(): Promise<void> {
    if (!this._panel || this._panel.isDisposed) {
      const { TelemetryPanel } = await import('./panel.js');
      this._panel = new TelemetryPanel(this._panelHost(), this._trans);
    }
    if (!this._panel.isAttached) {
      this._app.shell.add(this._panel, 'right');
    }
    this._app.shell.activateById(this._panel.id);
  }

  /** Takes the panel away. */
  dispose(): void {
    this._panel?.dispose();
  }

  private _panelHost(): PanelHost {
    const { agreement, notebooks, outbox, changed } = this._recorder;
    return {
      facts: () => ({
        standing: agreement.standing,
        course: agreement.course,
        record: agreement.record,
        student: notebooks.currentSession?.student ?? agreement.student,
        off: agreement.off,
        outbox: outbox.state,
        trouble: agreement.trouble,
        unsaved: agreement.unsaved
      }),
      events: async () => ({
        waiting: await outbox.waiting(MAX_LISTED),
        sent: await outbox.journal.list(MAX_LISTED)
      }),
      changed,
      setPaused: paused =>
        guarded('pausing', () => agreement.setPaused(paused)),
      decide: () => guarded('the notice', () => this.read(null)),
      withdraw: () =>
        guarded('withdrawing', () =>
          agreement.decide('declined', agreement.offered)
        ),
      forget: () => this._forget()
    };
  }

  private async _forget(): Promise<string> {
    const { agreement, outbox } = this._recorder;
    const trans = this._trans;
    const course = agreement.course;
    const { button } = await showDialog({
      title: trans.__('Delete what is kept here?'),
      body: trans.__(
        'The list of your events, what waits to be sent, your name and your decisions are deleted from this browser and this Jupyter server. What has arrived at %1 stays there: ask %2 to delete it.',
        course ? courseName(course, trans) : trans.__('the course'),
        course?.settings.notice.contact || trans.__('your instructors')
      ),
      buttons: [
        Dialog.cancelButton({ label: trans.__('Cancel') }),
        Dialog.warnButton({ label: trans.__('Delete') })
      ],
      defaultButton: 0
    });
    if (!button.accept) {
      return '';
    }
    const answer = await agreement.forget();
    await outbox.journal.clear();
    return answer.kind === 'ok'
      ? trans.__('Deleted.')
      : trans.__(
          'Deleted in this browser. The Jupyter server has not: %1',
          answer.reason
        );
  }

  private _app: JupyterFrontEnd;
  private _recorder: Recorder;
  private _trans: TranslationBundle;
  private _panel: TelemetryPanel | null = null;
}
