/** The suites in the order they run: the quick ones first. */
import { join } from 'node:path';
import { ROOT } from '../setup/paths.mjs';
import { PYTHON } from '../setup/venv.mjs';
import { CHECKS } from './checks.mjs';
import { readJest, readJunit } from './results.mjs';

/**
 * @typedef {object} Suite
 * @property {string} name for `--suite`, and the name of its log
 * @property {string} what one line for `--help`
 * @property {readonly ('python' | 'builds' | 'chromium' | 'nats' | 'hub')[]} needs besides the Node packages
 * @property {{name: string, command: string, args: string[]}[]} [checks] commands of which
 *   each counts as one test
 * @property {(report: string) => {command: string, args: string[]}} [tests] a runner that
 *   writes its report to that file
 * @property {(text: string) => import('./results.mjs').Counts} [read] understands that report
 */

const check = name => CHECKS.filter(each => each.name.split(' ')[0] === name);

const jest =
  (project, ...args) =>
  report => ({
    command: process.execPath,
    args: [
      join('node_modules', 'jest', 'bin', 'jest.js'),
      '--selectProjects',
      project,
      '--json',
      `--outputFile=${report}`,
      ...args
    ]
  });

/** @type {readonly Suite[]} */
export const SUITES = [
  { name: 'prettier', what: 'format', needs: [], checks: check('prettier') },
  {
    name: 'eslint',
    what: 'style of TypeScript and JavaScript',
    needs: [],
    checks: check('eslint')
  },
  {
    name: 'ruff',
    what: 'format and style of Python',
    needs: ['python'],
    checks: check('ruff')
  },
  {
    name: 'types',
    what: 'every TypeScript project compiles, the tests too',
    needs: [],
    checks: [
      {
        name: 'tsc -b',
        command: process.execPath,
        args: [join('node_modules', 'typescript', 'bin', 'tsc'), '-b']
      }
    ]
  },
  {
    name: 'unit',
    what: 'jest beside the sources: contract, relay, sinks, page, extension',
    needs: ['python', 'builds'],
    // By itself jest leaves one processor alone, which is half of them on a small machine.
    tests: jest('unit', '--maxWorkers=2'),
    read: readJest
  },
  {
    name: 'python',
    what: 'pytest: kernel package and Jupyter server extension',
    needs: ['python', 'builds'],
    tests: report => ({
      command: PYTHON,
      args: ['-m', 'pytest', '-q', `--junitxml=${report}`]
    }),
    read: readJunit
  },
  {
    name: 'servers',
    what: 'jest on the relay among real servers and real clients of PostHog',
    needs: ['python', 'builds', 'chromium', 'nats', 'hub'],
    tests: jest('servers', '--runInBand'),
    read: readJest
  },
  {
    name: 'browser',
    what: 'jest on real JupyterLab and Notebook servers, in Chromium',
    needs: ['python', 'builds', 'chromium'],
    tests: jest('browser', '--runInBand'),
    read: readJest
  },
  {
    name: 'packaging',
    what: 'npm package, wheel, rooms, npm start itself',
    needs: ['python', 'builds'],
    tests: jest('packaging', '--runInBand'),
    read: readJest
  }
];

/** Where the suites' output is kept. */
export const RESULTS = join(ROOT, 'test-results');

/** The files of one suite: its whole output, and its report. */
export function filesOf(suite, folder = RESULTS) {
  const kind = suite.read === readJunit ? 'xml' : 'json';
  return {
    log: join(folder, `${suite.name}.log`),
    report: join(folder, `${suite.name}.${kind}`)
  };
}
