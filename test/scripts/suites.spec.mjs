/** `npm test` counts right, and nothing that a suite does hides a failure. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findLeftovers } from '../../scripts/suites/leftovers.mjs';
import {
  countsText,
  judge,
  readJest,
  readJunit
} from '../../scripts/suites/results.mjs';
import { runSuite } from '../../scripts/suites/runSuite.mjs';
import { useTempFolders } from './support.mjs';

const tempFolder = useTempFolders();
const counts = (passed, failed, skipped = 0) => ({ passed, failed, skipped });

describe('readJest', () => {
  it('counts a file that cannot be loaded as a failure', () => {
    const text = JSON.stringify({
      numPassedTests: 5,
      numFailedTests: 1,
      numPendingTests: 2,
      numTodoTests: 0,
      numRuntimeErrorTestSuites: 1
    });
    expect(readJest(text)).toEqual(counts(5, 2, 2));
  });
});

describe('readJunit', () => {
  it('counts errors as failures and adds up the suites', () => {
    const xml =
      '<?xml version="1.0"?><testsuites name="pytest tests">' +
      '<testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1.0"/>' +
      '<testsuite name="more" errors="0" failures="0" skipped="0" tests="4"></testsuite>' +
      '</testsuites>';
    expect(readJunit(xml)).toEqual(counts(8, 3, 3));
  });
});

describe('judge', () => {
  it.each([
    ['all passed', counts(3, 0), undefined, counts(3, 0), undefined],
    ['some failed', counts(3, 2), 'exit code 1', counts(3, 2), undefined],
    [
      'crashed after passing',
      counts(3, 0),
      'signal SIGSEGV',
      counts(3, 1),
      'signal SIGSEGV'
    ],
    ['no report', undefined, 'exit code 1', counts(0, 1), 'exit code 1'],
    ['ran nothing', counts(0, 0), undefined, counts(0, 1), 'it ran no test'],
    [
      'skipped all',
      counts(0, 0, 4),
      undefined,
      counts(0, 1, 4),
      'it ran no test'
    ]
  ])('%s', (_, given, ended, expected, problem) => {
    expect(judge(given, ended)).toEqual({ counts: expected, problem });
  });
});

describe('countsText', () => {
  it('leaves out what is zero, but never says nothing', () => {
    expect(countsText(counts(12, 1, 2))).toBe('12 passed, 1 failed, 2 skipped');
    expect(countsText(counts(12, 0))).toBe('12 passed');
    expect(countsText(counts(0, 1))).toBe('1 failed');
    expect(countsText(counts(0, 0))).toBe('0 passed');
  });
});

describe('runSuite', () => {
  const node = code => ({ command: process.execPath, args: ['-e', code] });
  const REPORT = JSON.stringify({
    numPassedTests: 2,
    numFailedTests: 0,
    numPendingTests: 0,
    numTodoTests: 0,
    numRuntimeErrorTestSuites: 0
  });
  const write = report =>
    `require('fs').writeFileSync(${JSON.stringify(report)}, ${JSON.stringify(REPORT)});`;
  const options = folder => ({
    run: randomUUID(),
    long: false,
    folder,
    lingerMs: 100
  });

  it('counts each check as one test and keeps what it said', async () => {
    const folder = tempFolder();
    const suite = {
      name: 'checks',
      checks: [
        { name: 'good', ...node("console.log('fine')") },
        { name: 'bad', ...node("console.error('wrong'); process.exit(3)") }
      ]
    };
    const result = await runSuite(suite, options(folder));
    expect(result.counts).toEqual(counts(1, 1));
    const log = readFileSync(join(folder, 'checks.log'), 'utf8');
    expect(log).toContain('fine');
    expect(log).toContain('wrong');
  });

  it('counts a check that cannot be started as failed', async () => {
    const checks = [{ name: 'x', command: '/nowhere/ruff', args: [] }];
    const result = await runSuite({ name: 'x', checks }, options(tempFolder()));
    expect(result.counts).toEqual(counts(0, 1));
  });

  it('believes the report when the runner agrees', async () => {
    const suite = {
      name: 'good',
      tests: report => node(write(report)),
      read: readJest
    };
    const result = await runSuite(suite, options(tempFolder()));
    expect(result).toEqual({
      counts: counts(2, 0),
      problem: undefined,
      leftovers: []
    });
  });

  it('does not believe a good report of a runner that crashed', async () => {
    const suite = {
      name: 'crash',
      tests: report =>
        node(`${write(report)} process.kill(process.pid, 'SIGKILL')`),
      read: readJest
    };
    const result = await runSuite(suite, options(tempFolder()));
    expect(result.counts).toEqual(counts(2, 1));
    expect(result.problem).toBe('signal SIGKILL');
  });

  it('does not take a report of the run before', async () => {
    const folder = tempFolder();
    const suite = code => ({
      name: 'same',
      tests: report => node(code(report)),
      read: readJest
    });
    await runSuite(suite(write), options(folder));
    const result = await runSuite(
      suite(() => ''),
      options(folder)
    );
    expect(result.counts).toEqual(counts(0, 1));
  });

  it('ends a runner that does not exit after its report', async () => {
    const suite = {
      name: 'linger',
      tests: report => node(`${write(report)} setInterval(() => 0, 1000)`),
      read: readJest
    };
    const result = await runSuite(suite, options(tempFolder()));
    expect(result.counts).toEqual(counts(2, 1));
    expect(result.problem).toContain('something is left open');
  });

  it('tells the tests whether to run in full', async () => {
    const folder = tempFolder();
    const suite = {
      name: 'env',
      checks: [
        { name: 'env', ...node('console.log(`LONG=${process.env.LONG}`)') }
      ]
    };
    await runSuite(suite, { ...options(folder), long: true });
    expect(readFileSync(join(folder, 'env.log'), 'utf8')).toContain('LONG=1');
  });

  // Elsewhere the processes of others cannot be looked into.
  const linux = process.platform === 'linux';
  (linux ? it : () => undefined)(
    'kills and names what went off into a session of its own',
    async () => {
      const marker = 'left-behind-by-a-test';
      const suite = {
        name: 'leftover',
        checks: [
          {
            name: 'daemon',
            ...node(
              `require('child_process').spawn(process.execPath, ['-e', 'setTimeout(() => 0, 60000)', '${marker}'],` +
                " { detached: true, stdio: 'ignore' }).unref()"
            )
          }
        ]
      };
      const given = options(tempFolder());
      const result = await runSuite(suite, given);
      expect(result.counts).toEqual(counts(1, 0));
      expect(result.leftovers).toEqual([expect.stringContaining(marker)]);
      // Killed, but a busy system may take a moment to see to it.
      let left;
      for (let look = 0; look < 100; look += 1) {
        left = findLeftovers(given.run).filter(each => each.command);
        if (left.length === 0) {
          break;
        }
        await sleep(50);
      }
      expect(left).toEqual([]);
    }
  );
});
