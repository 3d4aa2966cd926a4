/** Lets only one script at a time install and build in a checkout. */
import {
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync
} from 'node:fs';
import { dirname } from 'node:path';

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** @returns {number} 0: ours now; positive: the process that has it; -1: try again at once */
function take(file) {
  // A link appears with its contents; a file opened for writing would be empty for a moment.
  const own = `${file}.${process.pid}`;
  writeFileSync(own, String(process.pid));
  try {
    linkSync(own, file);
    return 0;
  } catch (error) {
    if (error.code !== 'EEXIST') {
      throw error;
    }
  } finally {
    rmSync(own, { force: true });
  }
  let holder;
  try {
    holder = Number(readFileSync(file, 'utf8'));
  } catch {
    return -1; // Let go in this very moment.
  }
  if (holder > 0 && alive(holder)) {
    return holder;
  }
  rmSync(file, { force: true }); // Its owner was killed.
  return -1;
}

/**
 * Waits for the lock, works, and lets go of it.
 * @template T
 * @param {string} file
 * @param {() => Promise<T>} work
 * @param {(pid: number) => void} [onWait] called once if another process has it
 * @returns {Promise<T>}
 */
export async function withLock(file, work, onWait = () => undefined) {
  mkdirSync(dirname(file), { recursive: true });
  let told = false;
  for (;;) {
    const holder = take(file);
    if (holder === 0) {
      break;
    }
    if (holder > 0 && !told) {
      told = true;
      onWait(holder);
    }
    await new Promise(resolve => setTimeout(resolve, holder > 0 ? 200 : 5));
  }
  // Whoever is told to stop does not wait for the work.
  const letGo = () => rmSync(file, { force: true });
  process.once('exit', letGo);
  try {
    return await work();
  } finally {
    process.off('exit', letGo);
    letGo();
  }
}
