#!/usr/bin/env node
/**
 * `npm test`: makes what is missing, then runs every suite and counts. The last line is
 * `N passed, N failed`.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { explain, SetupError } from './setup/errors.mjs';
import { readOptions } from './setup/options.mjs';
import { prepare } from './setup/prepare.mjs';
import { createReport } from './setup/report.mjs';
import { stopEverything } from './setup/run.mjs';
import { stopRequested } from './setup/signals.mjs';
import { shortPath } from './start/home.mjs';
import { killLeftovers } from './suites/leftovers.mjs';
import { countsText } from './suites/results.mjs';
import { runSuite } from './suites/runSuite.mjs';
import { filesOf, SUITES } from './suites/suites.mjs';

const HELP = `Runs the tests of ipynb-telemetry, after making what is missing.

  npm test                              every suite
  npm test -- --suite unit python       only these
  npm run test:long                     every suite, the long tests in full

Options
  --suite NAME …   ${SUITES.map(suite => `${suite.name.padEnd(12)}${suite.what}`).join('\n                   ')}
  --long           run the long tests in full (sets LONG=1)
  --help           show this

The whole output of each suite is kept in test-results/.
`;
const GRACE_MS = 5000;

const report = createReport();
/** Marks the processes of this run. */
const RUN = randomUUID();
const total = { passed: 0, failed: 0 };

/** `--suite a b` is typed more easily than `--suite a --suite b`; both work. */
function spreadSuites(args) {
  const spread = [];
  let inSuites = false;
  for (const arg of args) {
    if (arg.startsWith('-')) {
      inSuites = arg === '--suite';
      spread.push(arg);
    } else {
      if (inSuites && spread.at(-1) !== '--suite') {
        spread.push('--suite');
      }
      spread.push(arg);
    }
  }
  return spread;
}

/** @throws {SetupError} for a name that no suite has */
function chooseSuites(names) {
  const unknown = names.filter(
    name => !SUITES.some(suite => suite.name === name)
  );
  if (unknown.length > 0) {
    throw new SetupError(
      `There is no suite \`${unknown.join('`, `')}\`.`,
      `There are ${SUITES.map(suite => suite.name).join(', ')}.`
    );
  }
  return names.length > 0
    ? SUITES.filter(suite => names.includes(suite.name))
    : SUITES;
}

/** Runs one suite and shows its line, and all it said if it failed. */
async function runAndShow(suite, options) {
  const began = Date.now();
  const { counts, problem, leftovers } = await report.quietly(suite.name, () =>
    runSuite(suite, options)
  );
  total.passed += counts.passed;
  total.failed += counts.failed;
  const ok = counts.failed === 0;
  report.line(ok, suite.name, countsText(counts), Date.now() - began);
  const { log } = filesOf(suite);
  if (!ok) {
    report.print();
    report.print(readFileSync(log, 'utf8').trimEnd());
    report.print();
    report.print(
      `  ${suite.name}: ${problem ?? 'see above'}. Kept in ${shortPath(log)}`
    );
  }
  for (const command of leftovers) {
    report.print(`  ${suite.name} left this running: ${command}`);
  }
}

async function test(options) {
  const suites = chooseSuites(options.suite ?? []);
  const needs = what => suites.some(suite => suite.needs.includes(what));
  const { chromium, nats } = await prepare(report, {
    python: needs('python'),
    builds: needs('builds'),
    chromium: needs('chromium'),
    nats: needs('nats'),
    hub: needs('hub')
  });
  report.print();
  for (const suite of suites) {
    await runAndShow(suite, {
      run: RUN,
      long: Boolean(options.long),
      chromium,
      nats
    });
  }
}

async function main() {
  const options = readOptions(
    spreadSuites(process.argv.slice(2)),
    {
      suite: { type: 'string', multiple: true },
      long: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' }
    },
    'npm test'
  );
  if (options.help) {
    report.print(HELP.trimEnd());
    return;
  }
  const stop = stopRequested().then(reason => {
    throw new SetupError(`Stopped (${reason}).`);
  });
  try {
    await Promise.race([stop, test(options)]);
  } catch (error) {
    total.failed += 1;
    report.print(`\n${explain(error, Infinity)}`);
    await stopEverything(GRACE_MS);
    killLeftovers(RUN);
  }
  report.print(`\n${total.passed} passed, ${total.failed} failed`);
}

main().then(
  () => process.exit(total.failed > 0 ? 1 : 0),
  error => {
    report.print(explain(error));
    process.exit(1);
  }
);
