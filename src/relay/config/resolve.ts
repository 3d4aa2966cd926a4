/** Puts the configuration together: flags over environment over one TOML file over what a JupyterHub tells over defaults. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'smol-toml';
import { toldByHub } from '../hub/environment.js';
import {
  ENV_PREFIX,
  OPTIONS,
  OPTION_NAMES,
  variableOf,
  type Option,
  type OptionName,
  type RelayConfig
} from './options.js';

/** Name of the file that is read from the data folder where `--config` names none. */
export const CONFIG_FILE = 'relay.toml';

/** Where values may come from. */
export interface ConfigSources {
  /** By option name without dashes; `config` names the file. */
  flags?: Readonly<Record<string, unknown>>;
  env?: Readonly<Record<string, string | undefined>>;
}

/** A complete configuration, and for each value where it comes from. */
export interface ResolvedConfig {
  config: RelayConfig;
  origin: Record<OptionName, string>;
}

/** Raised at start for a value that is unknown or wrong; lists all of them. */
export class ConfigError extends Error {
  readonly code = 'bad_configuration';

  constructor(readonly problems: readonly string[]) {
    super(problems.join('\n'));
    this.name = 'ConfigError';
  }
}

interface Given {
  value: unknown;
  origin: string;
}

/**
 * The configuration that the sources amount to. An empty variable counts as not set.
 *
 * @throws ConfigError naming every option, source, value and what was expected.
 */
export function resolveConfig(sources: ConfigSources): ResolvedConfig {
  const problems: string[] = [];
  const { config: file, ...flags } = sources.flags ?? {};
  const env = sources.env ?? {};
  const fromFlags = collect(Object.entries(flags), name => `--${name}`);
  const fromEnv = collect(
    Object.entries(env)
      .filter(([name, value]) => name.startsWith(ENV_PREFIX) && value !== '')
      .map(([name, value]) => [optionOf(name), value]),
    variableOf
  );
  const named = file ?? fromEnv.get('config')?.value;
  fromEnv.delete('config');

  // The folder decides which file is read, so it is settled first.
  const folder = fromFlags.get('data') ?? fromEnv.get('data');
  const path =
    typeof named === 'string'
      ? resolve(named)
      : join(
          resolve(String(folder?.value ?? OPTIONS.data.default())),
          CONFIG_FILE
        );
  const fromFile = readToml(path, typeof named === 'string', problems);
  if (named === undefined && fromFile.has('data')) {
    problems.push(
      `data in ${path}: this file is found by the data folder and cannot name another one. Use --data, or --config with a file elsewhere.`
    );
  }

  const layers = [fromFlags, fromEnv, fromFile, toldByHub(env)];
  for (const layer of layers) {
    for (const [name, { origin }] of layer) {
      if (!Object.hasOwn(OPTIONS, name)) {
        problems.push(`${origin}: there is no such option.${hint(name)}`);
      }
    }
  }
  for (const name of fromFlags.keys()) {
    if (
      (OPTIONS[name as OptionName] as Option<unknown> | undefined)?.flagless
    ) {
      problems.push(
        `--${name}: expected ${variableOf(name)} or a line in the file, got a flag, which whoever lists processes can read.`
      );
    }
  }
  const config: Record<string, unknown> = {};
  const origin: Record<string, string> = {};
  for (const name of OPTION_NAMES) {
    const given = layers.map(layer => layer.get(name)).find(Boolean);
    const option = OPTIONS[name] as Option<unknown>;
    const value = given ? option.kind.read(given.value) : option.default();
    if (value === undefined) {
      problems.push(
        `${given!.origin}: expected ${option.kind.expected}, got ${show(option, given!.value)}.`
      );
    }
    config[name] = value;
    origin[name] = given?.origin ?? 'default';
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  const complete = config as unknown as RelayConfig;
  if ((complete['tls-cert'] === null) !== (complete['tls-key'] === null)) {
    throw new ConfigError([
      `${origin['tls-cert'] === 'default' ? origin['tls-key'] : origin['tls-cert']}: expected tls-cert and tls-key together, got one of them.`
    ]);
  }
  for (const name of ['data', 'tls-cert', 'tls-key'] as const) {
    const inFile = fromFile.get(name)?.origin === origin[name];
    const given = complete[name];
    if (given !== null) {
      complete[name] = resolve(inFile ? dirname(path) : '.', given);
    }
  }
  return { config: complete, origin: origin as ResolvedConfig['origin'] };
}

/** The configuration for people, one option a line, secrets hidden. */
export function describeConfig({ config, origin }: ResolvedConfig): string[] {
  return OPTION_NAMES.map(
    name =>
      `${name} = ${shown(name, config[name])}${origin[name] === 'default' ? '' : `  (${origin[name]})`}`
  );
}

function shown(name: OptionName, value: unknown): string {
  const option = OPTIONS[name];
  return value === null || (Array.isArray(value) && value.length === 0)
    ? `(${option.defaultText ?? 'none'})`
    : option.secret
      ? '(set, hidden)'
      : String(value);
}

function collect(
  entries: readonly (readonly [string, unknown])[],
  originOf: (name: string) => string
): Map<string, Given> {
  return new Map(
    entries
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, { value, origin: originOf(name) }])
  );
}

function readToml(
  path: string,
  required: boolean,
  problems: string[]
): Map<string, Given> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (required || (code !== 'ENOENT' && code !== 'ENOTDIR')) {
      problems.push(`--config: expected a TOML file, got ${path}: ${message}.`);
    }
    return new Map();
  }
  try {
    return collect(
      Object.entries(parse(content)),
      name => `${name} in ${path}`
    );
  } catch (error) {
    // The parser's message shows the lines around the mistake, and one of them may hold the key.
    const { line, column } = error as { line?: number; column?: number };
    problems.push(
      `${path}: expected TOML, such as port = 7345 or host = "127.0.0.1", got something else at line ${line ?? '?'}, column ${column ?? '?'}.`
    );
    return new Map();
  }
}

function optionOf(variable: string): string {
  return variable.slice(ENV_PREFIX.length).toLowerCase().replaceAll('_', '-');
}

function show(option: Option<unknown>, value: unknown): string {
  if (option.secret) {
    return 'something else (hidden)';
  }
  return typeof value === 'bigint'
    ? String(value)
    : // A password in an address is nobody's business.
      JSON.stringify(value).replace(/\/\/[^/@]*@/, '//(hidden)@');
}

/** The option that was probably meant. */
function hint(name: string): string {
  const near = OPTION_NAMES.find(
    known =>
      distance(known, name) <= 2 ||
      (name.length > 3 && (known.includes(name) || name.includes(known)))
  );
  return near ? ` Did you mean ${near}?` : '';
}

/** Edits between two short words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      next[j] = Math.min(
        row[j]! + 1,
        next[j - 1]! + 1,
        row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)
      );
    }
    row = next;
  }
  return row[b.length]!;
}
