/** Runs one suite to its end, whatever it does, and leaves nothing of it behind. */
import {
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync
} from 'node:fs';
import { ROOT } from '../setup/paths.mjs';
import { spawnGroup, stopGroup } from '../setup/run.mjs';
import { killLeftovers, markedEnvironment } from './leftovers.mjs';
import { judge } from './results.mjs';
import { filesOf, RESULTS } from './suites.mjs';

const LIMIT_MS = 30 * 60_000;
const LONG_LIMIT_MS = 6 * LIMIT_MS;
/** A runner that has written its report should be gone soon after. */
const LINGER_MS = 30_000;
const GRACE_MS = 5000;

/**
 * Runs a command in the suite's environment.
 * @returns {Promise<string | undefined>} how it ended badly, if it did
 */
function execute({ command, args }, { env, log, done, limitMs, lingerMs }) {
  return new Promise(resolve => {
    const child = spawnGroup(command, args, { cwd: ROOT, env });
    let verdict;
    let doneSince;
    const end = problem => {
      verdict ??= problem;
      void stopGroup(child.pid, GRACE_MS);
    };
    const began = Date.now();
    const timer = setInterval(() => {
      if (Date.now() - began > limitMs) {
        end(`it was not over after ${limitMs / 60_000} minutes`);
      } else if (done()) {
        doneSince ??= Date.now();
        if (Date.now() - doneSince > lingerMs) {
          end('it did not exit after its last test: something is left open');
        }
      }
    }, 500);
    child.stdout.on('data', chunk => log.write(chunk));
    child.stderr.on('data', chunk => log.write(chunk));
    child.once('error', error => {
      clearInterval(timer);
      resolve(`${command} cannot be started (${error.code})`);
    });
    // Not `close`: a process left behind could keep the pipes open for ever.
    child.once('exit', (code, signal) => {
      clearInterval(timer);
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      const problem = code === 0 ? verdict : (verdict ?? how);
      void stopGroup(child.pid, GRACE_MS).then(() => resolve(problem));
    });
  });
}

/**
 * @param {import('./suites.mjs').Suite} suite
 * @param {object} options
 * @param {string} options.run marks all that the suite starts, so that nothing is left behind
 * @param {boolean} options.long run the long tests in full
 * @param {string} [options.chromium] where the browser is
 * @param {string} [options.nats] where nats-server is
 * @param {string} [options.folder] where output and report go
 * @param {number} [options.lingerMs] how long a runner may stay after its report
 * @returns {Promise<{counts: import('./results.mjs').Counts, problem?: string, leftovers: string[]}>}
 */
export async function runSuite(
  suite,
  { run, long, chromium, nats, folder = RESULTS, lingerMs = LINGER_MS }
) {
  const files = filesOf(suite, folder);
  mkdirSync(folder, { recursive: true });
  rmSync(files.report, { force: true });
  const log = createWriteStream(files.log);
  const env = {
    ...process.env,
    ...markedEnvironment(run),
    NODE_OPTIONS: [
      process.env.NODE_OPTIONS,
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning'
    ]
      .filter(Boolean)
      .join(' '),
    NO_COLOR: '1',
    ...(long ? { LONG: '1' } : {}),
    ...(chromium ? { CHROMIUM: chromium } : {}),
    ...(nats ? { NATS_SERVER: nats } : {})
  };
  delete env.FORCE_COLOR;
  const limitMs = long ? LONG_LIMIT_MS : LIMIT_MS;
  let result;
  if (suite.checks) {
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const check of suite.checks) {
      log.write(`$ ${[check.command, ...check.args].join(' ')}\n`);
      const problem = await execute(check, {
        env,
        log,
        done: () => false,
        limitMs,
        lingerMs
      });
      counts[problem === undefined ? 'passed' : 'failed'] += 1;
    }
    result = judge(counts, undefined);
  } else {
    const problem = await execute(suite.tests(files.report), {
      env,
      log,
      done: () => existsSync(files.report),
      limitMs,
      lingerMs
    });
    let counts;
    try {
      counts = suite.read(readFileSync(files.report, 'utf8'));
    } catch {
      // No report, or half of one: `judge` makes a failure of it.
    }
    result = judge(counts, problem);
  }
  const leftovers = killLeftovers(run);
  await new Promise(resolve => {
    log.end(resolve);
  });
  return { ...result, leftovers };
}
