/** Looks at the relay itself: whether it runs, how its sinks do, and whether it could listen. */
import { createServer } from 'node:net';
import type { SinkStatus } from '../../api/index.js';
import type { Readiness } from '../api/readyRoute.js';
import { VERSION } from '../version.js';
import { about, type Finding } from './findings.js';

const relay = about('relay');

/** Oldest Node that the relay is made for. */
const NODE = [20, 20] as const;

/** Judges the running relay by what it says of itself. */
export function judgeReadiness({
  status,
  version,
  log,
  sinks
}: Readiness): Finding[] {
  return [
    status === 'ready'
      ? relay.ok(`version ${version} runs and takes events`)
      : status === 'unavailable'
        ? relay.problem(
            `it runs but cannot make events durable: ${log?.problem ?? 'unknown'}`,
            'See what is said of the disk; it takes events again by itself.'
          )
        : relay.warn(`it is ${status}`, 'Ask again in a moment.'),
    ...(version === VERSION
      ? []
      : [
          relay.warn(
            `it runs version ${version}, and this command is ${VERSION}`,
            'Restart it to run the installed version.'
          )
        ]),
    ...sinks.map(judgeSink)
  ];
}

function judgeSink({ name, state, lag, lastError }: SinkStatus): Finding {
  const sink = about(name);
  const behind =
    lag === 0
      ? 'has everything'
      : `is ${lag} ${lag === 1 ? 'request' : 'requests'} behind`;
  const why = lastError === null ? '' : `: ${lastError}`;
  switch (state) {
    case 'running':
      return sink.ok(behind);
    case 'retrying':
      return sink.warn(
        `${behind} and tries again${why}`,
        'Nothing to do if its destination is only down; events wait in the log.'
      );
    case 'stopped':
      return sink.problem(
        `${behind} and is stopped${why}`,
        'Put right what the destination objects to; the events wait in the log.'
      );
  }
}

/** Whether a relay could listen on the address. */
export async function checkPort(host: string, port: number): Promise<Finding> {
  const listening = about('port');
  const code = await new Promise<string | undefined>(resolve => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      resolve(error.code ?? error.message)
    );
    server.listen({ host, port }, () => server.close(() => resolve(undefined)));
  });
  switch (code) {
    case undefined:
      return listening.ok(
        `no relay runs here, and port ${port} is free for one`
      );
    case 'EADDRINUSE':
      return listening.problem(
        `no relay runs on this data folder, but port ${port} of ${host} is taken`,
        'Stop the program that has it (ss -ltnp), or choose another --port.'
      );
    default:
      return listening.problem(
        `${host}, port ${port} cannot be listened on (${code})`,
        'Choose another --host or --port.'
      );
  }
}

/** Judges the Node that runs this. @param version as `20.20.1`. */
export function judgeNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const enough = major > NODE[0] || (major === NODE[0] && minor >= NODE[1]);
  return enough
    ? about('Node').ok(version)
    : about('Node').problem(
        `${version} is too old`,
        `Install Node ${NODE.join('.')} or later.`
      );
}
