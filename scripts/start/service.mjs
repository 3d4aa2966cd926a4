/** A long-running process: its log, its last words, and when it is ready. */
import { createWriteStream, existsSync, renameSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { PassThrough } from 'node:stream';
import { groupAlive, spawnGroup, stopGroup } from '../setup/run.mjs';

const LAST_LINES = 20;
const POLL_MS = 100;
const LAST_WORDS_MS = 500;

/** A service ended that should go on, or did not become ready. */
export class ServiceError extends Error {
  /**
   * @param {string} message
   * @param {readonly string[]} lines what it said last
   * @param {string} logFile
   */
  constructor(message, lines, logFile) {
    const said = lines.map(line => `\n  ${line}`).join('');
    super(
      said
        ? `${message} It said last:${said}\nAll of it: ${logFile}`
        : `${message} It said nothing.`
    );
    this.name = 'ServiceError';
    this.explained = true;
  }
}

/**
 * Hides what would let a reader of a log in.
 * @param {string} line
 * @returns {string}
 */
export function maskSecrets(line) {
  return line
    .replace(/(token=)[^\s&"')\]]+/gi, '$1…')
    .replace(/\b(nb[tiad]_\w{3})\w+/g, '$1…');
}

/**
 * Starts a service. Its output goes to the log, without secrets.
 * @param {object} options
 * @param {string} options.name for messages
 * @param {string} options.command
 * @param {readonly string[]} options.args
 * @param {string} options.cwd
 * @param {NodeJS.ProcessEnv} options.env
 * @param {string} options.logFile made anew; the last one is kept beside it
 * @param {number} options.graceMs how long it may take to stop
 */
export function startService({
  name,
  command,
  args,
  cwd,
  env,
  logFile,
  graceMs
}) {
  if (existsSync(logFile)) {
    renameSync(logFile, logFile.replace(/\.log$/, '.previous.log'));
  }
  const log = createWriteStream(logFile, { mode: 0o600 });
  // A full disk must not end the lesson.
  log.on('error', () => undefined);
  const child = spawnGroup(command, args, { cwd, env });
  const seen = [];
  const listeners = new Set();
  const output = new PassThrough();
  child.stdout.pipe(output, { end: false });
  child.stderr.pipe(output, { end: false });
  createInterface({ input: output }).on('line', line => {
    const masked = maskSecrets(line);
    log.write(`${masked}\n`);
    seen.push(masked);
    seen.splice(0, seen.length - LAST_LINES);
    listeners.forEach(listener => listener(line));
  });

  let asked = false;
  /** @type {Promise<string>} how it ended; never fails */
  const ended = new Promise(resolve => {
    const finish = how => {
      output.end();
      // The last lines are on their way through the stream.
      setImmediate(() => log.end(() => resolve(how)));
    };
    child.once('error', error => finish(`cannot be started: ${error.code}`));
    child.once('exit', (code, signal) => {
      const how = signal ? `signal ${signal}` : `exit code ${code}`;
      // What it started may hold its output open; its last words come soon or never.
      const timer = setTimeout(() => finish(how), LAST_WORDS_MS);
      child.once('close', () => {
        clearTimeout(timer);
        finish(how);
      });
    });
  });

  return {
    name,
    logFile,
    ended,

    /** Calls back with every line as it was said, secrets included. */
    onLine: listener => listeners.add(listener),

    /** @returns {Promise<ServiceError>} the error to report when it ends without being asked */
    failure: () =>
      new Promise(resolve => {
        void ended.then(how => {
          if (!asked) {
            resolve(
              new ServiceError(`${name} stopped (${how}).`, seen, logFile)
            );
          }
        });
      }),

    /**
     * Waits until `ready` says so.
     * @param {() => Promise<boolean>} ready may throw while it is not
     * @param {number} timeoutMs
     * @throws {ServiceError} when it ends first or takes too long
     */
    async waitUntil(ready, timeoutMs) {
      let over;
      void ended.then(how => {
        over = how;
      });
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        if (over !== undefined) {
          throw new ServiceError(`${name} stopped (${over}).`, seen, logFile);
        }
        if (await ready().catch(() => false)) {
          return;
        }
        if (Date.now() > deadline) {
          throw new ServiceError(
            `${name} is not ready after ${timeoutMs / 1000} s.`,
            seen,
            logFile
          );
        }
        await new Promise(resolve => setTimeout(resolve, POLL_MS));
      }
    },

    /** Stops it and all it started. @returns {Promise<boolean>} whether it went by itself */
    async stop() {
      asked = true;
      if (child.pid === undefined || !groupAlive(child.pid)) {
        return true;
      }
      const clean = await stopGroup(child.pid, graceMs);
      await ended;
      return clean;
    }
  };
}
