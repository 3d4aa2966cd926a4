/** The built extension: what it is made of, what a page loads, and that building leaves no trace in git. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { VERSION } from '../../src/lab/version.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const json = (path: string) =>
  JSON.parse(readFileSync(join(root, path), 'utf8')) as Record<string, unknown>;

it('writes the package’s version into its events', () => {
  expect(VERSION).toBe(json('package.json')['version']);
});

describe('a build', () => {
  const status = () =>
    execFileSync(
      'git',
      ['status', '--porcelain', '--untracked-files=all', '--', 'labextension'],
      { cwd: root, encoding: 'utf8' }
    );
  const before = status();

  beforeAll(() => {
    execFileSync(process.execPath, ['scripts/build-lab.mjs'], { cwd: root });
  }, 120_000);

  it('leaves the checkout as it was', () => {
    expect(status()).toBe(before);
  });

  it('exposes the plugin', () => {
    expect(json('labextension/static/package.json')).toMatchObject({
      name: 'ipynb-telemetry',
      jupyterlab: {
        _build: {
          load: expect.stringMatching(/^static\/remoteEntry\..*\.js$/),
          extension: './extension'
        }
      }
    });
  });

  it('brings the settings, and nothing else that a schema is', () => {
    const folder = join(root, 'labextension/static/schemas/ipynb-telemetry');
    expect(readdirSync(folder).sort()).toEqual([
      'package.json.orig',
      'plugin.json'
    ]);
    expect(readFileSync(join(folder, 'plugin.json'), 'utf8')).toBe(
      readFileSync(join(root, 'schema/lab/plugin.json'), 'utf8')
    );
  });

  it('is small, with what only an open dialogue or panel loads', () => {
    const folder = join(root, 'labextension/static/static');
    const sizes = readdirSync(folder)
      .filter(file => file.endsWith('.js'))
      .map(file => readFileSync(join(folder, file)))
      // The contract with its schemas is there for other extensions that load it.
      .filter(code => !/telemetry_event_v1|unevaluated/.test(code.toString()))
      .map(code => gzipSync(code).length);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    process.stdout.write(`all of the extension: ${total} bytes gzipped\n`);
    expect(sizes.length).toBeGreaterThan(4);
    expect(total).toBeGreaterThan(10_000);
    expect(total).toBeLessThan(52_000);
  });

  it('asks every JupyterLab for the first patch release of its minor', () => {
    const folder = join(root, 'labextension/static/static');
    const entry = readdirSync(folder).find(file =>
      file.startsWith('remoteEntry.')
    );
    const code = readFileSync(join(folder, entry!), 'utf8');
    const ranges = code.matchAll(
      /(@jupyterlab\/[\w-]+)",[^}]*?requiredVersion:"([^"]+)"/g
    );
    const asked = Object.fromEntries(
      [...ranges].map(([, name, r]) => [name, r])
    );
    expect(asked).toMatchObject({
      '@jupyterlab/notebook': '^4.6.0',
      '@jupyterlab/services': '^7.6.0'
    });
  });

  it('keeps `main` free of Node', () => {
    const folder = join(root, 'lib/events');
    for (const file of readdirSync(folder).filter(f => f.endsWith('.js'))) {
      expect(readFileSync(join(folder, file), 'utf8')).not.toMatch(
        /from ['"](node:|fs|path|crypto|http)/
      );
    }
  });
});
