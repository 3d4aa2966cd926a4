/** The JupyterLab and Notebook 7 plugins: recorder and status. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { guarded } from './guard.js';

const recorder: JupyterFrontEndPlugin<void> = {
  id: 'ipynb-telemetry:recorder',
  description:
    'Reports runs of code cells and results of tests to the course of the notebook.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IStatusBar, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    statusBar: IStatusBar | null,
    translator: ITranslator | null
  ): void => {
    guarded('starting', async () => {
      // Loaded once the application runs: its start does not wait for us.
      const { startRecorder } = await import('./recorder.js');
      startRecorder({
        serverSettings: app.serviceManager.serverSettings,
        tracker,
        statusBar,
        trans: (translator ?? nullTranslator).load('ipynb_telemetry')
      });
    });
  }
};

export default [recorder];
