/**
 * Finds processes that a suite left behind, even those that made themselves groups or sessions
 * of their own: all inherit a mark in their environment. Linux only; elsewhere it finds none.
 */
import { readdirSync, readFileSync } from 'node:fs';

const MARK = 'TEST_SUITE_RUN_ID';

/** @param {string} id unique to this run @returns {NodeJS.ProcessEnv} */
export function markedEnvironment(id) {
  return { [MARK]: id };
}

function readProc(pid, name) {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8');
  } catch {
    return ''; // Gone, or another user's.
  }
}

/**
 * @param {string} id
 * @returns {{pid: number, command: string}[]}
 */
export function findLeftovers(id) {
  let pids = [];
  try {
    pids = readdirSync('/proc').filter(name => /^\d+$/.test(name));
  } catch {
    // No such file system here.
  }
  return pids
    .filter(pid => Number(pid) !== process.pid)
    .filter(pid =>
      readProc(pid, 'environ').split('\0').includes(`${MARK}=${id}`)
    )
    .map(pid => ({
      pid: Number(pid),
      command: readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
    }));
}

/**
 * Kills them.
 * @param {string} id
 * @returns {string[]} their commands
 */
export function killLeftovers(id) {
  const found = findLeftovers(id);
  for (const { pid } of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It went by itself.
    }
  }
  return found.map(({ command }) => command).filter(Boolean);
}
