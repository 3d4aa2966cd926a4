/** Test cells without the kernel package: which tests a cell holds, and what a run's outcome says of them. */
import type { TestStatus } from '../events/types.js';
import type { RequestedCell } from './facts.js';
import type { RunOutcome } from './runs.js';

/** A test that a cell is marked to hold. */
export interface MarkedTest {
  name: string;
  /** The decorated function; null where the whole cell is the test. */
  called: string | null;
}

const TAG = 'test:';
const LONGEST_NAME = 200;
const DECORATOR =
  /^[ \t]*@tracked_test\(\s*(?:name\s*=\s*)?(['"])((?:(?!\1)[^\\\n])+)\1/gm;
const FUNCTION = /^[ \t]*(?:async[ \t]+)?def[ \t]+(\w+)/m;

/**
 * The tests of a cell: by its metadata and tags, else by decorators, where `decorators` is
 * set. A decorated function that the cell only defines and never calls is no test of this run.
 *
 * @param named what a bare `test: true` in the metadata is called.
 */
export function testsOf(
  { code, tags, test }: RequestedCell,
  named: string | null,
  decorators: boolean
): MarkedTest[] {
  const names = tags
    .filter(tag => tag.startsWith(TAG))
    .map(tag => tag.slice(TAG.length));
  names.push((test === true ? named : test) ?? '');
  const marked = new Set(
    names.map(name => name.trim().slice(0, LONGEST_NAME)).filter(Boolean)
  );
  if (marked.size > 0) {
    return [...marked].map(name => ({ name, called: null }));
  }
  return decorators && code.includes('@tracked_test')
    ? [...decorated(code)]
    : [];
}

function* decorated(code: string): Iterable<MarkedTest> {
  for (const match of code.matchAll(DECORATOR)) {
    const name = (match[2] ?? '').trim().slice(0, LONGEST_NAME);
    const rest = code.slice(match.index + match[0].length);
    const called = FUNCTION.exec(rest)?.[1];
    if (name && called && timesNamed(code, called) > 1) {
      yield { name, called };
    }
  }
}

function timesNamed(code: string, word: string): number {
  return code.match(new RegExp(`\\b${word}\\b`, 'g'))?.length ?? 0;
}

/**
 * What the run says of each test; a test of which it says nothing is left out. Of several
 * tests in a run that failed, only those that the traceback names are known to have failed.
 *
 * @param traceback texts of the error's frames, as the kernel gives them.
 */
export function judge(
  tests: readonly MarkedTest[],
  outcome: RunOutcome,
  traceback: readonly string[]
): { name: string; status: TestStatus }[] {
  const status = statusOf(outcome);
  if (status === null) {
    return [];
  }
  const known =
    tests.length < 2 || status === 'passed'
      ? tests
      : tests.filter(
          ({ called }) => called === null || namesFrame(traceback, called)
        );
  return known.map(({ name }) => ({ name, status }));
}

function namesFrame(traceback: readonly string[], called: string): boolean {
  const frame = new RegExp(`\\bin (?:\\x1b\\[[\\d;]*m)*${called}\\b`);
  return traceback.some(text => frame.test(text));
}

const BY_ERROR: Record<string, TestStatus> = {
  AssertionError: 'failed',
  TimeoutError: 'timeout',
  SkipTest: 'skipped',
  Skipped: 'skipped',
  KeyboardInterrupt: 'interrupted',
  CancelledError: 'interrupted'
};

function statusOf(outcome: RunOutcome): TestStatus | null {
  switch (outcome.status) {
    case 'ok':
      return 'passed';
    case 'error':
      return BY_ERROR[(outcome.err ?? '').split(':')[0] ?? ''] ?? 'error';
    case 'interrupted':
      return 'interrupted';
    default:
      return null; // Never ran, or nobody knows how it ended.
  }
}

/** Whether a result so ended counts as an attempt of the student's. */
export function isAttempt(status: TestStatus): boolean {
  return status !== 'skipped' && status !== 'interrupted';
}
