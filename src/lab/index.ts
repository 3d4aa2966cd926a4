/** The JupyterLab and Notebook 7 plugin: records, shows what it does, and serves other extensions. */
import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { INotebookTracker } from '@jupyterlab/notebook';
import { ISettingRegistry } from '@jupyterlab/settingregistry';
import { IStatusBar } from '@jupyterlab/statusbar';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { ITelemetry } from '../events/telemetryToken.js';
import { guarded } from './guard.js';
// eslint-disable-next-line jupyter/prefer-lazy-imports -- it is what the plugin provides
import { Telemetry } from './telemetry.js';

const plugin: JupyterFrontEndPlugin<ITelemetry> = {
  id: 'ipynb-telemetry:plugin',
  description:
    'Reports what happens in notebooks to their course, as far as the student agrees.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IStatusBar, ITranslator, ICommandPalette, ISettingRegistry],
  provides: ITelemetry,
  activate: (
    app: JupyterFrontEnd,
    tracker: INotebookTracker,
    statusBar: IStatusBar | null,
    translator: ITranslator | null,
    palette: ICommandPalette | null,
    registry: ISettingRegistry | null
  ): ITelemetry => {
    const telemetry = new Telemetry();
    guarded('starting', async () => {
      // Loaded once the application runs: its start does not wait for us.
      const { start } = await import('./start.js');
      await start({
        app,
        tracker,
        statusBar,
        palette,
        registry,
        telemetry,
        id: plugin.id,
        trans: (translator ?? nullTranslator).load('ipynb_telemetry')
      });
    });
    return telemetry;
  }
};

export default [plugin];
