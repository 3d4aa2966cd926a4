/** Finds the command that the arguments name, runs it, and says in one line what went wrong. */
import { parseArgs } from 'node:util';
import { ConfigError } from '../relay/config/resolve.js';
import { CourseFileError } from '../relay/courses/courseFile.js';
import { CourseError } from '../relay/courses/editCourses.js';
import { VERSION } from '../relay/version.js';
import {
  argumentsOf,
  CommandError,
  helpOf,
  helpOfAll,
  helpOfGroup,
  PROGRAM,
  UsageError,
  usageOf,
  type Command,
  type Invocation
} from './command.js';
import { backupCommand, restoreCommand } from './backup.js';
import {
  courseAddCommand,
  courseListCommand,
  courseSetCommand
} from './course.js';
import { courseSectionCommand } from './courseSection.js';
import { doctorCommand } from './doctor.js';
import { keyAddCommand, keyListCommand, keyRevokeCommand } from './key.js';
import { linkCommand } from './link.js';
import { logCompactCommand, logShowCommand, logVerifyCommand } from './log.js';
import {
  notebooksCheckCommand,
  notebooksInsertCommand,
  notebooksRemoveCommand,
  notebooksUpdateCommand
} from './notebooks.js';
import {
  deadLettersDropCommand,
  deadLettersExportCommand,
  deadLettersListCommand,
  deadLettersReplayCommand,
  deadLettersShowCommand
} from './deadLetters.js';
import { replayCommand } from './replay.js';
import {
  privacyExportCommand,
  privacyForgetCommand,
  privacyJobsCommand,
  privacyShowCommand
} from './privacy.js';
import { privacyAuditCommand, privacyRotateCommand } from './privacyKeys.js';
import { relayCommand } from './relay.js';
import { retentionRunCommand } from './retention.js';

/** All commands, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  relayCommand,
  linkCommand,
  doctorCommand,
  backupCommand,
  restoreCommand,
  courseAddCommand,
  courseSetCommand,
  courseSectionCommand,
  courseListCommand,
  keyAddCommand,
  keyRevokeCommand,
  keyListCommand,
  logShowCommand,
  logVerifyCommand,
  logCompactCommand,
  privacyShowCommand,
  privacyExportCommand,
  privacyForgetCommand,
  privacyJobsCommand,
  privacyRotateCommand,
  privacyAuditCommand,
  retentionRunCommand,
  deadLettersListCommand,
  deadLettersShowCommand,
  deadLettersExportCommand,
  deadLettersReplayCommand,
  deadLettersDropCommand,
  replayCommand,
  notebooksInsertCommand,
  notebooksUpdateCommand,
  notebooksRemoveCommand,
  notebooksCheckCommand
];

/** Where a run reads from and writes to. */
export interface Terminal {
  out: (line: string) => void;
  err: (line: string) => void;
  /** Standard input to its end; empty by default. */
  read?: () => Promise<Uint8Array>;
  /** Text as it is to standard output; nowhere by default. */
  write?: (text: string) => void;
}

/**
 * Runs the program.
 *
 * @returns the exit code: 0 done, 1 failed, 2 called in a way that cannot work, or what the
 *   command says. Never rejects.
 */
export async function run(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  terminal: Terminal
): Promise<number> {
  let command: Command | undefined;
  try {
    const first = argv[0];
    if (first === '--version') {
      terminal.out(VERSION);
      return 0;
    }
    if (first === undefined || first === '--help' || first === 'help') {
      terminal.out(helpOfAll(COMMANDS));
      return first === undefined ? 2 : 0;
    }
    const group = COMMANDS.filter(({ name }) => name.startsWith(`${first} `));
    if (group.length > 0 && (argv[1] === '--help' || argv[1] === '-h')) {
      terminal.out(helpOfGroup(first, group));
      return 0;
    }
    command = find(argv);
    const rest = argv.slice(command.name.split(' ').length);
    if (rest.includes('--help') || rest.includes('-h')) {
      terminal.out(helpOf(command));
      return 0;
    }
    return (await command.run(parse(command, rest, env, terminal))) ?? 0;
  } catch (error) {
    const { code, lines } = explain(error, command);
    lines.forEach(terminal.err);
    return code;
  }
}

function find(argv: readonly string[]): Command {
  const found = COMMANDS.find(({ name }) =>
    name.split(' ').every((word, index) => argv[index] === word)
  );
  if (found) {
    return found;
  }
  const group = COMMANDS.filter(({ name }) => name.startsWith(`${argv[0]} `));
  throw new UsageError(
    group.length > 0
      ? `expected ${group.map(({ name }) => name).join(', ')}, got ${JSON.stringify(argv.slice(0, 2).join(' '))}.`
      : `expected a command (${COMMANDS.map(({ name }) => name).join(', ')}), got ${JSON.stringify(argv[0])}.`
  );
}

function parse(
  command: Command,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  terminal: Terminal
): Invocation {
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: Object.fromEntries(
        Object.entries(command.options).map(([name, { value, many }]) => [
          name,
          {
            type: value === undefined ? 'boolean' : 'string',
            multiple: many === true
          } as const
        ])
      )
    });
  } catch (error) {
    // The first sentence; the rest explains how to pass an argument that begins with a dash.
    const [problem] = (error as Error).message.split('. ');
    throw new UsageError(`${problem!.replace(/\.$/, '')}.`);
  }
  const { positionals, values } = parsed;
  const count = command.args.length;
  const fits =
    command.rest === undefined
      ? positionals.length === count
      : positionals.length > count;
  if (!fits) {
    const expected = argumentsOf(command).join(' ') || 'no argument';
    throw new UsageError(
      `expected ${expected}, got ${positionals.map(text => JSON.stringify(text)).join(' ') || 'none'}.`
    );
  }
  return {
    args: Object.fromEntries(
      command.args.map((name, index) => [name, positionals[index]!])
    ),
    rest: positionals.slice(count),
    options: Object.fromEntries(
      Object.entries(values).filter(([, value]) => !Array.isArray(value))
    ) as Invocation['options'],
    lists: Object.fromEntries(
      Object.entries(values).filter(([, value]) => Array.isArray(value))
    ) as Invocation['lists'],
    env,
    print: terminal.out,
    warn: terminal.err,
    read: terminal.read ?? (() => Promise.resolve(new Uint8Array())),
    write: terminal.write ?? (() => undefined)
  };
}

/** What to say of a failure, and the exit code. */
function explain(
  error: unknown,
  command: Command | undefined
): { code: number; lines: string[] } {
  if (error instanceof UsageError) {
    return {
      code: 2,
      lines: [
        `${PROGRAM}: ${error.message}`,
        command
          ? `Usage: ${usageOf(command)}\n${PROGRAM} ${command.name} --help says more.`
          : `${PROGRAM} --help shows all commands.`
      ]
    };
  }
  if (error instanceof ConfigError) {
    return {
      code: 2,
      lines: error.problems.map(problem => `${PROGRAM}: ${problem}`)
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  const known =
    error instanceof CommandError ||
    error instanceof CourseError ||
    error instanceof CourseFileError;
  const lines = [`${PROGRAM}: ${message}`];
  if (!known && error instanceof Error && process.env['NODE_DEBUG']) {
    lines.push(error.stack ?? '');
  }
  return { code: 1, lines };
}
