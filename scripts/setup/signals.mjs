/** Ctrl-C and its relatives: the first asks to stop, the second ends everything at once. */
import { killEverything } from './run.mjs';

/**
 * npm passes a Ctrl-C on that the terminal has already given us: two at once are one.
 */
const SAME_MS = 700;
const PARENT_CHECK_MS = 2000;

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
    // An npm that was killed passes nothing on; without it nobody could stop us any more.
    if (process.env.npm_lifecycle_event) {
      const parent = process.ppid;
      const timer = setInterval(() => {
        if (process.ppid !== parent) {
          clearInterval(timer);
          ask('npm is gone');
        }
      }, PARENT_CHECK_MS);
      timer.unref();
    }
  });
}
