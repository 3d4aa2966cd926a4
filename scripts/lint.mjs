#!/usr/bin/env node
/** `npm run lint` checks format and style of everything; with `--fix` (`npm run format`) it mends what it can. */
import { spawnSync } from 'node:child_process';
import { CHECKS, FIXES } from './suites/checks.mjs';
import { ROOT } from './setup/paths.mjs';

const commands = process.argv.includes('--fix') ? FIXES : CHECKS;
for (const { name, command, args } of commands) {
  const { status, error } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: 'inherit'
  });
  if (status !== 0) {
    console.error(
      error
        ? `${name}: ${command} cannot be started. \`npm test\` installs it.`
        : `${name} failed.`
    );
    process.exitCode = 1;
  }
}
