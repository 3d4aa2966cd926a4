/** A restart under load behind a socket that outlives the process: nobody sees an error, nothing is lost, nothing comes twice. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { request, type ClientRequest, type IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import {
  startPostHogStandIn,
  type PostHogStandIn
} from '../support/posthogStandIn.js';
import { addCourse, makeDataFolder } from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { cellEvent, uuidOf } from '../relay/support/testRelay.js';

const RESTARTS = process.env['LONG'] ? 40 : 2;
const POSTERS = 4;
const here = (path: string): string =>
  fileURLToPath(new URL(path, import.meta.url));

let data: string;
let remove: () => Promise<void>;
let posthog: PostHogStandIn;
let holder: ChildProcess;
let port: number;
let output = '';
const exits: (number | null)[] = [];

beforeEach(async () => {
  ({ data, remove } = await makeDataFolder());
  posthog = await startPostHogStandIn();
  exits.length = 0;
  output = '';
});
afterEach(async () => {
  if (holder.exitCode === null) {
    const gone = once(holder, 'exit');
    holder.kill('SIGTERM');
    await gone;
  }
  await posthog.stop();
  await remove();
});

/** Starts the relay by a supervisor that holds its socket, as systemd does. */
async function startHeld(): Promise<void> {
  holder = spawn(
    here('../../.venv/bin/python'),
    [
      here('support/socketHolder.py'),
      ...[process.execPath, here('../../lib/cli/main.js'), 'relay'],
      ...['--data', data]
    ],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: data,
        IPYNB_TELEMETRY_POSTHOG_HOST: posthog.url,
        IPYNB_TELEMETRY_POSTHOG_KEY: 'phc_test_restart'
      }
    }
  );
  holder.stderr!.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  createInterface({ input: holder.stdout! }).on('line', line => {
    output += `${line}\n`;
    if (line.startsWith('{"port"')) {
      ({ port } = JSON.parse(line) as { port: number });
    } else if (line.startsWith('{"ended"')) {
      exits.push((JSON.parse(line) as { ended: number }).ended);
    }
  });
  await waitFor(
    () => `the relay answers; it wrote: ${output}`,
    () => starts() === 1,
    20_000
  );
}

const starts = (): number => output.split('relay is open').length - 1;

/** Posts once over a connection of its own. */
async function postOnce(body: string): Promise<number> {
  const sent: ClientRequest = request({
    port,
    path: '/batch/',
    method: 'POST',
    agent: false,
    headers: { connection: 'close', 'content-length': Buffer.byteLength(body) }
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode!;
}

it('shows clients without any retry no error, and loses and doubles nothing', async () => {
  const key = await addCourse(data, 'demo');
  await startHeld();
  let next = 0;
  let going = true;
  const failures: string[] = [];
  const bodyOf = (n: number): string =>
    JSON.stringify({ api_key: key, batch: [cellEvent(n)] });

  /** Posts one event after the other; whatever is not 200 is a failure. */
  async function keepPosting(
    post: (body: string) => Promise<number>
  ): Promise<void> {
    while (going) {
      const n = (next += 1);
      try {
        const status = await post(bodyOf(n));
        if (status !== 200) {
          failures.push(`${n}: ${status}`);
        }
      } catch (error) {
        const { message, cause } = error as Error;
        failures.push(`${n}: ${message} ${String(cause)}`);
      }
    }
  }
  const posters = Array.from({ length: POSTERS }, (_, index) =>
    keepPosting(
      index % 2 === 0
        ? async body => {
            const response = await fetch(`http://127.0.0.1:${port}/batch/`, {
              method: 'POST',
              body
            });
            await response.arrayBuffer();
            return response.status;
          }
        : postOnce
    )
  );

  for (let restart = 1; restart <= RESTARTS; restart += 1) {
    const before = next;
    await waitFor('events flow', () => next > before + 50, 20_000);
    holder.kill('SIGHUP');
    await waitFor(
      () => `relay ${restart + 1} is open; it wrote: ${output}`,
      () => starts() === restart + 1,
      30_000
    );
  }
  const before = next;
  await waitFor('events flow again', () => next > before + 50, 20_000);
  going = false;
  await Promise.all(posters);

  expect(failures).toEqual([]);
  expect(exits).toEqual(Array.from({ length: RESTARTS }, () => 0));
  await waitFor(
    () => `PostHog has all: ${posthog.stored().length} of ${next}`,
    () => posthog.stored().length === next,
    20_000
  );
  expect(
    posthog
      .stored()
      .map(({ uuid, copies }) => `${uuid} ${copies}`)
      .sort()
  ).toEqual(
    Array.from({ length: next }, (_, index) => `${uuidOf(index + 1)} 1`)
  );
}, 600_000);

it('waits with a request that comes while no relay is there', async () => {
  const key = await addCourse(data, 'demo');
  await startHeld();
  holder.kill('SIGHUP');
  await waitFor('the first one is gone', () => exits.length === 1);
  const body = JSON.stringify({ api_key: key, batch: [cellEvent(1)] });
  // The next one has not opened its log yet, and does not turn this away as it starts.
  expect(await postOnce(body)).toBe(200);
});
