/** Finds a Python that will do, or says what to install. */
import { execFile } from 'node:child_process';
import { realpathSync } from 'node:fs';
import { aptInstall, aptLine, canInstall, which } from './apt.mjs';
import { SetupError } from './errors.mjs';

const OLDEST = [3, 10];
const NAMES = [
  'python3',
  'python3.14',
  'python3.13',
  'python3.12',
  'python3.11',
  'python3.10',
  'python'
];

/** Debian splits `venv` off: the module is there, what it needs is not. */
const PROBE = `
import json, sys
from importlib.util import find_spec
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "venv": all(find_spec(name) is not None for name in ("venv", "ensurepip")),
}))
`;

/**
 * @typedef {object} Python
 * @property {string} path
 * @property {readonly number[]} version major, minor, micro
 * @property {boolean} venv whether it can make an environment with pip in it
 */

/**
 * Asks an interpreter what it is.
 * @param {string} path
 * @returns {Promise<Python | undefined>} nothing if it does not run
 */
export function probe(path) {
  return new Promise(resolve => {
    execFile(path, ['-c', PROBE], { timeout: 20_000 }, (error, stdout) => {
      try {
        resolve(error ? undefined : { path, ...JSON.parse(stdout) });
      } catch {
        resolve(undefined);
      }
    });
  });
}

/** @param {Python} python */
export function isRecent({ version: [major, minor] }) {
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

/** @param {Python} python @returns {string} `3.11.7` */
export function versionText({ version }) {
  return version.join('.');
}

/**
 * The best of what was found: recent and complete, else recent, else any.
 * @param {readonly Python[]} found in order of preference
 * @returns {Python | undefined}
 */
export function choose(found) {
  const recent = found.filter(isRecent);
  return recent.find(python => python.venv) ?? recent[0] ?? found[0];
}

/** @param {string} path folders to look in, as in `PATH` */
async function look(path) {
  const asked = process.env.PYTHON;
  const files = asked
    ? [which(asked, path) ?? asked]
    : NAMES.map(name => which(name, path)).filter(Boolean);
  const found = await Promise.all(files.map(probe));
  return choose(found.filter(Boolean));
}

/** Whether a file is Debian's own: those lack what apt has in other packages. */
function isDebians(file, path) {
  return which('apt-get', path) !== undefined && file.startsWith('/usr/bin/');
}

/**
 * The packages that complete Debian's Python.
 * @param {Python} python
 * @param {string} [defaultPath] what `python3` is
 * @returns {readonly string[]}
 */
export function missingPackages(python, defaultPath) {
  const real = file => {
    try {
      return realpathSync(file);
    } catch {
      return file;
    }
  };
  const isDefault =
    defaultPath !== undefined && real(defaultPath) === real(python.path);
  const [major, minor] = python.version;
  return [
    isDefault ? 'python3-venv' : `python${major}.${minor}-venv`,
    'python3-pip'
  ];
}

/**
 * @param {object} [options]
 * @param {string} [options.path] folders to look in; default: `PATH`
 * @param {number} [options.uid] who we are; 0 may install packages
 * @param {(text: string) => void} [options.note] told before something is installed
 * @param {(file: string) => boolean} [options.debians] whether apt answers for an interpreter
 * @returns {Promise<Python>} recent, and able to make an environment
 * @throws {SetupError} that says what to install
 */
export async function findPython({
  path = process.env.PATH ?? '',
  uid = process.getuid?.(),
  note = () => undefined,
  debians = file => isDebians(file, path)
} = {}) {
  const able = canInstall(path, uid);
  let python = await look(path);
  if (python === undefined && able && !process.env.PYTHON) {
    const packages = ['python3', 'python3-venv', 'python3-pip'];
    note(aptLine(packages));
    await aptInstall(packages, path);
    python = await look(path);
  }
  if (python === undefined || !isRecent(python)) {
    const seen = python
      ? `The newest found is ${python.path}, ${versionText(python)}.`
      : 'None was found.';
    throw new SetupError(
      `Python ${OLDEST.join('.')} or later is needed. ${seen}`,
      [
        'Debian, Ubuntu: sudo apt-get install -y python3 python3-venv python3-pip',
        'macOS:          brew install python',
        'Others:         https://www.python.org/downloads/',
        'If it is not on the PATH: PYTHON=/path/to/python3 npm start'
      ].join('\n')
    );
  }
  if (python.venv) {
    return python;
  }
  if (!debians(python.path)) {
    throw new SetupError(
      `${python.path} (${versionText(python)}) lacks the module venv or ensurepip.`,
      'Install a complete Python, or name another one: PYTHON=/path/to/python3 npm start'
    );
  }
  const packages = missingPackages(python, which('python3', path));
  if (!able) {
    throw new SetupError(
      `Debian's Python ${versionText(python)} lacks venv or pip.`,
      `Run this, then try again:\n  sudo ${aptLine(packages)}`
    );
  }
  note(aptLine(packages));
  await aptInstall(packages, path);
  const complete = await probe(python.path);
  if (!complete?.venv) {
    throw new SetupError(
      `${python.path} still lacks venv after \`${aptLine(packages)}\`.`,
      'Name another Python: PYTHON=/path/to/python3 npm start'
    );
  }
  return complete;
}
