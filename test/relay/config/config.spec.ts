/** The configuration: which source wins, and what is said of values that cannot be. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  OPTIONS,
  OPTION_NAMES,
  variableOf
} from '../../../src/relay/config/options.js';
import {
  ConfigError,
  describeConfig,
  resolveConfig,
  type ConfigSources
} from '../../../src/relay/config/resolve.js';

const SECRET = 'phc_test_secret';
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-config-'));
  file = join(folder, 'relay.toml');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function problems(sources: ConfigSources): readonly string[] {
  try {
    resolveConfig({ ...sources, flags: { data: folder, ...sources.flags } });
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.problems;
    }
    throw error;
  }
  return [];
}

describe('values', () => {
  it('come from flags, then the environment, then the file, then the defaults', () => {
    writeFileSync(
      file,
      'port = 1001\nhost = "0.0.0.0"\nduplicate-window-days = 3\n'
    );
    const { config, origin } = resolveConfig({
      flags: { data: folder, port: '1003' },
      env: { IPYNB_TELEMETRY_PORT: '1002', IPYNB_TELEMETRY_HOST: '::1' }
    });
    expect(config).toMatchObject({
      port: 1003,
      host: '::1',
      'duplicate-window-days': 3,
      'segment-bytes': 16 * 1024 * 1024,
      'posthog-key': null
    });
    expect(origin).toMatchObject({
      port: '--port',
      host: 'IPYNB_TELEMETRY_HOST',
      'duplicate-window-days': `duplicate-window-days in ${file}`,
      'segment-bytes': 'default'
    });
  });

  it('of empty variables are not set', () => {
    const { config } = resolveConfig({
      flags: { data: folder },
      env: { IPYNB_TELEMETRY_POSTHOG_KEY: '', IPYNB_TELEMETRY_PORT: '' }
    });
    expect([config['posthog-key'], config.port]).toEqual([null, 7345]);
  });

  it('of a file elsewhere may name the folder, relative to the file', () => {
    const elsewhere = join(folder, 'other.toml');
    writeFileSync(elsewhere, 'data = "kept"\nport = 0\n');
    for (const sources of [
      { flags: { config: elsewhere } },
      { env: { IPYNB_TELEMETRY_CONFIG: elsewhere } }
    ]) {
      const { config } = resolveConfig(sources);
      expect([config.data, config.port]).toEqual([join(folder, 'kept'), 0]);
    }
  });

  it('lose the slashes at the end of addresses', () => {
    const { config } = resolveConfig({
      flags: { data: folder, 'public-url': 'https://hub.example.org/t/' }
    });
    expect(config['public-url']).toBe('https://hub.example.org/t');
  });
});

describe('what cannot be is refused with option, source, value and expectation', () => {
  it.each<[string, ConfigSources, string]>([
    [
      'a flag',
      { flags: { port: '80a' } },
      '--port: expected a whole number from 0 to 65535, got "80a".'
    ],
    [
      'a variable',
      { env: { IPYNB_TELEMETRY_LOG_LEVEL: 'loud' } },
      'IPYNB_TELEMETRY_LOG_LEVEL: expected debug, info, warn, error, silent, got "loud".'
    ],
    [
      'an unknown variable',
      { env: { IPYNB_TELEMETRY_PROT: '1' } },
      'IPYNB_TELEMETRY_PROT: there is no such option. Did you mean port?'
    ],
    [
      'an unknown variable that is near nothing',
      { env: { IPYNB_TELEMETRY_ZEBRA: '1' } },
      'IPYNB_TELEMETRY_ZEBRA: there is no such option.'
    ],
    [
      'an address with a password',
      { flags: { 'posthog-host': 'https://me:secret@ph.example' } },
      '--posthog-host: expected an address such as https://eu.i.posthog.com, and no link-local one, got "https://(hidden)@ph.example".'
    ],
    [
      'a missing file',
      { flags: { config: '/nowhere/relay.toml' } },
      "--config: expected a TOML file, got /nowhere/relay.toml: ENOENT: no such file or directory, open '/nowhere/relay.toml'."
    ]
  ])('%s', (_what, sources, expected) => {
    expect(problems(sources)).toEqual([expected]);
  });

  it('in the file, too', () => {
    writeFileSync(file, 'port = "many"\ndata = "x"\n[zebra]\nstripes = 3\n');
    expect(problems({})).toEqual([
      expect.stringContaining('cannot name another one') as string,
      `zebra in ${file}: there is no such option.`,
      `port in ${file}: expected a whole number from 0 to 65535, got "many".`
    ]);
  });

  it('and all of it at once', () => {
    expect(
      problems({ flags: { port: '-1', 'segment-bytes': '1' } })
    ).toHaveLength(2);
  });
});

describe('secrets', () => {
  it('are hidden when the configuration is shown', () => {
    const resolved = resolveConfig({
      flags: { data: folder },
      env: { IPYNB_TELEMETRY_POSTHOG_KEY: SECRET }
    });
    const lines = describeConfig(resolved);
    expect(lines).toHaveLength(OPTION_NAMES.length);
    expect(lines.join('\n')).not.toContain(SECRET);
    expect(lines).toContain(
      'posthog-key = (set, hidden)  (IPYNB_TELEMETRY_POSTHOG_KEY)'
    );
  });

  it('are hidden when they are refused, even where the file is broken around them', () => {
    const personal = problems({
      env: { IPYNB_TELEMETRY_POSTHOG_KEY: 'phx_personal' }
    });
    expect(personal[0]).toContain('expected PostHog');
    expect(personal[0]).not.toContain('phx_personal');
    writeFileSync(file, `posthog-key = "${SECRET}\nport = 1\n`);
    const broken = problems({});
    expect(broken[0]).toMatch(/expected TOML.*line \d+, column \d+/);
    expect(broken[0]).not.toContain(SECRET);
  });
});

describe('docs/configuration.md', () => {
  const docs = readFileSync(
    new URL('../../../docs/configuration.md', import.meta.url),
    'utf8'
  );
  const [, options] = /^## Options\n([\s\S]*?)^## /m.exec(docs)!;
  const rows = [...options!.matchAll(/^\| `([a-z-]+)` +\| (.*) \|$/gm)].map(
    ([, name, rest]) => ({
      name: name!,
      cells: rest!.split('|').map(cell => cell.trim())
    })
  );

  it('has a row for each option, and no other', () => {
    expect(rows.map(({ name }) => name)).toEqual(OPTION_NAMES);
  });

  it.each(OPTION_NAMES)('says of %s what the code says', name => {
    const { defaultText, default: value, meaning, kind } = OPTIONS[name];
    const row = rows.find(other => other.name === name);
    expect(row?.cells).toEqual([
      `\`${variableOf(name)}\``,
      defaultText ?? `\`${String(value())}\``,
      `${meaning} Expected: ${kind.expected}.`
    ]);
  });
});
