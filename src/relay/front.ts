/** The relay's one server: hands each request to the door, to the answers for posthog-js, or to the app. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { RelayConfig } from './config/options.js';
import { isDoor } from './door/door.js';
import { HSTS, pathOf } from './http.js';
import type { Metrics } from './metrics/metrics.js';
import { isPostHogJs } from './posthogjs/answers.js';
import { createPostHogJs, readScripts } from './posthogjs/routes.js';
import { createRelayServer, type TlsFiles } from './server.js';

/** What the server needs. */
export interface FrontOptions {
  config: RelayConfig;
  /** Prefix of all routes: empty, or with a slash before and none behind. */
  prefix: string;
  /** Whether browsers come by https. */
  secure: boolean;
  door: (
    request: IncomingMessage,
    response: ServerResponse,
    path: string
  ) => Promise<void>;
  app: (request: IncomingMessage, response: ServerResponse) => void;
  metrics: Pick<Metrics, 'answered'>;
  /** Connections are closed behind their answers then. */
  isStopping: () => boolean;
  logger: Logger;
}

/** The server; it does not listen yet. */
export async function createFront(
  options: FrontOptions
): ReturnType<typeof createRelayServer> {
  const { config, prefix, secure, door, app, metrics, logger } = options;
  const postHogJs = createPostHogJs(await readScripts(config['posthog-js']));
  return createRelayServer(
    {
      tls: tlsOf(config),
      headerTimeoutMs: config['header-timeout-seconds'] * 1000,
      bodyTimeoutMs: config['body-timeout-seconds'] * 1000,
      onRenewal: error =>
        error
          ? logger.error({ problem: error.message }, 'certificate not renewed')
          : logger.info('certificate renewed')
    },
    (request, response) => {
      if (options.isStopping()) {
        response.setHeader('connection', 'close');
      }
      if (secure) {
        response.setHeader('strict-transport-security', HSTS);
      }
      const path = pathOf(request.url, prefix);
      if (isDoor(path)) {
        void door(request, response, path);
      } else if (isPostHogJs(path)) {
        postHogJs(request, response, path);
      } else {
        response.once('close', () =>
          metrics.answered(path, response.statusCode)
        );
        app(request, response);
      }
    }
  );
}

function tlsOf(config: RelayConfig): TlsFiles | null {
  const { 'tls-cert': cert, 'tls-key': key } = config;
  return cert === null || key === null ? null : { cert, key };
}
