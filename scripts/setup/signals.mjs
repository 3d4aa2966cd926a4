/** Ctrl-C and its relatives: the first asks to stop, the second ends everything at once. */
import { readFileSync } from 'node:fs';
import { killEverything } from './run.mjs';

/**
 * npm passes a Ctrl-C on that the terminal has already given us: two at once are one.
 */
const SAME_MS = 700;
const PARENT_CHECK_MS = 500;

/**
 * @returns {Promise<string>} fulfilled with the reason at the first request to stop
 */
export function stopRequested() {
  return new Promise(resolve => {
    let first;
    const ask = reason => {
      if (first === undefined) {
        first = Date.now();
        resolve(reason);
      } else if (Date.now() - first >= SAME_MS) {
        killEverything();
        process.exit(130);
      }
    };
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
      process.on(signal, () => ask(signal));
    }
    // npm gives a signal to the shell that started us, which need not pass it on; and one that
    // was killed gives none. Without npm nobody could stop us any more.
    if (process.env.npm_lifecycle_event) {
      const before = ancestors();
      const timer = setInterval(() => {
        if (ancestors() !== before) {
          clearInterval(timer);
          ask('npm is gone');
        }
      }, PARENT_CHECK_MS);
      timer.unref();
    }
  });
}

/** Our parent and, where there is a `/proc`, its parent: the shell and npm. */
function ancestors() {
  const { ppid } = process;
  try {
    const stat = readFileSync(`/proc/${ppid}/stat`, 'utf8');
    const [, grandparent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return `${ppid} ${grandparent}`;
  } catch {
    return String(ppid);
  }
}
