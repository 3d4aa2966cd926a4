/** Runs commands in process groups of their own, so that all they started can be ended with them. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { CommandError, Stopped } from './errors.mjs';

/** Groups started here and not known to be gone. @type {Set<number>} */
const groups = new Set();
let stopping = false;

/**
 * Starts a command as the leader of a new process group.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 * @returns {import('node:child_process').ChildProcess}
 * @throws {Stopped} after `startNothingNew`
 */
export function spawnGroup(command, args, options = {}) {
  if (stopping) {
    throw new Stopped();
  }
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
    detached: true
  });
  if (child.pid !== undefined) {
    groups.add(child.pid);
  }
  return child;
}

/**
 * Whether what `/proc` says about the processes shows a living one in the group.
 * @returns {boolean | undefined} nothing where there is no `/proc`
 */
function groupAliveInProc(pgid) {
  let pids;
  try {
    pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  } catch {
    return undefined;
  }
  return pids.some(pid => {
    try {
      // `pid (command) state parent group …`; the command may hold anything.
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(group) === pgid && state !== 'Z';
    } catch {
      return false;
    }
  });
}

/**
 * Whether any process of the group is left. Ended ones that nobody has asked how do not count:
 * in a container without an init they stay for ever.
 */
export function groupAlive(pgid) {
  try {
    process.kill(-pgid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return groupAliveInProc(pgid) ?? true;
}

function signalGroup(pgid, signal) {
  try {
    process.kill(-pgid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') {
      throw error;
    }
  }
}

/**
 * Ends a process group: asks, waits, then kills.
 * @param {number} pgid
 * @param {number} graceMs how long it may take to end by itself
 * @returns {Promise<boolean>} whether it ended without being killed
 */
export async function stopGroup(pgid, graceMs) {
  signalGroup(pgid, 'SIGTERM');
  const deadline = Date.now() + graceMs;
  while (groupAlive(pgid)) {
    if (Date.now() >= deadline) {
      signalGroup(pgid, 'SIGKILL');
      groups.delete(pgid);
      return false;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  groups.delete(pgid);
  return true;
}

/** From now on nothing new starts, and a command that ends counts as stopped. */
export function startNothingNew() {
  stopping = true;
}

/** Kills at once whatever was started here, and lets nothing new start. */
export function killEverything() {
  startNothingNew();
  for (const pgid of groups) {
    signalGroup(pgid, 'SIGKILL');
  }
  groups.clear();
}

/**
 * Ends whatever was started here and lets nothing new start.
 * @param {number} graceMs how long each may take to end by itself
 */
export async function stopEverything(graceMs) {
  startNothingNew();
  await Promise.all([...groups].map(pgid => stopGroup(pgid, graceMs)));
}

/**
 * Runs a command to its end.
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} [options]
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env] the whole environment; default: ours
 * @param {(chunk: Buffer) => void} [options.onOutput] sees standard output and error as they come
 * @returns {Promise<string>} standard output and error together
 * @throws {CommandError} when it cannot be started, fails or is killed
 * @throws {Stopped} when the user asked to stop
 */
export function run(command, args, { cwd, env, onOutput } = {}) {
  const shown = [command, ...args].join(' ');
  return new Promise((resolve, reject) => {
    const child = spawnGroup(command, args, { cwd, env });
    const chunks = [];
    const keep = chunk => {
      chunks.push(chunk);
      onOutput?.(chunk);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', error =>
      reject(new CommandError(shown, error.code ?? error.message, ''))
    );
    child.once('close', (code, signal) => {
      groups.delete(child.pid);
      const output = Buffer.concat(chunks).toString('utf8');
      if (stopping) {
        reject(new Stopped());
      } else if (code === 0) {
        resolve(output);
      } else {
        const how = signal ? `signal ${signal}` : `exit code ${code}`;
        reject(new CommandError(shown, how, output));
      }
    });
  });
}
