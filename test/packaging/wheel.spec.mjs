/** The wheel: what Jupyter finds after an installation, and a kernel package that needs nothing. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  call,
  mustCall,
  plainEnvironment,
  PYTHON,
  ROOT,
  useFolder
} from './support.mjs';

const folder = useFolder();
let before;
let files;

const status = () => mustCall('git', ['status', '--porcelain']);
const prefix = () => join(folder(), 'prefix');
/** Where pip put the package. */
const packages = () => {
  const [version] = readdirSync(join(prefix(), 'lib'));
  return join(prefix(), 'lib', version, 'site-packages');
};
const LIST =
  'import sys, zipfile; print("\\n".join(zipfile.ZipFile(sys.argv[1]).namelist()))';

beforeAll(async () => {
  before = await status();
  await mustCall(process.execPath, ['scripts/build.mjs']);
  // Everything it needs is in the environment: the build itself asks no network.
  await mustCall(PYTHON, [
    '-m',
    'build',
    '--wheel',
    '--no-isolation',
    '--outdir',
    folder()
  ]);
  const [wheel] = readdirSync(folder()).filter(name => name.endsWith('.whl'));
  const path = join(folder(), wheel);
  files = (await mustCall(PYTHON, ['-c', LIST, path])).trim().split('\n');
  await mustCall(PYTHON, [
    '-m',
    'pip',
    'install',
    '--no-index',
    '--no-deps',
    '--ignore-installed',
    '--prefix',
    prefix(),
    path
  ]);
}, 300_000);

/** Jupyter that sees this installation before all others. */
const jupyterEnvironment = () =>
  plainEnvironment({
    JUPYTER_PATH: join(prefix(), 'share/jupyter'),
    JUPYTER_CONFIG_PATH: join(prefix(), 'etc/jupyter'),
    JUPYTER_CONFIG_DIR: join(folder(), 'config'),
    PYTHONPATH: packages()
  });
const jupyter = args =>
  call(PYTHON, ['-m', 'jupyter', ...args], { env: jupyterEnvironment() });

describe('the wheel', () => {
  it('carries the built extension, the server configuration and the kernel package', () => {
    const data = files
      .filter(name => name.includes('.data/data/'))
      .map(name => name.replace(/^.*\.data\/data\//, ''));
    const extension = 'share/jupyter/labextensions/ipynb-telemetry';
    expect(data).toEqual(
      expect.arrayContaining([
        `${extension}/package.json`,
        `${extension}/install.json`,
        expect.stringMatching(
          new RegExp(`^${extension}/static/remoteEntry\\..*\\.js$`)
        ),
        'etc/jupyter/jupyter_server_config.d/ipynb_telemetry.json'
      ])
    );
    expect(files).toContain('ipynb_telemetry/__init__.py');
    expect(files).toContain('ipynb_telemetry/bootstrap.py');
    expect(files).toContain('ipynb_telemetry/py.typed');
  });

  it('carries no tests, caches or sources of the extension', () => {
    expect(
      files.filter(name => /(^|\/)test|__pycache__|\.tsx?$/.test(name))
    ).toEqual([]);
  });

  it('leaves the checkout as it was', async () => {
    expect(await status()).toBe(before);
  });
});

describe('installed', () => {
  it('is found by JupyterLab', async () => {
    const { stdout, stderr } = await jupyter(['labextension', 'list']);
    const said = stdout + stderr;
    expect(said).toContain(join(prefix(), 'share/jupyter/labextensions'));
    expect(said).toMatch(/ipynb-telemetry v\S+ .*enabled.*OK/);
  }, 60_000);

  it('is found by Jupyter Server', async () => {
    const { stdout, stderr } = await jupyter(['server', 'extension', 'list']);
    const said = stdout + stderr;
    const [, ours = ''] = said.split(join(prefix(), 'etc/jupyter'));
    expect(ours).toMatch(/ipynb_telemetry\S* .*enabled/);
    expect(said).toMatch(/ipynb_telemetry\S* .*OK/);
  }, 60_000);

  it('needs no package besides Python itself in a kernel', async () => {
    const modules = [
      'ipynb_telemetry',
      'ipynb_telemetry.bootstrap',
      'ipynb_telemetry.notebook_cells'
    ];
    const said = await mustCall(
      PYTHON,
      // -S: without the environment's packages.
      [
        '-S',
        '-c',
        `import ${modules.join(', ')}; print(ipynb_telemetry.__file__)`
      ],
      { cwd: folder(), env: plainEnvironment({ PYTHONPATH: packages() }) }
    );
    expect(said.trim()).toBe(join(packages(), 'ipynb_telemetry/__init__.py'));
    expect(said).not.toContain(ROOT);
  });
});
