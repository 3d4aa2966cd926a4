/** Finds a port that a server can listen on. */
import { createServer } from 'node:net';
import { SetupError } from './errors.mjs';

const NEIGHBOURS = 20;

/** Binds and lets go. @returns {Promise<number>} the port, or 0 if it is taken */
function tryPort(port, host) {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', error =>
      error.code === 'EADDRINUSE' || error.code === 'EACCES'
        ? resolve(0)
        : reject(error)
    );
    server.listen({ port, host, exclusive: true }, () => {
      const { port: got } = server.address();
      server.close(() => resolve(got));
    });
  });
}

/**
 * @param {object} options
 * @param {number} [options.wanted] asked for by the user: this one or an error; 0 means any
 * @param {number} options.fallback taken if free, else one of its neighbours, else any
 * @param {string} [options.host] default: 127.0.0.1
 * @param {readonly number[]} [options.except] ports promised to somebody else
 * @returns {Promise<number>}
 * @throws {SetupError} when the wanted port is taken
 */
export async function choosePort({
  wanted,
  fallback,
  host = '127.0.0.1',
  except = []
}) {
  if (wanted !== undefined) {
    const port = await tryPort(wanted, host);
    if (port === 0) {
      throw new SetupError(
        `Port ${wanted} is taken.`,
        'Give another one, or none to have a free one chosen.'
      );
    }
    return port;
  }
  for (let port = fallback; port < fallback + NEIGHBOURS; port += 1) {
    if (!except.includes(port) && (await tryPort(port, host)) !== 0) {
      return port;
    }
  }
  return tryPort(0, host);
}
