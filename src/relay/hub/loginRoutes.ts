/** Log-in of instructors by the Hub: OAuth 2's authorization code flow (RFC 6749, 4.1), as JupyterHub has it. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Admission } from '../auth/admission.js';
import type { LoginLimit } from '../auth/limits.js';
import type { Principal } from '../auth/principal.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import {
  FAILED_LOGIN_PAGE,
  HUB_AWAY_PAGE,
  NO_ACCESS_PAGE,
  noGroupPage,
  PLAIN_PAGE_CSP,
  TOO_MANY_PAGE
} from '../login/pages.js';
import { sessionCookie, sessionOf, type Sessions } from '../login/sessions.js';
import { cookieOf } from '../login/cookies.js';
import { HubUnavailableError, type HubApi, type HubUser } from './hubApi.js';
import { LOGIN_MS, PendingLogins } from './pendingLogins.js';
import { groupsNeeded, hubPrincipal } from './roles.js';

/** How people log in by the Hub. */
export interface HubLogin {
  api: HubApi;
  /** Address under which browsers reach the Hub; a path where it is the relay's own host. */
  hubUrl: string;
  clientId: string;
  /** As the Hub knows it: a path for a service that it starts. */
  redirectUri: string;
  /** The relay's name among the Hub's services. */
  service: string;
  /** Whether the Hub's administrators are operators here. */
  adminsOperate: boolean;
}

/** What the routes need beside that. */
export interface HubLoginParts {
  login: HubLogin;
  courses: Pick<CourseStore, 'all'>;
  sessions: Pick<Sessions, 'open' | 'close'>;
  /** Prefix of all routes with slashes at both ends. */
  root: string;
  secure: boolean;
  onProblem: (message: string) => void;
  admission: Pick<Admission, 'enter'>;
  /** Counts log-ins that failed. */
  failedLogins: LoginLimit;
}

/** The cookie that binds a log-in to its browser. */
const COOKIE = 'ipynb_telemetry_hub';
/** How long who came by the Hub stays logged in, in ms: what a group lets them do is asked then again. */
export const HUB_SESSION_MS = 12 * 3_600_000;

/**
 * What somebody who came by the Hub may do now: a course that takes its group away takes effect at
 * once; undefined where nothing is left.
 */
export function principalNow(
  { adminsOperate }: Pick<HubLogin, 'adminsOperate'>,
  courses: Pick<CourseStore, 'all'>
): (principal: Principal) => Principal | undefined {
  return ({ id, hub }) => {
    const { groups, admin } = hub ?? { groups: [], admin: false };
    const user = { name: id.slice('hub:'.length), groups, admin };
    const rules = { courses: courses.all(), adminsOperate };
    return hubPrincipal(user, rules) ?? undefined;
  };
}

/** Adds `GET /login/hub` and `GET /oauth_callback`. */
export function addHubLogin(app: FastifyInstance, parts: HubLoginParts): void {
  const { login, courses, sessions, root, secure, failedLogins } = parts;
  const pending = new PendingLogins();

  const cookie = (value: string, seconds: number): string =>
    // Lax: the Hub may be another site, and its redirect has to bring the cookie along.
    `${COOKIE}=${value}; Path=${root}; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`;

  /** Each log-in that comes back makes the relay ask the Hub. */
  const limited = {
    exposeHeadRoute: false,
    preHandler: async (request: FastifyRequest, reply: FastifyReply) => {
      try {
        await parts.admission.enter(request.raw);
        await failedLogins.check(request.raw);
        return undefined;
      } catch (error) {
        if (!(error instanceof RelayError && error.code === 'rate_limited')) {
          throw error;
        }
        reply.header('retry-after', String(error.retryAfterS));
        return plain(reply, 503, TOO_MANY_PAGE);
      }
    }
  };

  app.get('/login/hub', limited, (request, reply) => {
    const { course } = request.query as { course?: unknown };
    const begun = pending.begin(
      cookieOf(request.headers.cookie, COOKIE),
      typeof course === 'string' ? course.slice(0, 100) : undefined
    );
    const query = new URLSearchParams({
      client_id: login.clientId,
      response_type: 'code',
      redirect_uri: login.redirectUri,
      state: begun.state
    });
    return reply
      .header('set-cookie', cookie(begun.cookie, LOGIN_MS / 1000))
      .redirect(`${login.hubUrl}/hub/api/oauth2/authorize?${query}`, 302);
  });

  app.get('/oauth_callback', limited, async (request, reply) => {
    const { state, code } = request.query as Record<string, unknown>;
    const begun = pending.end(state, cookieOf(request.headers.cookie, COOKIE));
    if (!begun || typeof code !== 'string' || code === '') {
      return plain(reply, 403, FAILED_LOGIN_PAGE);
    }
    let user: HubUser | null;
    try {
      user = await userOf(login, code);
    } catch (error) {
      if (!(error instanceof HubUnavailableError)) {
        throw error;
      }
      parts.onProblem(error.message);
      return plain(reply.header('retry-after', '5'), 503, HUB_AWAY_PAGE);
    }
    if (user === null) {
      await failedLogins.failed(request.raw);
      return plain(reply, 403, FAILED_LOGIN_PAGE);
    }
    if (!mayUse(user.scopes, login.service)) {
      return plain(reply, 403, NO_ACCESS_PAGE);
    }
    const { adminsOperate } = login;
    const all = courses.all();
    const principal = hubPrincipal(user, { courses: all, adminsOperate });
    if (principal === null) {
      const needed = groupsNeeded(all, begun.course);
      return plain(reply, 403, noGroupPage(user.name, needed));
    }
    // Always a new one: what the browser brought along is ended, never taken over.
    await sessions.close(sessionOf(request.headers.cookie));
    const value = await sessions.open(principal, HUB_SESSION_MS);
    return reply
      .header('set-cookie', [
        sessionCookie(value, root, secure, HUB_SESSION_MS),
        cookie('', 0)
      ])
      .redirect(root, 303);
  });
}

/** Who the code of a log-in is for. The token behind it is forgotten here. */
async function userOf(login: HubLogin, code: string): Promise<HubUser | null> {
  const { api, clientId, redirectUri } = login;
  const token = await api.redeem({ clientId, code, redirectUri });
  return token === null ? null : api.userOf(token);
}

/** Whether the Hub lets the user's token in here. */
function mayUse(scopes: readonly string[], service: string): boolean {
  return (
    scopes.includes('access:services') ||
    scopes.includes(`access:services!service=${service}`)
  );
}

function plain(
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
