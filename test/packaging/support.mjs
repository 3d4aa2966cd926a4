/** What the packaging tests share: the checkout, a temporary folder, commands run to their end. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(
  /\/$/,
  ''
);
export const PYTHON = join(ROOT, '.venv', 'bin', 'python');

/** Our environment without what `npm test` and jest add to it: that of a stranger's terminal. */
export function plainEnvironment(more = {}) {
  const plain = Object.entries(process.env).filter(
    ([name]) =>
      !/^(npm_|NODE_OPTIONS$|NODE_ENV$|INIT_CWD$|JEST_|FORCE_COLOR$|(IPYNB_)?TELEMETRY_|POSTHOG_|PYTHON|JUPYTER)/.test(
        name
      )
  );
  return { ...Object.fromEntries(plain), ...more };
}

/**
 * Runs a command to its end.
 * @returns {Promise<{code: number, stdout: string, stderr: string}>}
 */
export function call(command, args, options = {}) {
  return new Promise(resolve => {
    execFile(
      command,
      args,
      {
        cwd: ROOT,
        env: plainEnvironment(),
        maxBuffer: 64 * 1024 * 1024,
        ...options
      },
      (error, stdout, stderr) =>
        resolve({ code: error ? (error.code ?? -1) : 0, stdout, stderr })
    );
  });
}

/** Runs a command that must succeed. @returns {Promise<string>} its standard output */
export async function mustCall(command, args, options) {
  const { code, stdout, stderr } = await call(command, args, options);
  if (code !== 0) {
    throw new Error(
      `${[command, ...args].join(' ')}: exit code ${code}\n${stdout}\n${stderr}`
    );
  }
  return stdout;
}

/** A folder for all tests of a file, removed after them. @returns {() => string} */
export function useFolder() {
  let folder;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'ipynb-telemetry-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return () => folder;
}
