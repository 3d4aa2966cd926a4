/**
 * Fetches Debian's JupyterHub for the tests: its packages are unpacked into the checkout's cache
 * and used from there by the checkout's own Python. Nothing is installed on the machine.
 */
import {
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { mkdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { canInstall, which } from './apt.mjs';
import { CommandError, SetupError } from './errors.mjs';
import { CACHE, ROOT } from './paths.mjs';
import { run } from './run.mjs';
import { PYTHON } from './venv.mjs';

/** Where the packages are unpacked. */
export const HUB_ROOT = join(CACHE, 'jupyterhub');

/** Remembers which version ran from there: asking the Hub itself takes seconds. */
const STAMP = '.version';

/** The Hub, and what it needs that the checkout's environment does not have. */
const PACKAGES = [
  'jupyterhub',
  ...[
    'alembic',
    'async-generator',
    'certipy',
    'cryptography',
    'editor',
    'entrypoints',
    'greenlet',
    'jupyter-telemetry',
    'jwt',
    'mako',
    'oauthlib',
    'openssl',
    'pamela',
    'ruamel.yaml',
    'ruamel.yaml.clib',
    'sqlalchemy'
  ].map(name => `python3-${name}`)
];

/** @returns {Promise<string | undefined>} the Hub's version, nothing if it does not run */
async function version(folder) {
  const packages = join(folder, 'usr/lib/python3/dist-packages');
  if (!existsSync(packages)) {
    return undefined;
  }
  try {
    const said = await run(PYTHON, ['-m', 'jupyterhub', '--version'], {
      env: { ...process.env, PYTHONPATH: packages }
    });
    return /^\d[\w.]*$/m.exec(said)?.[0];
  } catch (error) {
    if (error instanceof CommandError) {
      return undefined;
    }
    throw error;
  }
}

/** Downloads the packages into a folder and unpacks them beside it. */
async function fetchPackages(folder, note) {
  const fresh = `${folder}.new`;
  const archives = join(fresh, 'archives');
  rmSync(fresh, { recursive: true, force: true });
  await mkdir(archives, { recursive: true });
  const download = () =>
    run('apt-get', ['-q', 'download', ...PACKAGES], { cwd: archives });
  note(`apt-get download ${PACKAGES[0]} and ${PACKAGES.length - 1} more`);
  try {
    await download();
  } catch (error) {
    if (!(error instanceof CommandError) || !canInstall()) {
      throw error;
    }
    // A machine that was just set up has no lists yet, or old ones.
    await run('apt-get', ['-o', 'DPkg::Lock::Timeout=120', '-q', 'update']);
    await download();
  }
  for (const archive of readdirSync(archives)) {
    await run('dpkg-deb', ['-x', join(archives, archive), fresh]);
  }
  rmSync(archives, { recursive: true });
  rmSync(folder, { recursive: true, force: true });
  await rename(fresh, folder);
}

/**
 * @param {(text: string) => void} note told what is being done
 * @param {object} [where]
 * @param {string} [where.folder] where the packages are unpacked
 * @param {string} [where.path] folders to look for commands in; default: `PATH`
 * @returns {Promise<string>} the Hub's version
 * @throws {SetupError} that says what is needed
 */
export async function ensureHub(
  note,
  { folder = HUB_ROOT, path = process.env.PATH ?? '' } = {}
) {
  const stamp = join(folder, STAMP);
  if (existsSync(stamp)) {
    return readFileSync(stamp, 'utf8');
  }
  const failures = [];
  if (which('apt-get', path) && which('dpkg-deb', path)) {
    try {
      await fetchPackages(folder, note);
    } catch (error) {
      if (!(error instanceof CommandError)) {
        throw error;
      }
      failures.push(
        `${error.message}: ${error.output.trim().split('\n').at(-1)}`
      );
    }
  }
  const made = await version(folder);
  if (!made) {
    throw new SetupError(
      'The tests of the relay among real servers need JupyterHub, and it could not be fetched.',
      [
        ...failures,
        `They take Debian's packages apart: apt-get and dpkg-deb have to be there, with lists of packages (apt-get update).`,
        `Elsewhere: unpack Debian's jupyterhub and its Python needs into ${HUB_ROOT.slice(ROOT.length + 1)}`,
        'Without it: npm test -- --suite unit python browser packaging'
      ].join('\n')
    );
  }
  writeFileSync(stamp, made);
  return made;
}
