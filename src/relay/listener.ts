/** How the relay begins to listen, and how it stops without cutting a request short. */
import { Server as NetServer, type Server } from 'node:net';
import type { Server as HttpServer } from 'node:http';

/** How long a stop waits for requests in flight, in ms. */
const DRAIN_MS = 10_000;

/**
 * How long a client that keeps its connection may leave between two requests and still have the
 * next one answered by a relay that hands over to a successor, in ms.
 */
const IDLE_GRACE_MS = 2_000;

/** The first descriptor that a supervisor passes on; the next ones would follow it. */
const FIRST_PASSED = 3;

/** Where to listen: an address of the machine, or a socket that somebody else opened. */
export type ListenPlace = { host: string; port: number } | { fd: number };

/**
 * The listening socket that systemd (or whatever speaks its protocol) opened for this process;
 * null where there is none. Connections wait in it while a relay is replaced by the next.
 * Protocol: https://www.freedesktop.org/software/systemd/man/sd_listen_fds.html
 *
 * @throws Error if several were passed.
 */
export function passedSocket(
  env: Readonly<Record<string, string | undefined>>,
  pid: number
): number | null {
  const { LISTEN_PID: forPid, LISTEN_FDS: count } = env;
  // Children inherit the variables, but the sockets are meant for one process.
  if (forPid !== String(pid) || count === undefined || count === '0') {
    return null;
  }
  if (count !== '1') {
    throw new Error(
      `expected one listening socket from the supervisor, got ${count} (LISTEN_FDS). Name one address in the .socket unit.`
    );
  }
  return FIRST_PASSED;
}

/**
 * Listens there.
 *
 * @throws Error that says what to do if it is taken or cannot be used.
 */
export async function listen(
  server: Server,
  place: ListenPlace
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(problemOf(error, place))
    );
    server.listen(place, resolve);
  });
}

function problemOf(error: NodeJS.ErrnoException, place: ListenPlace): Error {
  if ('fd' in place) {
    return new Error(
      `the socket that the supervisor passed on cannot be listened on (${error.code}). The .socket unit needs ListenStream= with an address and a port.`
    );
  }
  const { host, port } = place;
  switch (error.code) {
    case 'EADDRINUSE':
      return new Error(
        `port ${port} of ${host} is taken by another program. Stop it, or choose another one with --port (0 takes a free one).`
      );
    case 'EACCES':
    case 'EADDRNOTAVAIL':
      return new Error(
        `cannot listen on ${host}, port ${port} (${error.code}). Choose another --host or --port.`
      );
    default:
      return error;
  }
}

/**
 * Stops listening and waits for the requests in flight, but not for ever.
 *
 * @param handover whether others listen on the same socket and will go on: then a client that
 *   keeps its connection has a moment for its next request, whose answer sends it to them.
 *   Closing the connection at once could meet that request half-way.
 */
export async function drained(
  server: HttpServer,
  handover: boolean
): Promise<void> {
  if (!server.listening) {
    return;
  }
  await new Promise<void>(resolve => {
    let idle: NodeJS.Timeout | undefined;
    // A connection that a client keeps is idle again once its request is answered.
    const grace = setTimeout(
      () => {
        // Requests that have arrived are read first: their connections are idle no more.
        idle = setInterval(
          () => setImmediate(() => server.closeIdleConnections()),
          20
        );
      },
      handover ? IDLE_GRACE_MS : 0
    );
    const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    // The method of HTTP servers would close idle connections at once.
    NetServer.prototype.close.call(server, () => {
      clearTimeout(grace);
      clearInterval(idle);
      clearTimeout(force);
      resolve();
    });
  });
}

/** The path of the address under which browsers come, without a slash at the end. */
export function prefixOf(url: string): string {
  return new URL(url).pathname.replace(/\/+$/, '');
}

/** Where programs of this machine reach a relay that listens on `host`, without a slash at the end. */
export function localUrl(host: string, port: number, tls: boolean): string {
  return `${tls ? 'https' : 'http'}://${urlHost(host)}:${port}`;
}

/** The host as it is written in an address; one that means all networks is this machine. */
function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') {
    return '127.0.0.1';
  }
  return host.includes(':') ? `[${host}]` : host;
}
