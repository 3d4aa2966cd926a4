/** Makes whatever a fresh checkout is missing; what is there already is left alone. */
import { join } from 'node:path';
import { ensureBuilds, installExtension } from './builds.mjs';
import { ensureChromium } from './chromium.mjs';
import { ensureHub } from './hub.mjs';
import { withLock } from './lock.mjs';
import { ensureNats } from './nats.mjs';
import { checkNode, checkPlatform, ensureNodePackages } from './node.mjs';
import { CACHE } from './paths.mjs';
import { ensurePython, ensurePythonPackages } from './venv.mjs';

/**
 * Waits for all, then fails with the first error, so that nothing is left running behind it.
 * @param {readonly Promise<unknown>[]} lanes
 */
async function allSettled(lanes) {
  const results = await Promise.allSettled(lanes);
  const failed = results.find(result => result.status === 'rejected');
  if (failed) {
    throw failed.reason;
  }
}

/**
 * @param {ReturnType<import('./report.mjs').createReport>} report
 * @param {object} [needs]
 * @param {boolean} [needs.python] the Python environment; default: true
 * @param {boolean} [needs.builds] what is built from the sources; default: true
 * @param {boolean} [needs.chromium] the browser for the tests; default: false
 * @param {boolean} [needs.nats] the server for the tests of several relays; default: false
 * @param {boolean} [needs.hub] JupyterHub, for the tests; default: false
 * @returns {Promise<{chromium?: string, nats?: string}>} where browser and server are
 * @throws {SetupError | CommandError}
 */
export async function prepare(
  report,
  {
    python = true,
    builds = true,
    chromium = false,
    nats = false,
    hub = false
  } = {}
) {
  checkPlatform();
  checkNode();
  report.line(true, 'Node', process.versions.node);
  return withLock(
    join(CACHE, 'setup.lock'),
    async () => {
      let browser;
      let natsServer;
      // Downloads wait for the network and builds for the processor: side by side.
      const nodeLane = async () => {
        await report.step('Node packages', ensureNodePackages);
        if (builds) {
          await report.step('Builds', ensureBuilds);
        }
      };
      const pythonLane = async () => {
        await report.step('Python', ensurePython);
        await report.step('Python packages', ensurePythonPackages);
      };
      await allSettled([nodeLane(), ...(python ? [pythonLane()] : [])]);
      if (python && builds) {
        await report.step('Extension', installExtension);
      }
      if (hub) {
        await report.step('JupyterHub', ensureHub);
      }
      if (chromium) {
        await report.step('Chromium', async note => {
          browser = await ensureChromium(note);
          return browser.version;
        });
      }
      if (nats) {
        await report.step('NATS', async note => {
          natsServer = await ensureNats(note);
          return natsServer.version;
        });
      }
      return { chromium: browser?.file, nats: natsServer?.file };
    },
    pid =>
      report.print(`  Process ${pid} is installing or building here: waiting.`)
  );
}
