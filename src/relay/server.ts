/** The server that listens for browsers and clients: plain or with TLS, and with no patience for whoever sends slowly. */
import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createSecureContext } from 'node:tls';

/** Files in PEM; the certificate may be a chain. */
export interface TlsFiles {
  cert: string;
  key: string;
}

/** What the server is made of. */
export interface ServerOptions {
  /** Null for plain HTTP. */
  tls: TlsFiles | null;
  headerTimeoutMs: number;
  bodyTimeoutMs: number;
  /** Told of renewed TLS files: nothing if they are in use from now on, else why they are not. */
  onRenewal: (error?: Error) => void;
  /** Pause between looks at the TLS files, in ms. 1 s by default. */
  recheckMs?: number;
}

/** Pause between looks for connections whose time is over, in ms. */
const SWEEP_MS = 1_000;

/**
 * The server; it does not listen yet. With TLS it takes renewed files over for new connections
 * and lets those that are open be.
 *
 * @throws Error that says what to do if the TLS files cannot be used.
 */
export async function createRelayServer(
  options: ServerOptions,
  listener: RequestListener
): Promise<Server> {
  const { tls, headerTimeoutMs, bodyTimeoutMs } = options;
  const common = {
    // Proxies keep connections for a minute; closing one first would lose a request now and then.
    keepAliveTimeout: 75_000,
    headersTimeout: headerTimeoutMs,
    requestTimeout: headerTimeoutMs + bodyTimeoutMs + 30_000,
    connectionsCheckingInterval: SWEEP_MS
  };
  if (!tls) {
    return createServer(common, listener);
  }
  let mark = markOf(tls);
  const server = createTlsServer({ ...common, ...(await read(tls)) }, listener);
  const timer = setInterval(() => {
    const now = markOf(tls);
    if (now === mark) {
      return;
    }
    mark = now;
    read(tls).then(
      pair => {
        server.setSecureContext(pair);
        options.onRenewal();
      },
      (error: unknown) => options.onRenewal(error as Error)
    );
  }, options.recheckMs ?? 1_000);
  timer.unref();
  server.on('close', () => clearInterval(timer));
  return server;
}

/** Both files, which must belong together. While they are being exchanged, one is new and one old. */
async function read({
  cert,
  key
}: TlsFiles): Promise<{ cert: Buffer; key: Buffer }> {
  try {
    const pair = { cert: await readFile(cert), key: await readFile(key) };
    createSecureContext(pair);
    return pair;
  } catch (error) {
    throw new Error(
      `tls-cert and tls-key: expected a certificate and its key in PEM in ${cert} and ${key}, got something else (${(error as NodeJS.ErrnoException).code ?? (error as Error).message}).`,
      { cause: error }
    );
  }
}

function markOf({ cert, key }: TlsFiles): string {
  return [cert, key]
    .map(file => {
      const found = statSync(file, { throwIfNoEntry: false, bigint: true });
      return found ? `${found.ino} ${found.mtimeNs} ${found.size}` : '';
    })
    .join();
}
