#!/usr/bin/env node
/**
 * `npm start`: makes what is missing, then runs the relay with the instructors' page and a
 * JupyterLab with the sample notebook until Ctrl-C. Needs no package: none may be installed yet.
 */
import { join } from 'node:path';
import { explain } from './setup/errors.mjs';
import { readOptions, readPort } from './setup/options.mjs';
import { ROOT } from './setup/paths.mjs';
import { choosePort } from './setup/ports.mjs';
import { prepare } from './setup/prepare.mjs';
import { createReport } from './setup/report.mjs';
import { startNothingNew, stopEverything } from './setup/run.mjs';
import { stopRequested } from './setup/signals.mjs';
import {
  claimHome,
  openHome,
  placeSample,
  releaseHome,
  shortPath
} from './start/home.mjs';
import { startLab } from './start/lab.mjs';
import { startRelay } from './start/relay.mjs';

const RELAY_PORT = 7345;
const LAB_PORT = 8888;
/** Time for an installer or a compiler to end when asked to. */
const SETUP_GRACE_MS = 3000;

const HELP = `Runs all of ipynb-telemetry from this checkout, after making what is missing.

  npm start                                      relay, instructors' page, JupyterLab
  npm start -- --no-lab                          relay and page alone
  npm start -- --port 9000 --lab-port 9001       on ports of your choice
  npm start -- --data /tmp/try                   with a folder of its own
  POSTHOG_API_KEY=phc_… npm start -- --posthog-host https://eu.i.posthog.com
                                                 and send on to a PostHog project

Options
  --port N             the relay's and the page's port (default ${RELAY_PORT}, or a free one near it)
  --lab-port N         JupyterLab's port (default ${LAB_PORT}, or a free one near it)
  --no-lab             do not start JupyterLab
  --data DIR           where events, notebooks and logs are kept (default .ipynb-telemetry)
  --posthog-host URL   where the PostHog project lives (default https://us.i.posthog.com)
  --help               show this

Environment
  POSTHOG_API_KEY, POSTHOG_HOST   the PostHog project to send on to; the relay's own names
                                  IPYNB_TELEMETRY_POSTHOG_KEY and …_HOST work too and win
  PYTHON                          the Python to make the environment with
`;

const OPTIONS = {
  port: { type: 'string' },
  'lab-port': { type: 'string' },
  'no-lab': { type: 'boolean' },
  data: { type: 'string' },
  'posthog-host': { type: 'string' },
  help: { type: 'boolean', short: 'h' }
};

const report = createReport();
const services = [];

/** Stops all: the last one started first, so that kernels can still send. */
async function stopAll() {
  startNothingNew();
  for (const service of services.reverse()) {
    if (!(await service.stop())) {
      report.print(`  ${service.name} had to be killed.`);
    }
  }
  await stopEverything(SETUP_GRACE_MS);
}

function printLinks(home, page, lab, relay) {
  const row = (what, link) =>
    report.print(`  ${what.padEnd(20)}${report.bold(link)}`);
  report.print();
  row("Instructors' page", page);
  if (lab) {
    row('JupyterLab', lab.link);
  }
  report.print();
  report.print(
    report.dim(
      `  Events are kept in ${shortPath(home.data)}` +
        (relay.posthog ? ` and go on to ${relay.posthog}.` : '.') +
        ` Logs: ${shortPath(home.logs)}`
    )
  );
  report.print(
    report.dim(
      `  A link for another browser: node lib/cli/main.js link --data ${shortPath(home.data)}`
    )
  );
  report.print(report.dim('  Ctrl-C stops it all.'));
}

/**
 * Prepares, starts and watches.
 * @returns {Promise<never>} fails when a service ends by itself or something is missing
 */
async function start(options, home, ports, notePage) {
  const withLab = !options['no-lab'];
  await prepare(report, { python: withLab });

  const port = await choosePort({ wanted: ports.relay, fallback: RELAY_PORT });
  let page;
  const relay = await report.step('Relay', async () => {
    const posthogHost = options['posthog-host'];
    const started = await startRelay({ home, port, posthogHost });
    services.push(started);
    page = await started.ready();
    return started;
  });
  notePage(relay.host);

  let lab;
  if (withLab) {
    const labPort = await choosePort({
      wanted: ports.lab,
      fallback: LAB_PORT,
      except: [port]
    });
    lab = await report.step('JupyterLab', async () => {
      const notebook = placeSample(home);
      const { host, key } = relay;
      const started = startLab({ home, port: labPort, notebook, host, key });
      services.push(started);
      await started.ready();
      return started;
    });
  }
  printLinks(home, page, lab, relay);
  throw await Promise.race(services.map(service => service.failure()));
}

/** @returns {Promise<number>} the exit code */
async function main() {
  const options = readOptions(process.argv.slice(2), OPTIONS, 'npm start');
  if (options.help) {
    report.print(HELP.trimEnd());
    return 0;
  }
  const ports = {
    relay: readPort(options.port, '--port'),
    lab: readPort(options['lab-port'], '--lab-port')
  };
  const home = openHome(options.data ?? join(ROOT, '.ipynb-telemetry'));
  const notePage = claimHome(home);
  try {
    const reason = await Promise.race([
      stopRequested(),
      start(options, home, ports, notePage)
    ]);
    report.print(`\n  Stopping (${reason}) …`);
    const running = services.length > 0;
    await stopAll();
    report.print('  Stopped.');
    return running ? 0 : 130;
  } catch (error) {
    report.print(`\n${explain(error)}`);
    await stopAll();
    return 1;
  } finally {
    releaseHome(home);
  }
}

main().then(
  code => process.exit(code),
  error => {
    report.print(explain(error));
    process.exit(1);
  }
);
