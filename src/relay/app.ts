/** The routes beside the door: health, the course for clients, and everything behind the page. */
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest
} from 'fastify';
import type { Admission } from './auth/admission.js';
import { createAuthenticate } from './auth/authenticate.js';
import { addCourseRoute } from './api/courseRoute.js';
import { addPageRoutes, type PageParts } from './api/pageRoutes.js';
import { addReadyRoute, type Readiness } from './api/readyRoute.js';
import {
  addStudentRoutes,
  type StudentRouteParts
} from './api/studentRoutes.js';
import type { CourseStore } from './courses/courseStore.js';
import { RelayError } from './errors.js';
import { addHubLogin } from './hub/loginRoutes.js';
import { pathOf, requestId, STRICT_HEADERS } from './http.js';
import {
  addMetricsRoute,
  type MetricsRouteOptions
} from './metrics/metricsRoute.js';
import { VERSION } from './version.js';

/** What the routes need. */
export interface AppParts extends PageParts, StudentRouteParts {
  courses: CourseStore;
  /** Prefix of all routes: empty, or with a slash before and none behind. */
  prefix: string;
  admission: Admission;
  readiness: () => Readiness;
  /** Left out where nobody may read them. */
  metrics?: MetricsRouteOptions;
  /** Told what is worth a line of the log; nothing personal. */
  onProblem: (message: string) => void;
  onError: (id: string, error: Error) => void;
}

/** The app; it listens to nothing by itself. */
export function createApp(parts: AppParts): FastifyInstance {
  const app = fastify({
    logger: false,
    genReqId: () => requestId(),
    rewriteUrl: request => {
      const url = request.url ?? '/';
      const query = url.indexOf('?');
      return pathOf(url, parts.prefix) + (query < 0 ? '' : url.slice(query));
    },
    bodyLimit: 64 * 1024,
    // An address that cannot be decoded.
    frameworkErrors: (_error, request, reply: FastifyReply) => {
      const error = new RelayError('not_found', { path: 'this address' });
      void reply
        .code(404)
        .headers(commonHeaders(request.id))
        .send(error.body());
    },
    // Closing waits for requests in flight; the relay ends the streams itself.
    forceCloseConnections: false
  });

  app.decorate('authenticate', createAuthenticate(parts));
  app.decorateRequest('principal');
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(commonHeaders(request.id));
    done();
  });

  app.setErrorHandler((error: FastifyError | RelayError, request, reply) => {
    const known =
      error instanceof RelayError ? error : ofFramework(error, request);
    if (known.code === 'internal_error') {
      parts.onError(request.id, error);
    }
    if (known.status === 503) {
      reply.header('retry-after', String(known.retryAfterS));
    }
    return reply.code(known.status).send(known.body());
  });
  app.setNotFoundHandler((request, reply) => {
    const path = JSON.stringify(request.url.split('?')[0]!.slice(0, 100));
    const error = new RelayError('not_found', { path });
    return reply.code(404).send(error.body());
  });

  app.get('/healthz', () => ({ status: 'alive', version: VERSION }));
  addReadyRoute(app, parts.readiness);
  addCourseRoute(app, parts.courses, parts.admission);
  addStudentRoutes(app, parts);
  if (parts.metrics) {
    addMetricsRoute(app, parts.metrics);
  }
  addPageRoutes(app, parts);
  if (parts.hubLogin) {
    addHubLogin(app, { ...parts, login: parts.hubLogin });
  }
  return app;
}

function commonHeaders(id: string): Record<string, string> {
  return {
    ...STRICT_HEADERS,
    'x-request-id': id,
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'cache-control': 'no-store'
  };
}

/** The framework's own refusals (an address it cannot read, a body nobody wants) are the client's doing. */
function ofFramework(error: FastifyError, request: FastifyRequest): RelayError {
  switch (error.statusCode) {
    case 400:
      return new RelayError('not_json', { given: 'something else' });
    case 413:
      return new RelayError('body_too_large', {
        limit: request.routeOptions.bodyLimit,
        given: 'more'
      });
    case 415:
      return new RelayError('unsupported_media_type', {
        expected: 'another Content-Type'
      });
    default:
      return (error.statusCode ?? 500) < 500
        ? new RelayError('not_found', { path: 'this address' })
        : new RelayError('internal_error', { id: request.id });
  }
}
