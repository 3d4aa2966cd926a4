/** Makes the checkout's own Python environment, with the package and its needs in it. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, VENV } from './paths.mjs';
import { findPython, isRecent, probe, versionText } from './python.mjs';
import { run } from './run.mjs';
import { makeUnlessCurrent } from './stamps.mjs';

/** The environment's interpreter. */
export const PYTHON = join(VENV, 'bin', 'python');

/** What the installation was made from. The package's code is not among it: it is used in place. */
const INPUTS = [
  'pyproject.toml',
  'hatch_build.py',
  'labextension/install.json',
  'labextension/jupyter_server_config.d'
];

/** Whether the environment's interpreter runs; it does not once its base was removed. */
async function usable() {
  const python = existsSync(PYTHON) ? await probe(PYTHON) : undefined;
  return python !== undefined && isRecent(python) ? python : undefined;
}

/**
 * The environment's interpreter, made if need be.
 * @param {(text: string) => void} note told what is being done
 * @returns {Promise<string>} its version
 */
export async function ensurePython(note) {
  const present = await usable();
  if (present) {
    return `${versionText(present)} in .venv`;
  }
  const python = await findPython({ note });
  note('making .venv');
  await run(python.path, ['-m', 'venv', '--clear', VENV]);
  return `${versionText(python)} in .venv, made with ${python.path}`;
}

/** Environments made by other tools may lack pip. */
async function ensurePip() {
  try {
    await run(PYTHON, ['-m', 'pip', '--version']);
  } catch (error) {
    if (error.name !== 'CommandError') {
      throw error;
    }
    await run(PYTHON, ['-m', 'ensurepip']);
  }
}

/**
 * Installs the package in place, with all that running and testing it needs.
 * @param {(text: string) => void} note told what is being done
 * @returns {Promise<string>}
 */
export async function ensurePythonPackages(note) {
  const made = await makeUnlessCurrent({
    root: ROOT,
    // Inside the environment: whoever removes it removes this too.
    stamp: join(VENV, '.installed'),
    inputs: INPUTS,
    outputs: ['.venv/bin/jupyter-lab', '.venv/bin/pytest'],
    extra: versionText(await probe(PYTHON)),
    make: async () => {
      await ensurePip();
      note('pip install -e ".[dev]"');
      await run(
        PYTHON,
        [
          '-m',
          'pip',
          'install',
          '--disable-pip-version-check',
          '--no-input'
        ].concat('-q', '-e', '.[dev]'),
        { cwd: ROOT }
      );
    }
  });
  return made ? 'installed' : 'up to date';
}
