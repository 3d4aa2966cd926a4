/** The real relay as a child process: made with a course, started, killed, stopped, looked into. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SinkStatus } from '../../src/api/index.js';
import type { DeadLetter } from '../../src/relay/pipeline/deadLetters.js';
import { waitFor } from './waitFor.js';

const CLI = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));

/** A relay that runs. */
export interface RelayProcess {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** Everything it wrote to its outputs. */
  output(): string;
  /** Its link for a first login, once it printed one. */
  link(): string | undefined;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with its exit code. */
  stop(): Promise<number | null>;
}

export interface RelayOptions {
  /** Its data folder. */
  data: string;
  /** PostHog's address and key, where it shall send there. */
  posthog?: { host: string; key: string };
  /** Further arguments. */
  args?: string[];
}

/** A data folder of its own; `remove` takes it away. */
export async function makeDataFolder(): Promise<{
  data: string;
  remove: () => Promise<void>;
}> {
  const data = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-'));
  return { data, remove: () => rm(data, { recursive: true, force: true }) };
}

/** Runs one command of the CLI and gives what it printed. */
export async function runCli(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [builtCli(), ...args],
    { env: cleanEnvironment() }
  );
  return stdout;
}

/** Makes a course and gives its key. */
export async function addCourse(data: string, course: string): Promise<string> {
  const keyFile = join(data, `${course}.key`);
  await runCli(
    ...['course', 'add', course, '--title', course],
    ...['--data', data, '--key-file', keyFile]
  );
  return (await readFile(keyFile, 'utf8')).trim();
}

/** Changes settings of a course, given as flags. */
export async function setCourse(
  data: string,
  course: string,
  settings: string[]
): Promise<void> {
  await runCli('course', 'set', course, '--data', data, ...settings);
}

/** Starts a relay on a free port; gives it at once, before it is ready. */
export function spawnRelay(options: RelayOptions): {
  child: ChildProcess;
  output: () => string;
} {
  const child = spawn(
    process.execPath,
    [
      builtCli(),
      'relay',
      '--port',
      '0',
      '--data',
      options.data,
      ...(options.args ?? [])
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...cleanEnvironment(),
        ...(options.posthog
          ? {
              IPYNB_TELEMETRY_POSTHOG_HOST: options.posthog.host,
              IPYNB_TELEMETRY_POSTHOG_KEY: options.posthog.key
            }
          : {})
      }
    }
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  return { child, output: () => output };
}

/** Starts a relay on a free port and waits until it takes events. */
export async function startRelay(options: RelayOptions): Promise<RelayProcess> {
  const { child, output } = spawnRelay(options);
  const gone = once(child, 'exit');
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await gone;
    }
    return child.exitCode;
  };
  let url = '';
  try {
    await waitFor(
      () => `the relay is ready; it wrote: ${output()}`,
      async () => {
        if (child.exitCode !== null || child.signalCode !== null) {
          throw new Error(`the relay ended by itself; it wrote: ${output()}`);
        }
        url = /Events go to\s+(http:\S+)/.exec(output())?.[1] ?? '';
        return url !== '' && (await answers(`${url}/readyz`));
      },
      20_000
    );
  } catch (error) {
    await end('SIGKILL');
    throw error;
  }
  return {
    url,
    output,
    link: () => /http:\S+token=\S+/.exec(output())?.[0],
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM')
  };
}

/** How the sinks of a running relay are doing. */
export async function sinksOf(relay: RelayProcess): Promise<SinkStatus[]> {
  const response = await fetch(`${relay.url}/readyz`);
  const body = (await response.json()) as { sinks?: SinkStatus[] };
  return body.sinks ?? [];
}

/** The dead letters in a data folder. */
export async function deadLettersOf(data: string): Promise<DeadLetter[]> {
  const file = join(data, 'dead-letters.jsonl');
  if (!existsSync(file)) {
    return [];
  }
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as DeadLetter);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url);
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

function builtCli(): string {
  if (!existsSync(CLI)) {
    throw new Error(`${CLI} is missing: run \`npm run build\` first`);
  }
  return CLI;
}

/** Without the settings of whoever runs the tests. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) =>
        !/^(IPYNB_TELEMETRY_|TELEMETRY_|POSTHOG_|NODE_OPTIONS)/.test(name)
    )
  );
}
