/** Who asks, and what that lets them do: the roles, and the check that routes put before themselves. */
import type { FastifyRequest } from 'fastify';
import { RelayError } from '../errors.js';

/** The roles; each may do what those before it may. */
export const ROLES = [
  'display',
  'assistant',
  'instructor',
  'operator'
] as const;

/** What somebody may do. */
export type Role = (typeof ROLES)[number];

/** Somebody who may read; students' write keys make nobody one. */
export interface Principal {
  /** Safe to log: a key's id `k_…`, `session:…`, or `hub:NAME`. */
  id: string;
  role: Role;
  courses: 'all' | readonly string[];
  /** An assistant of one section sees its students only. */
  section?: string;
  via: 'link' | 'key' | 'hub';
  /** What the Hub said at the log-in of somebody who came by it. */
  hub?: { groups: readonly string[]; admin: boolean };
}

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Who sends the request.
     *
     * @returns undefined where there is neither a valid session nor a key.
     * @throws RelayError for a key that is unknown, revoked or expired, and for a request that
     *   another site made a browser send.
     */
    authenticate: (request: FastifyRequest) => Principal | undefined;
  }
  interface FastifyRequest {
    /** Set behind `requires`. */
    principal: Principal;
  }
}

/** Whether `role` may do what `needed` may. */
export function ranks(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/** Whether the principal may see anything of the course. */
export function mayEnter(
  { courses }: Pick<Principal, 'courses'>,
  course: string
): boolean {
  return courses === 'all' || courses.includes(course);
}

/**
 * A handler to run before a route's own: it sets `request.principal`, or refuses.
 *
 * @param course the id of the course that the request is about. What the principal may not enter
 *   is refused as a course that does not exist is (`unknown_course`), so that nobody learns which
 *   courses there are.
 * @throws RelayError `login_required`, `forbidden`, `unknown_course`, or what `authenticate` throws.
 */
export function requires(
  role: Role,
  course?: (request: FastifyRequest) => string | undefined
): (request: FastifyRequest) => Promise<void> {
  return async request => {
    const principal = request.server.authenticate(request);
    if (!principal) {
      throw new RelayError('login_required');
    }
    if (!ranks(principal.role, role)) {
      throw new RelayError('forbidden', { needed: role, role: principal.role });
    }
    if (course) {
      const id = course(request) ?? '';
      if (!mayEnter(principal, id)) {
        throw new RelayError('unknown_course', { given: JSON.stringify(id) });
      }
    }
    request.principal = principal;
  };
}
