/** `notebooks insert`, `update`, `remove`, `check`: the setup cell of notebook files. */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import {
  checkSetupCell,
  decodeNotebook,
  editNotebookFile,
  idFromTemplate,
  idOfFile,
  insertSetupCell,
  isTemplate,
  removeSetupCell,
  SetupCellError,
  setupCellSource,
  updateSetupCell,
  type Edited,
  type PackageOptions,
  type Refusal,
  type SetupOptions
} from '../notebooks/index.js';
import { UsageError, type Command, type Invocation } from './command.js';
import { findNotebooks } from './notebookFiles.js';
import {
  createReport,
  exitCode,
  type NotebookOutcome
} from './notebookReport.js';

const FILE_OPTIONS = {
  recursive: {
    meaning:
      'Look for notebooks in folders too, but not in hidden ones and not in node_modules'
  },
  json: { meaning: 'Print JSON, for programs' }
} as const;

const DRY_RUN_OPTION = {
  'dry-run': { meaning: 'Show what would change, and write nothing' }
} as const;

const SETUP_OPTIONS = {
  id: {
    value: 'ID',
    meaning:
      "Notebook id; {stem} and {folder} stand for the file's name and its folder's. By default the one that the notebook has, else its file's name"
  },
  language: {
    value: 'LANGUAGE',
    meaning:
      'Language of notebooks that declare none; without it their code is looked at'
  },
  'package-spec': {
    value: 'REQUIREMENT',
    meaning:
      'What the cell installs with pip (variable TELEMETRY_PACKAGE_SPEC); the package from PyPI by default'
  },
  'package-name': {
    value: 'NAME',
    meaning:
      'Another distribution, for a fork (variable TELEMETRY_PACKAGE_NAME); ipynb-telemetry by default'
  }
} as const;

/** What a command does to one text. */
type Edit = (text: string, options: SetupOptions) => Edited | Refusal;

export const notebooksInsertCommand: Command = {
  name: 'notebooks insert',
  summary: 'Add the setup cell to notebooks that have none',
  args: [],
  rest: 'files',
  options: { ...SETUP_OPTIONS, ...DRY_RUN_OPTION, ...FILE_OPTIONS },
  examples: [
    'notebooks insert intro.ipynb',
    'notebooks insert week1.ipynb week2.ipynb --id "python-101/{stem}"',
    'notebooks insert --recursive lessons --dry-run'
  ],
  run: invocation => runOn(invocation, 'inserted', insertSetupCell)
};

export const notebooksUpdateCommand: Command = {
  name: 'notebooks update',
  summary: 'Replace setup cells that are older or have another id, in place',
  args: [],
  rest: 'files',
  options: { ...SETUP_OPTIONS, ...DRY_RUN_OPTION, ...FILE_OPTIONS },
  examples: [
    'notebooks update intro.ipynb',
    'notebooks update intro.ipynb --id introduction',
    'notebooks update --recursive lessons --package-spec "ipynb-telemetry>=0.1"'
  ],
  run: invocation => runOn(invocation, 'updated', updateSetupCell)
};

export const notebooksRemoveCommand: Command = {
  name: 'notebooks remove',
  summary: 'Take the setup cell out; what insert was given comes back',
  args: [],
  rest: 'files',
  options: { ...DRY_RUN_OPTION, ...FILE_OPTIONS },
  examples: ['notebooks remove intro.ipynb'],
  run: invocation => runOn(invocation, 'removed', removeSetupCell)
};

export const notebooksCheckCommand: Command = {
  name: 'notebooks check',
  summary: 'Tell which notebooks have their setup cell, by the exit code too',
  args: [],
  rest: 'files',
  options: { ...SETUP_OPTIONS, ...FILE_OPTIONS },
  examples: [
    'notebooks check intro.ipynb',
    'notebooks check --recursive lessons --json'
  ],
  run: invocation => runOn(invocation, 'checked', check)
};

function check(text: string, options: SetupOptions): Edited | Refusal {
  const result = checkSetupCell(text, options);
  return result.ok ? { ...result, text, changed: false } : result;
}

async function runOn(
  invocation: Invocation,
  did: NotebookOutcome,
  edit: Edit
): Promise<number> {
  const { options } = invocation;
  const paths = invocation.rest.includes('-')
    ? ['-']
    : await findNotebooks(invocation.rest, options['recursive'] === true);
  refuseMixtures(invocation, did, paths);
  refusePackage(invocation);
  const report = createReport(invocation, did, paths[0] === '-');
  for (const path of paths) {
    let before = '';
    // A link is another name of the same notebook, and gives no other id.
    const named = path === '-' ? path : await realpath(path).catch(() => path);
    const setup = setupOptions(invocation, named);
    const decide = (text: string): Edited | Refusal => {
      before = text;
      return edit(text, setup);
    };
    const result =
      path === '-'
        ? await filter(invocation, did, decide)
        : await editNotebookFile(path, decide, {
            dryRun: options['dry-run'] === true
          });
    report.add(path, result, before);
  }
  report.end();
  return exitCode(report.results, did);
}

/** Standard input to standard output. */
async function filter(
  { options, read, write }: Invocation,
  did: NotebookOutcome,
  decide: (text: string) => Edited | Refusal
): Promise<Edited | Refusal> {
  const decoded = decodeNotebook(await read());
  const result = decoded.ok ? decide(decoded.text) : decoded;
  if (result.ok && did !== 'checked' && options['dry-run'] !== true) {
    write(result.text);
  }
  return result;
}

function setupOptions(
  { options, env }: Invocation,
  path: string
): SetupOptions {
  const text = (name: string): string | undefined =>
    options[name] as string | undefined;
  const file = path === '-' ? undefined : resolve(path);
  const template = text('id');
  const id =
    template === undefined ? undefined : idFromTemplate(template, file ?? '');
  if (template !== undefined && id === undefined) {
    throw new UsageError(
      `--id: expected an id, got ${JSON.stringify(template)}.`
    );
  }
  return {
    id,
    fallbackId: file === undefined ? undefined : idOfFile(file),
    language: text('language'),
    ...packageOf({ options, env })
  };
}

function refuseMixtures(
  { rest, options }: Invocation,
  did: NotebookOutcome,
  paths: readonly string[]
): void {
  const id = options['id'];
  if (paths.length > 1 && typeof id === 'string' && !isTemplate(id)) {
    throw new UsageError(
      '--id: one id for several notebooks would count them as one; with {stem} or {folder} in it each gets its own.'
    );
  }
  if (paths[0] !== '-') {
    return;
  }
  if (rest.length > 1) {
    throw new UsageError('- stands for standard input, and goes alone.');
  }
  if (typeof id === 'string' && isTemplate(id)) {
    throw new UsageError(
      '--id: standard input has neither {stem} nor {folder}.'
    );
  }
  if (
    options['json'] === true &&
    did !== 'checked' &&
    options['dry-run'] !== true
  ) {
    throw new UsageError(
      '--json: the notebook itself goes to standard output.'
    );
  }
}

/** Says before any file is touched that no cell can be made. */
function refusePackage({ options, env }: Invocation): void {
  try {
    setupCellSource('', packageOf({ options, env }));
  } catch (error) {
    throw error instanceof SetupCellError
      ? new UsageError(
          error.message
            .replace('packageName', '--package-name (TELEMETRY_PACKAGE_NAME)')
            .replace('packageSpec', '--package-spec (TELEMETRY_PACKAGE_SPEC)')
        )
      : error;
  }
}

function packageOf({
  options,
  env
}: Pick<Invocation, 'options' | 'env'>): PackageOptions {
  return {
    packageSpec:
      (options['package-spec'] as string | undefined) ??
      env['TELEMETRY_PACKAGE_SPEC'],
    packageName:
      (options['package-name'] as string | undefined) ??
      env['TELEMETRY_PACKAGE_NAME']
  };
}
