/** Finds the browser for the tests, or installs one. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { aptInstall, aptLine, canInstall, which } from './apt.mjs';
import { CommandError, SetupError } from './errors.mjs';
import { ROOT } from './paths.mjs';
import { run } from './run.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'chrome'];

/** @returns {Promise<string | undefined>} `Chromium 156.0.1`, nothing if it does not run */
function version(file) {
  return new Promise(resolve => {
    execFile(file, ['--version'], { timeout: 30_000 }, (error, stdout) => {
      const text = /\w+ [\d.]+/.exec(stdout ?? '');
      resolve(error || !text ? undefined : text[0]);
    });
  });
}

/** Where Playwright keeps its own, whether it is there or not. */
async function playwrights() {
  const { chromium } = await import('playwright-core');
  return chromium.executablePath();
}

/**
 * @param {string} [path] folders to look in; default: `PATH`
 * @returns {Promise<{file: string, version: string} | undefined>}
 */
export async function findChromium(path = process.env.PATH ?? '') {
  const files = [
    process.env.CHROMIUM,
    ...NAMES.map(name => which(name, path)),
    await playwrights()
  ];
  for (const file of files) {
    // Ubuntu's `chromium` may be a script that only says how to install a snap.
    const found = file && existsSync(file) ? await version(file) : undefined;
    if (found) {
      return { file, version: found };
    }
  }
  return undefined;
}

/** Tries one way of installing; a failure is kept for the message. */
async function attempt(work, failures) {
  try {
    await work();
    return true;
  } catch (error) {
    if (!(error instanceof CommandError)) {
      throw error;
    }
    const lines = error.output.trim().split('\n');
    const telling = lines.find(line => /\berror\b|unable|fail/i.test(line));
    failures.push(`${error.message}: ${(telling ?? lines.at(-1)).trim()}`);
    return false;
  }
}

/**
 * @param {(text: string) => void} note told what is being done
 * @returns {Promise<{file: string, version: string}>}
 * @throws {SetupError} that says what to install
 */
export async function ensureChromium(note) {
  const present = await findChromium();
  if (present) {
    return present;
  }
  const failures = [];
  if (canInstall()) {
    note(aptLine(['chromium']));
    await attempt(() => aptInstall(['chromium']), failures);
  }
  let found = await findChromium();
  if (!found) {
    const cli = join(ROOT, 'node_modules', 'playwright-core', 'cli.js');
    const root = process.getuid?.() === 0 && which('apt-get') !== undefined;
    note('npx playwright-core install chromium');
    await attempt(
      () =>
        run(process.execPath, [
          cli,
          'install',
          ...(root ? ['--with-deps'] : []),
          'chromium'
        ]),
      failures
    );
    found = await findChromium();
  }
  if (!found) {
    throw new SetupError(
      'The browser tests need Chromium, and it could not be installed.',
      [
        ...failures,
        'Debian: sudo apt-get install -y chromium',
        'Others: npx playwright-core install --with-deps chromium',
        'If it is not on the PATH: CHROMIUM=/path/to/chromium npm test',
        'Without it: npm test -- --suite unit python packaging'
      ].join('\n')
    );
  }
  return found;
}
