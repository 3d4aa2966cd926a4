/** Starts recorder and face on one page, and gives both to other extensions and to the settings. */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { ISettingRegistry } from '@jupyterlab/settingregistry';
import type { Properties } from '../events/types.js';
import { CAPTURE } from './commands.js';
import { Face, type FaceOptions } from './face.js';
import { guarded, noteFault } from './guard.js';
import { Recorder } from './recorder.js';
import { NO_CHOICES, readSettings, type PersonalSettings } from './settings.js';
import { chooseStore } from './store.js';
import type { Telemetry } from './telemetry.js';

/** What the plugin was given. */
export interface StartOptions extends Omit<FaceOptions, 'recorder'> {
  registry: ISettingRegistry | null;
  telemetry: Telemetry;
  /** The plugin's id, under which its settings are. */
  id: string;
}

/** Starts everything; disposing of the face ends what is seen, of the recorder what is recorded. */
export async function start(options: StartOptions): Promise<{
  face: Face;
  recorder: Recorder;
}> {
  const { app, tracker, registry, telemetry, id } = options;
  const { serverSettings } = app.serviceManager;
  const store = await chooseStore(serverSettings.baseUrl);
  const personal = load(registry, id, choices =>
    guarded('new settings', () => {
      recorder.agreement.setPersonal(choices);
      face.showStatus = choices.showStatus;
    })
  );
  const recorder = new Recorder({
    serverSettings,
    tracker,
    store,
    personal
  });
  const face = new Face({ ...options, recorder });
  guarded('the settings', async () => {
    face.showStatus = (await personal).showStatus;
  });
  telemetry.attach({
    standing: () => recorder.agreement.standing,
    capture: (event, properties, notebook) =>
      recorder.notebooks.capture(
        notebook as NotebookPanel | null,
        event,
        properties
      )
  });
  recorder.changed.connect(() => telemetry.refresh());
  app.commands.addCommand(CAPTURE, {
    label: options.trans.__('Capture a Telemetry Event'),
    describedBy: { args: CAPTURE_ARGS },
    execute: args => {
      const path = args['notebook'];
      const notebook = tracker.find(panel => panel.context.path === path);
      return path !== undefined && !notebook
        ? false
        : telemetry.capture(
            String(args['event'] ?? ''),
            args['properties'] as Properties | undefined,
            notebook ? { notebook } : {}
          );
    }
  });
  return { face, recorder };
}

const CAPTURE_ARGS = {
  type: 'object',
  properties: {
    event: { type: 'string', description: 'Name of the event' },
    properties: { type: 'object', description: 'Its properties' },
    notebook: {
      type: 'string',
      description: 'Path of the notebook; without it, the one with the focus'
    }
  },
  required: ['event']
} as const;

/** The student's choices; `changed` is told of each later change. */
async function load(
  registry: ISettingRegistry | null,
  id: string,
  changed: (choices: PersonalSettings) => void
): Promise<PersonalSettings> {
  try {
    const settings = await registry?.load(id);
    settings?.changed.connect(({ composite }) =>
      changed(readSettings(composite))
    );
    return settings ? readSettings(settings.composite) : NO_CHOICES;
  } catch (error) {
    noteFault('reading the settings', error);
    return NO_CHOICES;
  }
}
