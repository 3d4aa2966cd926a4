/** The packed npm package, installed into an empty folder as a stranger does it. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, mustCall, ROOT, useFolder } from './support.mjs';

const folder = useFolder();
let before;
let packed;

const status = () => mustCall('git', ['status', '--porcelain']);
const inside = path => join(folder(), 'node_modules', 'ipynb-telemetry', path);

beforeAll(async () => {
  before = await status();
  const stdout = await mustCall('npm', [
    'pack',
    '--json',
    '--pack-destination',
    folder()
  ]);
  const answer = JSON.parse(stdout);
  [packed] = Array.isArray(answer) ? answer : Object.values(answer);
  writeFileSync(join(folder(), 'package.json'), '{ "private": true }\n');
  await mustCall(
    'npm',
    ['install', '--no-audit', '--no-fund', join(folder(), packed.filename)],
    { cwd: folder() }
  );
}, 300_000);

describe('building and packing', () => {
  it('leaves the checkout as it was', async () => {
    expect(await status()).toBe(before);
  });
});

describe('the packed package', () => {
  const files = () => packed.files.map(({ path }) => path);

  it('holds the contract, the relay, the page, the schemas and the licence', () => {
    expect(files()).toEqual(
      expect.arrayContaining([
        'lib/events/index.js',
        'lib/events/index.d.ts',
        'lib/relay/index.js',
        'lib/cli/main.js',
        'lib/dashboard/index.html',
        'schema/telemetry_event_v1.schema.json',
        'schema/lab/plugin.json',
        'deploy/systemd/ipynb-telemetry.service',
        'LICENSE',
        'README.md',
        'CHANGELOG.md'
      ])
    );
  });

  it('holds nothing else', () => {
    const rooms = new Set(
      files()
        .filter(path => path.startsWith('lib/'))
        .map(path => path.split('/')[1])
    );
    expect([...rooms].sort()).toEqual([
      'api',
      'cli',
      'dashboard',
      'events',
      'insights',
      'notebooks',
      'relay',
      'sinks'
    ]);
    const others = files().filter(path => !/^(lib|schema|deploy)\//.test(path));
    expect(others.sort()).toEqual(
      ['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json'].sort()
    );
    expect(
      files().filter(path => /\.spec\.|(^|\/)test|tsbuildinfo/.test(path))
    ).toEqual([]);
  });

  it('holds nothing compiled from a source that is gone', () => {
    const orphans = files()
      .filter(path => /^lib\/(?!dashboard\/).*\.js$/.test(path))
      .map(path => path.replace(/^lib/, 'src').replace(/\.js$/, ''))
      .filter(
        stem =>
          !existsSync(join(ROOT, `${stem}.ts`)) &&
          !existsSync(join(ROOT, `${stem}.tsx`))
      );
    expect(orphans).toEqual([]);
  });
});

describe('installed into an empty folder', () => {
  it('brings no JupyterLab, only what the token for its extensions is made of', () => {
    const lock = JSON.parse(
      readFileSync(join(folder(), 'package-lock.json'), 'utf8')
    );
    const names = Object.keys(lock.packages);
    expect(names.length).toBeGreaterThan(5);
    const prefix = 'node_modules/';
    expect(
      names
        .map(name => name.slice(name.lastIndexOf(prefix) + prefix.length))
        .filter(name => /^@(jupyter|jupyterlab|lumino)\//.test(name))
        .sort()
    ).toEqual(['@lumino/algorithm', '@lumino/coreutils']);
  });

  it('answers to its command', async () => {
    const { code, stdout } = await call(
      join(folder(), 'node_modules', '.bin', 'ipynb-telemetry'),
      ['--help'],
      { cwd: folder() }
    );
    expect(code).toBe(0);
    expect(stdout).toContain('relay');
  });

  it.each([
    ['ipynb-telemetry', 'validateEvent'],
    ['ipynb-telemetry/relay', undefined],
    ['ipynb-telemetry/notebooks', 'insertSetupCell']
  ])('can be imported as %s', async name => {
    const said = await mustCall(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `const m = await import('${name}'); console.log(Object.keys(m).length)`
      ],
      { cwd: folder() }
    );
    expect(Number(said)).toBeGreaterThan(0);
  });

  it('gives its JSON Schemas by name', async () => {
    const said = await mustCall(
      process.execPath,
      [
        '-e',
        "console.log(require('ipynb-telemetry/schema/telemetry_event_v1.schema.json').title)"
      ],
      { cwd: folder() }
    );
    expect(said.trim()).toBe('telemetry_event_v1');
  });

  it('keeps Node out of the contract: browsers import it too', () => {
    const contract = readdirSync(inside('lib/events')).filter(name =>
      name.endsWith('.js')
    );
    expect(contract).toContain('index.js');
    for (const name of contract) {
      const text = readFileSync(inside(`lib/events/${name}`), 'utf8');
      expect(text).not.toMatch(/from '(node:|fs|path|crypto)/);
    }
  });
});
