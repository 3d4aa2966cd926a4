/** `GET /metrics`, and who may read it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { requires } from '../auth/principal.js';
import { RelayError } from '../errors.js';
import type { Metrics } from './metrics.js';

/** Who may read: nobody; this machine, and whoever has a key or login; or everybody. */
export type MetricsAccess = 'off' | 'local' | 'open';

/** What the route needs. */
export interface MetricsRouteOptions {
  metrics: Metrics;
  access: Exclude<MetricsAccess, 'off'>;
  /** Whether labels name courses: then only those may read who may see every course. */
  byCourse: boolean;
}

/** Adds the route. */
export function addMetricsRoute(
  app: FastifyInstance,
  { metrics, access, byCourse }: MetricsRouteOptions
): void {
  const login = requires('instructor');
  app.get('/metrics', {
    preHandler: async request => {
      if (access === 'open' || isFromThisMachine(request)) {
        return;
      }
      await login(request);
      if (byCourse && request.principal.courses !== 'all') {
        throw new RelayError('forbidden', {
          needed: 'operator',
          role: request.principal.role
        });
      }
    },
    handler: async (_request, reply) =>
      reply.type(metrics.contentType).send(await metrics.text())
  });
}

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/**
 * Whether a program on this machine asks, and asks for itself: a proxy on the same machine says
 * for whom it asks, and a page that had its name point here (DNS rebinding) asks for that name.
 */
export function isFromThisMachine({
  raw
}: Pick<FastifyRequest, 'raw'>): boolean {
  const { headers, socket } = raw;
  return (
    LOOPBACK.test(socket.remoteAddress ?? '') &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    !Object.keys(headers).some(
      name =>
        name === 'forwarded' ||
        name === 'via' ||
        name === 'x-real-ip' ||
        name.startsWith('x-forwarded-')
    )
  );
}
