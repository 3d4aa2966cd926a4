/** What is built from the sources, from which of them, and how. */
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { CACHE, ROOT, VENV } from './paths.mjs';
import { run } from './run.mjs';
import { makeUnlessCurrent } from './stamps.mjs';

/** A change of the tools may change what they make. */
const TOOLS = ['package.json', 'package-lock.json', 'tsconfig.base.json'];
/** The rooms that nothing else builds upon: they bring all others along. */
const TOP_ROOMS = ['src/cli', 'src/lab', 'src/dashboard'];

const node = (...args) => run(process.execPath, args, { cwd: ROOT });
const bin = name => join('node_modules', name);

function* filesUnder(folder) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) {
      yield* filesUnder(path);
    } else {
      yield path;
    }
  }
}

/** Removes what was compiled from a source that is gone, so that it is neither run nor packed. */
export function pruneCompiled(root = ROOT) {
  const lib = join(root, 'lib');
  for (const room of existsSync(lib) ? readdirSync(lib) : []) {
    // The page's folder is emptied by its own build; the hidden ones hold types.
    if (room === 'dashboard' || room.startsWith('.')) {
      continue;
    }
    for (const file of filesUnder(join(lib, room))) {
      const stem = join(root, 'src', relative(lib, file)).replace(
        /(\.d)?\.(js|ts)$/,
        ''
      );
      if (!existsSync(`${stem}.ts`) && !existsSync(`${stem}.tsx`)) {
        rmSync(file);
      }
    }
  }
}

/** @typedef {{name: string, inputs: string[], outputs: string[], make: (state: {missing: boolean}) => Promise<unknown>}} Build */

/** Everything that is built, in order. @type {readonly Build[]} */
export const BUILDS = [
  {
    name: 'TypeScript',
    inputs: ['src', ...TOOLS],
    outputs: [
      'lib/events/index.js',
      'lib/relay/index.js',
      'lib/cli/main.js',
      'lib/lab/index.js'
    ],
    make: async ({ missing }) => {
      pruneCompiled();
      // tsc believes its own notes, not the folder, about what it has written.
      const force = missing ? ['--force'] : [];
      await node(bin('typescript/bin/tsc'), '-b', ...force, ...TOP_ROOMS);
    }
  },
  {
    name: 'instructors’ page',
    inputs: [
      'src/dashboard',
      'src/api',
      'src/events',
      'style',
      'vite.config.mjs',
      ...TOOLS
    ],
    outputs: ['lib/dashboard/index.html'],
    make: () => node(bin('vite/bin/vite.js'), 'build', '--logLevel', 'warn')
  },
  {
    name: 'extension',
    inputs: [
      'src/lab',
      'src/events',
      'style',
      'schema',
      'scripts/build-lab.mjs',
      ...TOOLS
    ],
    outputs: ['labextension/static/package.json'],
    make: () => node('scripts/build-lab.mjs')
  }
];

/**
 * Builds what is not current.
 * @param {(text: string) => void} note told what is being built
 * @returns {Promise<string>} what was built
 * @throws {CommandError} with what the compiler said
 */
export async function ensureBuilds(note) {
  const built = [];
  for (const { name, inputs, outputs, make } of BUILDS) {
    const made = await makeUnlessCurrent({
      root: ROOT,
      stamp: join(CACHE, 'stamps', name.replace(/\W+/g, '-')),
      inputs,
      outputs,
      make: async state => {
        note(name);
        await make(state);
      }
    });
    if (made) {
      built.push(name);
    }
  }
  return built.length > 0 ? built.join(', ') : 'up to date';
}

/**
 * Puts the built extension where the environment's JupyterLab looks for it. Pip copies it
 * only when it installs, and it may not have been built by then.
 * @returns {Promise<string>}
 */
export async function installExtension() {
  const place = '.venv/share/jupyter/labextensions/ipynb-telemetry';
  const server = '.venv/etc/jupyter/jupyter_server_config.d';
  const made = await makeUnlessCurrent({
    root: ROOT,
    stamp: join(VENV, '.extension'),
    inputs: ['labextension'],
    outputs: [
      `${place}/package.json`,
      `${place}/install.json`,
      `${server}/ipynb_telemetry.json`
    ],
    make: async () => {
      const target = join(ROOT, place);
      rmSync(target, { recursive: true, force: true });
      cpSync(join(ROOT, 'labextension/static'), target, { recursive: true });
      cpSync(
        join(ROOT, 'labextension/install.json'),
        join(target, 'install.json')
      );
      cpSync(
        join(ROOT, 'labextension/jupyter_server_config.d'),
        join(ROOT, server),
        { recursive: true }
      );
    }
  });
  return made ? 'put into JupyterLab' : 'up to date';
}
