/** `GET /metrics`, and who may read it. */
import type { FastifyInstance } from 'fastify';
import { requires } from '../auth/principal.js';
import { isFromThisMachine } from '../auth/thisMachine.js';
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
