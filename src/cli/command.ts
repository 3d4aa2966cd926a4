/** What a command is: data about its arguments and options, and a function. Help texts come from the data. */
import { ENV_PREFIX } from '../relay/config/options.js';

/** One option of a command. */
export interface CommandOption {
  /** Placeholder of its value; none for a switch. */
  value?: string;
  /** May be given several times: its values are among `lists`. */
  many?: true;
  meaning: string;
}

/** What a command is given. */
export interface Invocation {
  /** Values of the arguments, by name. */
  args: Readonly<Record<string, string>>;
  /** Values of the argument that takes several. */
  rest: readonly string[];
  /** Values of the options: text, or true for a switch. */
  options: Readonly<Record<string, string | boolean | undefined>>;
  /** Values of the options that may be given several times. */
  lists: Readonly<Record<string, readonly string[]>>;
  env: NodeJS.ProcessEnv;
  /** Writes a line to standard output. */
  print: (line: string) => void;
  /** Writes a line to standard error. */
  warn: (line: string) => void;
  /** Standard input to its end. */
  read: () => Promise<Uint8Array>;
  /** Writes text to standard output as it is. */
  write: (text: string) => void;
}

/** One command. */
export interface Command {
  /** One or two words. */
  name: string;
  /** What it does, without a full stop. */
  summary: string;
  /** Names of its arguments, all of them required. */
  args: readonly string[];
  /** Name of an argument that takes one or more values, after the others. */
  rest?: string;
  options: Readonly<Record<string, CommandOption>>;
  /** Command lines that work, without the program's name. */
  examples: readonly string[];
  /** @returns the exit code where it is not 0. */
  run(invocation: Invocation): Promise<number | void>;
}

/** A mistake in how a command was called: the process ends with 2. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** A failure that the message explains in full: the process ends with 1. */
export class CommandError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'CommandError';
  }
}

export const PROGRAM = 'ipynb-telemetry';

/** Options that say where a relay keeps its things; every command has them. */
export const PLACE_OPTIONS = {
  data: {
    value: 'FOLDER',
    meaning: `The relay's data folder (variable ${ENV_PREFIX}DATA)`
  },
  config: {
    value: 'FILE',
    meaning: 'The TOML file to read; relay.toml in the data folder by default'
  }
} as const satisfies Record<string, CommandOption>;

export const JSON_OPTION = {
  json: { meaning: 'Print JSON, for programs' }
} as const satisfies Record<string, CommandOption>;

/** Usage line of a command. */
export function usageOf(command: Command): string {
  return [PROGRAM, command.name, ...argumentsOf(command), '[options]'].join(
    ' '
  );
}

/** Its arguments as the help writes them. */
export function argumentsOf({ args, rest }: Command): string[] {
  const names = args.map(arg => arg.toUpperCase());
  return rest === undefined ? names : [...names, `${rest.toUpperCase()}…`];
}

/** Help of one command. */
export function helpOf(command: Command): string {
  const options = { ...command.options, help: { meaning: 'Show this' } };
  return [
    `${command.summary}.`,
    '',
    `Usage: ${usageOf(command)}`,
    '',
    'Options:',
    ...columns(
      Object.entries(options).map(([name, option]: [string, CommandOption]) => [
        `--${name}${option.value === undefined ? '' : ` ${option.value}`}`,
        option.meaning
      ])
    ),
    '',
    'Examples:',
    ...command.examples.map(example => `  ${PROGRAM} ${example}`)
  ].join('\n');
}

/** Help of the program. */
export function helpOfAll(commands: readonly Command[]): string {
  return [
    'Shows how a notebook class is doing while it happens, and loses nothing.',
    '',
    `Usage: ${PROGRAM} COMMAND [options]`,
    '',
    'Commands:',
    ...listOf(commands),
    '',
    `${PROGRAM} COMMAND --help says more about one of them; --version prints the version.`
  ].join('\n');
}

/** Help of the commands that begin with one word. */
export function helpOfGroup(
  word: string,
  commands: readonly Command[]
): string {
  return [
    `Usage: ${PROGRAM} ${word} COMMAND [options]`,
    '',
    'Commands:',
    ...listOf(commands),
    '',
    `${PROGRAM} ${word} COMMAND --help says more about one of them.`
  ].join('\n');
}

function listOf(commands: readonly Command[]): string[] {
  return columns(
    commands.map(command => [
      [command.name, ...argumentsOf(command)].join(' '),
      command.summary
    ])
  );
}

/** Rows of two columns, the second one aligned. */
export function columns(
  rows: readonly (readonly [string, string])[]
): string[] {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
}
