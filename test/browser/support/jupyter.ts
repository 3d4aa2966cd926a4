/** A real JupyterLab or Notebook 7 server with the extension of this checkout, apart from the user's own Jupyter. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../../support/waitFor.js';

/** The checkout. */
export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** The Python of the checkout's own environment. */
export const PYTHON = join(ROOT, '.venv', 'bin', 'python');

export type App = 'lab' | 'notebook';

export interface JupyterOptions {
  app: App;
  /** Environment of the server and of its kernels, on top of a clean one. */
  env?: Record<string, string>;
  /** Further extensions, by the folders in which they were built. */
  extensions?: readonly string[];
  /** Python that every kernel runs first, before anything of ours. */
  startup?: string;
}

/** A server that runs. */
export interface Jupyter {
  readonly app: App;
  readonly url: string;
  readonly token: string;
  /** Folder of the notebooks. */
  readonly folder: string;
  /** Address that opens a notebook of `folder`. */
  notebookUrl(name: string): string;
  /** Everything the server and its kernels wrote to its outputs. */
  output(): string;
  /** What an earlier lesson left behind: the student's name. */
  rememberStudent(name: string): void;
  /** Forgets the student's name and decisions, as on a new account. */
  forgetStudent(): void;
  /** Stops the server and all kernels, and removes its files. */
  stop(): Promise<void>;
}

/** Starts a server on a free port and waits until it answers. */
export async function startJupyter(options: JupyterOptions): Promise<Jupyter> {
  const extension = join(ROOT, 'labextension', 'static');
  if (!existsSync(join(extension, 'package.json'))) {
    throw new Error(`${extension} is missing: run \`npm run build\` first`);
  }
  const home = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-jupyter-'));
  const folder = join(home, 'notebooks');
  const runtime = join(home, 'runtime');
  mkdirSync(folder);
  mkdirSync(join(home, 'share', 'labextensions'), { recursive: true });
  for (const folder of [extension, ...(options.extensions ?? [])]) {
    const { name } = JSON.parse(
      readFileSync(join(folder, 'package.json'), 'utf8')
    ) as { name: string };
    symlinkSync(folder, join(home, 'share/labextensions', name));
  }
  skipNews(join(home, 'settings'));
  if (options.startup !== undefined) {
    const startup = join(home, 'ipython/profile_default/startup');
    mkdirSync(startup, { recursive: true });
    writeFileSync(join(startup, '00-test.py'), options.startup);
  }

  const token = 'a-token-for-tests';
  const child = spawn(
    PYTHON,
    [
      '-m',
      options.app === 'lab' ? 'jupyterlab' : 'notebook',
      '--no-browser',
      '--ServerApp.ip=127.0.0.1',
      '--ServerApp.port=0',
      `--ServerApp.root_dir=${folder}`,
      '--LabApp.expose_app_in_browser=True',
      '--JupyterNotebookApp.expose_app_in_browser=True',
      ...(process.getuid?.() === 0 ? ['--allow-root'] : [])
    ],
    {
      cwd: folder,
      detached: true, // A group of its own: kernels go with it.
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...cleanEnvironment(),
        PYTHONPATH: join(ROOT, 'python'),
        JUPYTER_TOKEN: token,
        JUPYTER_PATH: join(home, 'share'),
        JUPYTER_CONFIG_PATH: join(ROOT, 'labextension'),
        JUPYTER_CONFIG_DIR: join(home, 'config'),
        JUPYTER_DATA_DIR: join(home, 'data'),
        JUPYTER_RUNTIME_DIR: runtime,
        JUPYTERLAB_SETTINGS_DIR: join(home, 'settings'),
        JUPYTERLAB_WORKSPACES_DIR: join(home, 'workspaces'),
        IPYTHONDIR: join(home, 'ipython'),
        TELEMETRY_HOME: join(home, 'telemetry'),
        ...options.env
      }
    }
  );
  const gone = once(child, 'exit');
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }

  const stop = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) {
      signalGroup(child.pid, 'SIGTERM');
      await Promise.race([gone, sleep(10_000, undefined, { ref: false })]);
    }
    signalGroup(child.pid, 'SIGKILL');
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  };

  try {
    const url = await waitFor(
      () => `${options.app} answers; it wrote: ${output}`,
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`${options.app} ended by itself: ${output}`);
        }
        const found = readServerUrl(runtime);
        return found && (await answers(`${found}api/status?token=${token}`))
          ? found.replace(/\/$/, '')
          : null;
      },
      60_000
    );
    return {
      app: options.app,
      url,
      token,
      folder,
      notebookUrl: name => {
        // A workspace of its own: the default one brings back the tabs of the last page.
        const place =
          options.app === 'lab'
            ? `lab/workspaces/${name.replace(/\W/g, '-')}/tree`
            : 'notebooks';
        return `${url}/${place}/${encodeURIComponent(name)}?token=${token}`;
      },
      output: () => output,
      rememberStudent: name => {
        mkdirSync(join(home, 'telemetry'), { recursive: true, mode: 0o700 });
        writeFileSync(
          join(home, 'telemetry/state.json'),
          JSON.stringify({ student: name, consents: {} })
        );
      },
      forgetStudent: () =>
        rmSync(join(home, 'telemetry'), { recursive: true, force: true }),
      stop
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Copies a notebook into the server's folder. */
export function addNotebook(
  jupyter: Jupyter,
  source: string,
  name: string
): void {
  cpSync(source, join(jupyter.folder, name));
}

/** JupyterLab would first ask whether it may fetch news, and cover the notebook with it. */
function skipNews(settings: string): void {
  const folder = join(settings, '@jupyterlab/apputils-extension');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'notification.jupyterlab-settings'),
    '{ "fetchNews": "false", "checkForUpdates": false }\n'
  );
}

/** The address in the server's own runtime file. */
function readServerUrl(runtime: string): string | null {
  const file = existsSync(runtime)
    ? readdirSync(runtime).find(name => /^jpserver-\d+\.json$/.test(name))
    : undefined;
  if (!file) {
    return null;
  }
  try {
    const { url } = JSON.parse(readFileSync(join(runtime, file), 'utf8')) as {
      url: string;
    };
    return url;
  } catch {
    return null; // It is being written.
  }
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid!, signal);
  } catch {
    // It is gone.
  }
}

/** Without the settings of whoever runs the tests. */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(IPYNB_TELEMETRY_(?!TEST)|TELEMETRY_|POSTHOG_|JUPYTER|IPYTHON|NODE_OPTIONS|PYTHON)/.test(
          name
        )
    )
  );
}
