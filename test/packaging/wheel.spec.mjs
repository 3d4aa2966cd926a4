/** The wheel: what Jupyter finds after an installation, and a kernel package that needs nothing. */
import { readdirSync, writeFileSync } from 'node:fs';
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
/** An environment that sees the packages of the checkout's, and this installation first. */
const venv = () => join(folder(), 'venv');
const python = () => join(venv(), 'bin', 'python');
const packagesOf = environment => {
  const lib = join(environment, 'lib');
  const [version] = readdirSync(lib).filter(name => name.startsWith('python'));
  return join(lib, version, 'site-packages');
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
  await mustCall(PYTHON, ['-m', 'venv', '--without-pip', venv()]);
  const others = packagesOf(join(ROOT, '.venv'));
  writeFileSync(join(packagesOf(venv()), 'others.pth'), `${others}\n`);
  await mustCall(PYTHON, [
    ...['-m', 'pip', '--python', python(), 'install'],
    ...['--no-index', '--no-deps', '--ignore-installed', path]
  ]);
}, 300_000);

const jupyter = async args => {
  const { stdout, stderr } = await call(python(), ['-m', ...args], {
    env: plainEnvironment({ JUPYTER_CONFIG_DIR: join(folder(), 'config') })
  });
  return stdout + stderr;
};

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
        `${extension}/schemas/ipynb-telemetry/plugin.json`,
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
    const said = await jupyter(['jupyterlab.labextensions', 'list']);
    const ours = said.split(join(venv(), 'share/jupyter/labextensions'))[1];
    expect(ours).toMatch(/ipynb-telemetry v\S+ .*enabled.*OK/);
  }, 60_000);

  it('is found by Jupyter Server', async () => {
    const said = await jupyter(['jupyter_server', 'extension', 'list']);
    const ours = said.split(join(venv(), 'etc/jupyter'))[1];
    expect(ours).toMatch(/ipynb_telemetry\S* .*enabled/);
    expect(ours).toMatch(/ipynb_telemetry\S* .*OK/);
  }, 60_000);

  it('needs no package besides Python itself in a kernel', async () => {
    const modules = [
      'ipynb_telemetry',
      'ipynb_telemetry.bootstrap',
      'ipynb_telemetry.notebook_cells'
    ];
    const code = `import ${modules.join(', ')}; print(ipynb_telemetry.__file__)`;
    const place = packagesOf(venv());
    // -S: without any environment's packages; ours is put there by name.
    const said = await mustCall(PYTHON, ['-S', '-c', code], {
      cwd: folder(),
      env: plainEnvironment({ PYTHONPATH: place })
    });
    expect(said.trim()).toBe(join(place, 'ipynb_telemetry/__init__.py'));
  });
});
