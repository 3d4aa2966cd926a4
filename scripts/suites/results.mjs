/** Reads what test runners report into one shape. */

/**
 * @typedef {object} Counts
 * @property {number} passed
 * @property {number} failed
 * @property {number} skipped
 */

/**
 * @param {string} text what `jest --json` wrote
 * @returns {Counts}
 */
export function readJest(text) {
  const report = JSON.parse(text);
  return {
    passed: report.numPassedTests,
    // A file that cannot even be loaded holds no failed test, but it failed.
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests
  };
}

/**
 * @param {string} xml what `pytest --junitxml` wrote
 * @returns {Counts}
 */
export function readJunit(xml) {
  let passed = 0;
  let failed = 0;
  let skipped = 0;
  for (const [, attributes] of xml.matchAll(/<testsuite\s([^>]*)>/g)) {
    const number = name =>
      Number(new RegExp(`\\b${name}="(\\d+)"`).exec(attributes)?.[1] ?? 0);
    const bad = number('failures') + number('errors');
    failed += bad;
    skipped += number('skipped');
    passed += number('tests') - bad - number('skipped');
  }
  return { passed, failed, skipped };
}

/**
 * What a suite counts for in the end: one that crashed or ran nothing has failed, whatever
 * its report says.
 * @param {Counts | undefined} counts nothing if there is no report
 * @param {string | undefined} problem how its process ended badly
 * @returns {{counts: Counts, problem: string | undefined}}
 */
export function judge(counts, problem) {
  const { passed, failed, skipped } = counts ?? {
    passed: 0,
    failed: 0,
    skipped: 0
  };
  const nothing = passed + failed === 0;
  const why = problem ?? (nothing ? 'it ran no test' : undefined);
  return {
    counts: {
      passed,
      failed: failed === 0 && why !== undefined ? 1 : failed,
      skipped
    },
    problem: failed > 0 && counts ? undefined : why
  };
}

/** @param {Counts} counts @returns {string} `12 passed, 1 failed, 2 skipped` without zeros */
export function countsText({ passed, failed, skipped }) {
  return [
    passed > 0 || failed === 0 ? `${passed} passed` : '',
    failed > 0 ? `${failed} failed` : '',
    skipped > 0 ? `${skipped} skipped` : ''
  ]
    .filter(Boolean)
    .join(', ');
}
