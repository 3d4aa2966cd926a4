/** How the relay begins to listen, and how it stops without cutting a request short. */
import type { Server } from 'node:http';

/** How long a stop waits for requests in flight, in ms. */
const DRAIN_MS = 10_000;

/**
 * Listens on the address.
 *
 * @throws Error that says what to do if it is taken or cannot be used.
 */
export async function listen(
  server: Server,
  host: string,
  port: number
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(
              `port ${port} of ${host} is taken by another program. Stop it, or choose another one with --port (0 takes a free one).`
            )
          : error.code === 'EACCES' || error.code === 'EADDRNOTAVAIL'
            ? new Error(
                `cannot listen on ${host}, port ${port} (${error.code}). Choose another --host or --port.`
              )
            : error
      );
    });
    server.listen({ host, port }, resolve);
  });
}

/** Stops listening and waits for the requests in flight, but not for ever. */
export async function drained(server: Server): Promise<void> {
  if (!server.listening) {
    return;
  }
  await new Promise<void>(resolve => {
    // A connection that a client keeps is idle again once its request is answered.
    const idle = setInterval(() => server.closeIdleConnections(), 20);
    const force = setTimeout(() => server.closeAllConnections(), DRAIN_MS);
    server.close(() => {
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

/** The host as it is written in an address; one that means all networks is this machine. */
export function urlHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') {
    return '127.0.0.1';
  }
  return host.includes(':') ? `[${host}]` : host;
}
