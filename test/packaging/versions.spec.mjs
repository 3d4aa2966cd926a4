/** The npm package and the wheel are one product with one version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mustCall, PYTHON, ROOT } from './support.mjs';

const read = name => readFileSync(join(ROOT, name), 'utf8');
const manifest = JSON.parse(read('package.json'));

describe('versions', () => {
  it('of package.json, its lock file and pyproject.toml are equal', () => {
    const lock = JSON.parse(read('package-lock.json'));
    const [, wheel] = /^version = "(.+)"$/m.exec(read('pyproject.toml'));
    expect(wheel).toBe(manifest.version);
    expect(lock.version).toBe(manifest.version);
    expect(lock.packages[''].version).toBe(manifest.version);
  });

  it('is what the Python package says of itself', async () => {
    const said = await mustCall(
      PYTHON,
      ['-c', 'import ipynb_telemetry; print(ipynb_telemetry.__version__)'],
      { env: { PYTHONPATH: join(ROOT, 'python') } }
    );
    expect(said.trim()).toBe(manifest.version);
  });
});

describe('package.json', () => {
  it('keeps JupyterLab out of what an installation brings', () => {
    const kinds = ['dependencies', 'peerDependencies', 'optionalDependencies'];
    const brought = kinds.flatMap(kind => Object.keys(manifest[kind] ?? {}));
    expect(brought).not.toHaveLength(0);
    // The token for other extensions is a few bytes of Lumino.
    expect(
      brought.filter(name => /^@(jupyter|jupyterlab|lumino)\//.test(name))
    ).toEqual(['@lumino/coreutils']);
  });

  it('names the same licence as pyproject.toml and LICENSE', () => {
    expect(manifest.license).toBe('BSD-3-Clause');
    expect(read('pyproject.toml')).toMatch(/^license = "BSD-3-Clause"$/m);
    expect(read('LICENSE')).toMatch(/^BSD 3-Clause License\n/);
  });
});
