/** What instructors' browsers ask for: the login, the page with its files, and the answers behind the login. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { CourseSummary } from '../../api/index.js';
import type { InsightsSink } from '../../sinks/index.js';
import { mayEnter, requires, type Principal } from '../auth/principal.js';
import { Views, type View } from '../auth/view.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import { addLoginRoutes, type LoginParts } from '../login/loginRoutes.js';
import { NO_PAGE_PAGE, PLAIN_PAGE_CSP } from '../login/pages.js';
import type { Audit } from '../privacy/audit.js';
import type { LiveStreams } from './live.js';
import type { StaticFiles } from './staticFiles.js';

/** What the routes need. */
export interface PageParts extends LoginParts {
  courses: Pick<CourseStore, 'all' | 'course' | 'readerOf' | 'readerById'>;
  insights: InsightsSink;
  streams: LiveStreams;
  page: StaticFiles;
  audit: Pick<Audit, 'saw'>;
}

/** The page's own files and nothing else. */
export const PAGE_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** Adds the routes. */
export function addPageRoutes(app: FastifyInstance, parts: PageParts): void {
  const { courses, insights, streams, page } = parts;

  addLoginRoutes(app, parts);
  const views = new Views();

  /** Who asks, a while after the request came: a key may have been revoked meanwhile. */
  function principalNow(request: FastifyRequest): Principal | undefined {
    try {
      return app.authenticate(request);
    } catch {
      return undefined;
    }
  }

  app.get('/api/v1/courses', { preHandler: requires('display') }, request =>
    courses
      .all()
      .filter(({ id }) => mayEnter(request.principal, id))
      .map(({ id, title }): CourseSummary => ({ course: id, title }))
  );

  const ofCourse = { preHandler: requires('display', courseOf) };

  app.get('/api/v1/snapshot', ofCourse, async request => {
    const id = courseOf(request);
    const snapshot = insights.snapshot(id);
    if (!snapshot) {
      throw new RelayError('unknown_course', { given: JSON.stringify(id) });
    }
    await parts.audit.saw(request.principal.id, id);
    return views.of(request.principal, courses.course(id)!)(snapshot);
  });

  app.get('/api/v1/live', ofCourse, async (request, reply) => {
    const id = courseOf(request);
    if (!courses.course(id)) {
      throw new RelayError('unknown_course', { given: JSON.stringify(id) });
    }
    if (request.method === 'HEAD') {
      return reply.type('text/event-stream').send();
    }
    await parts.audit.saw(request.principal.id, id);
    const headers = reply.getHeaders();
    reply.hijack();
    reply.raw.writeHead(200, {
      ...(headers as Record<string, string>),
      'x-request-id': request.id,
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      // Proxies such as nginx would hold events back.
      'x-accel-buffering': 'no'
    });
    const view = (): View | null => {
      const course = courses.course(id);
      const principal = principalNow(request);
      return course && principal && mayEnter(principal, id)
        ? views.of(principal, course)
        : null;
    };
    if (!streams.stream(reply.raw, insights, id, view)) {
      reply.raw.end();
    }
    return reply;
  });

  app.get('/', (_request, reply) => {
    const index = page.get('index.html');
    return index
      ? sendFile(reply, index, 'no-cache')
      : sendPlainPage(reply, 503, NO_PAGE_PAGE);
  });

  app.get('/*', (request, reply) => {
    const name = (request.params as { '*': string })['*'];
    const file = page.get(name);
    if (!file) {
      throw new RelayError('not_found', {
        path: JSON.stringify(`/${name}`.slice(0, 100))
      });
    }
    // Names below assets/ change with their content.
    return sendFile(
      reply,
      file,
      name.startsWith('assets/')
        ? 'public, max-age=31536000, immutable'
        : 'no-cache'
    );
  });
}

function sendFile(
  reply: FastifyReply,
  file: { type: string; bytes: Buffer },
  caching: string
): FastifyReply {
  return reply
    .headers({
      'content-security-policy': PAGE_CSP,
      'cache-control': caching
    })
    .type(file.type)
    .send(file.bytes);
}

function sendPlainPage(
  reply: FastifyReply,
  status: number,
  html: string
): FastifyReply {
  return reply
    .code(status)
    .header('content-security-policy', PLAIN_PAGE_CSP)
    .type('text/html; charset=utf-8')
    .send(html);
}

function courseOf(request: FastifyRequest): string {
  const { course } = request.query as { course?: unknown };
  return typeof course === 'string' ? course.slice(0, 100) : '';
}
