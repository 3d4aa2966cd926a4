/** The relay, and two JupyterLab servers of the same environment: one with the extension as it is built, one without. */
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync
} from 'node:fs';
import { join } from 'node:path';
import { ROOT, VENV } from '../../scripts/setup/paths.mjs';
import { choosePort } from '../../scripts/setup/ports.mjs';
import { run } from '../../scripts/setup/run.mjs';
import { startService } from '../../scripts/start/service.mjs';

const CLI = join(ROOT, 'lib/cli/main.js');
const PYTHON = join(VENV, 'bin/python');
const READY_MS = 60_000;
const GRACE_MS = 5000;
const TOKEN = 'a-token-for-measuring';
const COURSE = 'bench';
const STUDENT = 'GRACE-HOPPER';

/**
 * What is measured side by side. `setup`: the kernel package announces the session.
 * `marked`: the page makes one of its own.
 */
export const LESSONS = {
  without: { extension: false, setup: false },
  page: { extension: true, setup: false },
  kernel: { extension: true, setup: true }
};

/** The environment without anybody's settings, so that nothing leaves this machine. */
function cleanEnvironment() {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(IPYNB_TELEMETRY_|TELEMETRY_|POSTHOG_|JUPYTER|IPYTHON|PYTHON|NODE_OPTIONS)/.test(
          name
        )
    )
  );
}

/**
 * Starts a relay with a course that collects all events.
 * @returns {Promise<{url: string, key: string, arrived: () => Promise<Map<string, number>>, stop: () => Promise<unknown>}>}
 *   `arrived` counts `cell` events by notebook, once the relay has stopped
 */
export async function startRelay(home) {
  const data = join(home, 'relay');
  const env = cleanEnvironment();
  const made = await run(
    process.execPath,
    [
      ...[CLI, 'course', 'add', COURSE, '--title', 'Bench', '--events', 'all'],
      ...['--data', data, '--json']
    ],
    { env }
  );
  const { key } = JSON.parse(made);
  const port = await choosePort({ wanted: 0 });
  const url = `http://127.0.0.1:${port}`;
  const service = startService({
    name: 'the relay',
    command: process.execPath,
    args: [CLI, 'relay', '--data', data, '--port', String(port)],
    cwd: home,
    env,
    logFile: join(home, 'relay.log'),
    graceMs: GRACE_MS
  });
  await service.waitUntil(
    async () => (await fetch(`${url}/readyz`)).ok,
    READY_MS
  );
  return { url, key, stop: service.stop, arrived: () => cellEvents(data) };
}

async function cellEvents(data) {
  const lib = path => import(join(ROOT, 'lib/relay/log', path));
  const { openSegmentLog } = await lib('segmentLog.js');
  const { recordsOf } = await lib('contents.js');
  const log = await openSegmentLog({ dir: join(data, 'log') });
  const counts = new Map();
  for await (const record of log.read(1)) {
    for (const { event, notebook } of recordsOf(record)) {
      if (event === 'cell') {
        counts.set(notebook, (counts.get(notebook) ?? 0) + 1);
      }
    }
  }
  await log.close();
  return counts;
}

/**
 * Copies what is measured, so that a build in the middle changes nothing.
 * @returns {{labextensions: string, python: string}}
 */
export function copyBuild(home) {
  const built = join(ROOT, 'labextension/static');
  if (!existsSync(join(built, 'package.json')) || !existsSync(CLI)) {
    throw new Error('Build first: npm run build');
  }
  const { name } = JSON.parse(
    readFileSync(join(built, 'package.json'), 'utf8')
  );
  const labextensions = join(home, 'labextensions');
  const python = join(home, 'python');
  cpSync(built, join(labextensions, name), { recursive: true });
  cpSync(join(ROOT, 'python'), python, { recursive: true });
  return { labextensions, python };
}

/**
 * Starts a JupyterLab.
 * @param {object} given
 * @param {string} given.home
 * @param {boolean} given.extension whether it has the extension, page and server
 * @param {ReturnType<typeof copyBuild>} given.build
 * @param {{url: string, key: string}} given.relay
 */
export async function startLab({ home, extension, build, relay }) {
  const place = join(home, extension ? 'with' : 'without');
  const folder = join(place, 'notebooks');
  const none = join(place, 'none');
  const telemetry = join(place, 'telemetry');
  for (const made of [folder, none, telemetry]) {
    mkdirSync(made, { recursive: true, mode: 0o700 });
  }
  skipNews(join(place, 'settings'));
  for (const [name, lesson] of Object.entries(LESSONS)) {
    if (lesson.extension === extension) {
      const text = JSON.stringify(notebook(name, lesson), null, 1);
      writeFileSync(join(folder, `${name}.ipynb`), text);
    }
  }
  writeFileSync(join(telemetry, 'state.json'), JSON.stringify(student()));
  const port = await choosePort({ wanted: 0 });
  const url = `http://127.0.0.1:${port}`;
  const service = startService({
    name: extension ? 'JupyterLab with it' : 'JupyterLab without it',
    command: PYTHON,
    args: [
      ...['-m', 'jupyterlab', '--no-browser', '--ServerApp.ip=127.0.0.1'],
      ...[`--ServerApp.port=${port}`, '--ServerApp.port_retries=0'],
      `--ServerApp.root_dir=${folder}`,
      `--ServerApp.jpserver_extensions=ipynb_telemetry=${extension ? 'True' : 'False'}`,
      '--LabApp.expose_app_in_browser=True',
      `--LabApp.labextensions_path=${extension ? build.labextensions : none}`,
      ...(process.getuid?.() === 0 ? ['--allow-root'] : [])
    ],
    cwd: folder,
    env: {
      ...cleanEnvironment(),
      JUPYTER_TOKEN: TOKEN,
      JUPYTER_CONFIG_DIR: join(place, 'config'),
      JUPYTER_DATA_DIR: join(place, 'data'),
      JUPYTER_RUNTIME_DIR: join(place, 'runtime'),
      JUPYTERLAB_SETTINGS_DIR: join(place, 'settings'),
      JUPYTERLAB_WORKSPACES_DIR: join(place, 'workspaces'),
      IPYTHONDIR: join(place, 'ipython'),
      PYTHONPATH: build.python,
      ...(extension
        ? {
            TELEMETRY_HOME: telemetry,
            TELEMETRY_STUDENT_NAME: STUDENT,
            TELEMETRY_HOST: relay.url,
            TELEMETRY_API_KEY: relay.key
          }
        : {})
    },
    logFile: join(place, 'jupyterlab.log'),
    graceMs: GRACE_MS
  });
  await service.waitUntil(
    async () => (await fetch(`${url}/api/status?token=${TOKEN}`)).ok,
    READY_MS
  );
  return {
    stop: service.stop,
    /** Address of a lesson's notebook, in a workspace of its own: tabs of another page do not come back. */
    address: (name, round) =>
      `${url}/lab/workspaces/${name}-${round}/tree/${name}.ipynb?token=${TOKEN}`
  };
}

/** A student who was told and has agreed, so that no dialogue lies over the notebook. */
function student() {
  const agreed = {
    decision: 'agreed',
    level: 'outcomes',
    notice_version: 1,
    at: new Date().toISOString(),
    paused: false,
    by: 'page'
  };
  return { student: STUDENT, consents: { [COURSE]: agreed } };
}

/** Twenty cells as lessons have them, the one that is run and the one that is typed into among them. */
function notebook(name, { extension, setup }) {
  const code = (id, source, ipynb) => ({
    cell_type: 'code',
    id,
    execution_count: null,
    metadata: ipynb === undefined ? {} : { ipynb_telemetry: ipynb },
    outputs: [],
    source
  });
  const first = setup
    ? code(
        'setup',
        `from ipynb_telemetry import setup_telemetry\n_ = setup_telemetry("${name}")`,
        { setup: true, notebook: name }
      )
    : code('setup', '_ = None');
  const filling = Array.from({ length: 17 }, (_, i) =>
    code(`cell-${i}`, `def f${i}(x):\n    return x + ${i}\n\n\nf${i}(1)`)
  );
  return {
    cells: [first, code('run', 'x = 1'), code('type', ''), ...filling],
    metadata: {
      kernelspec: {
        display_name: 'Python 3',
        language: 'python',
        name: 'python3'
      },
      ...(extension ? { ipynb_telemetry: { notebook: name } } : {})
    },
    nbformat: 4,
    nbformat_minor: 5
  };
}

/** JupyterLab would first ask whether it may fetch news, and cover the notebook with it. */
function skipNews(settings) {
  const folder = join(settings, '@jupyterlab/apputils-extension');
  mkdirSync(folder, { recursive: true });
  writeFileSync(
    join(folder, 'notification.jupyterlab-settings'),
    '{ "fetchNews": "false", "checkForUpdates": false }\n'
  );
}
