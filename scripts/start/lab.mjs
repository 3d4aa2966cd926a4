/** Starts a real JupyterLab on the working folder, kept apart from the user's own Jupyter. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { VENV } from '../setup/paths.mjs';
import { PYTHON } from '../setup/venv.mjs';
import { startService } from './service.mjs';

const READY_MS = 60_000;
/** Time for kernels to send what they still hold. */
const GRACE_MS = 10_000;

/**
 * The environment for Jupyter and the kernels in it.
 * @param {NodeJS.ProcessEnv} base
 * @param {{jupyter: string}} home
 * @param {{host: string, key: string, token: string}} given
 * @returns {NodeJS.ProcessEnv}
 */
export function labEnvironment(base, home, { host, key, token }) {
  const env = { ...base };
  for (const name of Object.keys(env)) {
    // The relay's settings and the PostHog project are none of a student's business; paths to
    // other Jupyters would bring their kernels and extensions along.
    if (/^(IPYNB_TELEMETRY_|POSTHOG_|TELEMETRY_|JUPYTER)/.test(name)) {
      delete env[name];
    }
  }
  if (base.TELEMETRY_STUDENT_NAME) {
    env.TELEMETRY_STUDENT_NAME = base.TELEMETRY_STUDENT_NAME;
  }
  return {
    ...env,
    PATH: [join(VENV, 'bin'), base.PATH].filter(Boolean).join(delimiter),
    VIRTUAL_ENV: VENV,
    TELEMETRY_HOST: host,
    TELEMETRY_API_KEY: key,
    // Not on the command line, which every user of the machine may read.
    JUPYTER_TOKEN: token,
    JUPYTER_CONFIG_DIR: join(home.jupyter, 'config'),
    JUPYTER_DATA_DIR: join(home.jupyter, 'data'),
    JUPYTER_RUNTIME_DIR: join(home.jupyter, 'runtime'),
    JUPYTERLAB_SETTINGS_DIR: join(home.jupyter, 'settings'),
    JUPYTERLAB_WORKSPACES_DIR: join(home.jupyter, 'workspaces')
  };
}

/** JupyterLab would first ask whether it may fetch news; the sample should come first. */
function skipNews(home) {
  const folder = join(home.jupyter, 'settings/@jupyterlab/apputils-extension');
  const file = join(folder, 'notification.jupyterlab-settings');
  if (!existsSync(file)) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, '{ "fetchNews": "false", "checkForUpdates": false }\n');
  }
}

/**
 * @param {object} options
 * @param {ReturnType<import('./home.mjs').openHome>} options.home
 * @param {number} options.port a free one
 * @param {string} options.notebook its name in the working folder
 * @param {string} options.host the relay's address
 * @param {string} options.key the course key
 */
export function startLab({ home, port, notebook, host, key }) {
  skipNews(home);
  const token = randomBytes(24).toString('hex');
  const base = `http://127.0.0.1:${port}`;
  const service = startService({
    name: 'JupyterLab',
    command: PYTHON,
    args: [
      '-m',
      'jupyterlab',
      '--no-browser',
      '--ServerApp.ip=127.0.0.1',
      `--ServerApp.port=${port}`,
      '--ServerApp.port_retries=0',
      `--ServerApp.root_dir=${home.notebooks}`,
      ...(process.getuid?.() === 0 ? ['--allow-root'] : [])
    ],
    cwd: home.notebooks,
    env: labEnvironment(process.env, home, { host, key, token }),
    logFile: join(home.logs, 'jupyterlab.log'),
    graceMs: GRACE_MS
  });
  return {
    ...service,
    base,
    link: `${base}/lab/tree/${encodeURIComponent(notebook)}?token=${token}`,
    ready: () =>
      service.waitUntil(async () => {
        const answer = await fetch(`${base}/api/status`, {
          headers: { authorization: `token ${token}` }
        });
        await answer.arrayBuffer();
        return answer.ok;
      }, READY_MS)
  };
}
