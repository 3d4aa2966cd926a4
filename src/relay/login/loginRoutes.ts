/** `/login`: by a link that works once, or by a key that is typed into a form. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { currentPrincipal, principalOfKey } from '../auth/authenticate.js';
import type { Principal } from '../auth/principal.js';
import { isOwnPage } from '../auth/sameSite.js';
import type { LoginLimit } from '../auth/limits.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import type { HubLogin } from '../hub/loginRoutes.js';
import { useLinkToken } from './links.js';
import { loginPage, PLAIN_PAGE_CSP, type LoginProblem } from './pages.js';
import {
  linkPrincipal,
  sessionCookie,
  sessionOf,
  type Sessions
} from './sessions.js';

/** What the routes need. */
export interface LoginParts {
  courses: Pick<CourseStore, 'readerOf' | 'readerById'>;
  sessions: Sessions;
  /** File of the links' tokens. */
  links: string;
  /** Prefix of all routes with slashes at both ends. */
  root: string;
  /** Address under which browsers come, where it was configured. */
  publicUrl: string | null;
  /** Whether browsers come by https. */
  secure: boolean;
  /** How people log in by the Hub; null where they do not. */
  hubLogin: HubLogin | null;
  ofHub?: (principal: Principal) => Principal | undefined;
  /** Counts logins that failed. */
  failedLogins: LoginLimit;
}

/** Adds the routes. */
export function addLoginRoutes(app: FastifyInstance, parts: LoginParts): void {
  const { courses, sessions, failedLogins } = parts;
  const byHub = parts.hubLogin !== null;
  app.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string' },
    (_request, body, done) => done(null, new URLSearchParams(String(body)))
  );

  /** A session is always a new one: what the browser brought along is ended, never taken over. */
  async function logIn(
    request: FastifyRequest,
    reply: FastifyReply,
    principal: Principal
  ): Promise<FastifyReply> {
    await sessions.close(sessionOf(request.headers.cookie));
    const value = await sessions.open(principal);
    return reply
      .header('set-cookie', sessionCookie(value, parts.root, parts.secure))
      .redirect(parts.root, 303);
  }

  app.get('/login', async (request, reply) => {
    if (request.method === 'HEAD') {
      // Programs look at links before people open them.
      return reply.code(200).send();
    }
    if (/prefetch|preview/.test(purposeOf(request))) {
      return reply.code(503).send();
    }
    const { token } = request.query as { token?: unknown };
    if (token === undefined) {
      return isLoggedIn(request)
        ? reply.redirect(parts.root, 303)
        : send(reply, byHub, 200);
    }
    if (await isOverLimit(request, reply)) {
      return send(reply, byHub, 503, 'rate_limited');
    }
    if (
      typeof token === 'string' &&
      token !== '' &&
      (await useLinkToken(parts.links, token))
    ) {
      return logIn(request, reply, linkPrincipal());
    }
    if (isLoggedIn(request)) {
      return reply.redirect(parts.root, 303);
    }
    await failedLogins.failed(request.raw);
    return send(reply, byHub, 403, 'used_link');
  });

  app.post('/login', { bodyLimit: 4096 }, async (request, reply) => {
    if (!isOwnPage(request.headers, parts.publicUrl)) {
      return send(reply, byHub, 403, 'cross_site');
    }
    if (await isOverLimit(request, reply)) {
      return send(reply, byHub, 503, 'rate_limited');
    }
    const form = request.body instanceof URLSearchParams ? request.body : null;
    const holder = courses.readerOf(form?.get('key')?.trim() ?? '');
    if (holder.kind !== 'known') {
      await failedLogins.failed(request.raw);
      return send(reply, byHub, 403, `${holder.kind}_key`);
    }
    return logIn(request, reply, principalOfKey(holder.key));
  });

  const isLoggedIn = (request: FastifyRequest): boolean =>
    currentPrincipal(parts, sessionOf(request.headers.cookie)) !== undefined;

  async function isOverLimit(
    request: FastifyRequest,
    reply: FastifyReply
  ): Promise<boolean> {
    try {
      await failedLogins.check(request.raw);
      return false;
    } catch (error) {
      if (error instanceof RelayError && error.code === 'rate_limited') {
        reply.header('retry-after', String(error.retryAfterS));
        return true;
      }
      throw error;
    }
  }
}

function send(
  reply: FastifyReply,
  byHub: boolean,
  status: number,
  problem?: LoginProblem
): FastifyReply {
  return reply
    .code(status)
    .headers({
      'content-security-policy': PLAIN_PAGE_CSP,
      // With no referrer at all, browsers would send the form without its origin.
      'referrer-policy': 'same-origin'
    })
    .type('text/html; charset=utf-8')
    .send(loginPage(problem, byHub));
}

/** Why a browser asks, where it is not because somebody opened the page. */
function purposeOf(request: FastifyRequest): string {
  return [
    request.headers['sec-purpose'],
    request.headers['purpose'],
    request.headers['x-moz'],
    request.headers['x-purpose']
  ]
    .join(' ')
    .toLowerCase();
}
