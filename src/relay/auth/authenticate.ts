/** Finds out who sends a request: by a key in its header, or by the session behind its cookie. */
import type { FastifyRequest } from 'fastify';
import type { CourseKey } from '../courses/courseFile.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import { sessionOf, type Sessions } from '../login/sessions.js';
import { bearerOf } from './bearer.js';
import type { Principal } from './principal.js';
import { isOwnPage } from './sameSite.js';

/** What authentication works with. */
export interface AuthenticationParts {
  courses: Pick<CourseStore, 'readerOf' | 'readerById'>;
  sessions: Pick<Sessions, 'principalOf'>;
  /** Address under which browsers come, where it was configured. */
  publicUrl: string | null;
  /** What somebody who came by the Hub may do now; without it nobody did. */
  ofHub?: (principal: Principal) => Principal | undefined;
}

/** Methods that change nothing. */
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

/** The function behind `app.authenticate`. */
export function createAuthenticate(
  parts: AuthenticationParts
): (request: FastifyRequest) => Principal | undefined {
  return request => {
    const { headers, method } = request;
    const key = bearerOf(headers.authorization);
    if (key !== undefined) {
      const holder = parts.courses.readerOf(key);
      if (holder.kind === 'write') {
        return undefined;
      }
      if (holder.kind !== 'known') {
        throw new RelayError(`${holder.kind}_key`);
      }
      return principalOfKey(holder.key);
    }
    const principal = currentPrincipal(parts, sessionOf(headers.cookie));
    if (
      principal &&
      !SAFE.has(method) &&
      !isOwnPage(headers, parts.publicUrl)
    ) {
      throw new RelayError('cross_site');
    }
    return principal;
  };
}

/**
 * Who a session belongs to now. One that a key opened is as good as the key: it ends when the key
 * is revoked or expires, and nobody has to be found and logged out. One by the Hub is as good as
 * what courses say of the Hub's groups.
 */
export function currentPrincipal(
  {
    courses,
    sessions,
    ofHub
  }: Pick<AuthenticationParts, 'courses' | 'sessions' | 'ofHub'>,
  session: string | undefined
): Principal | undefined {
  const principal = sessions.principalOf(session);
  if (principal?.via === 'hub') {
    return ofHub?.(principal);
  }
  if (principal?.via !== 'key') {
    return principal;
  }
  const key = courses.readerById(principal.id);
  return key && principalOfKey(key);
}

/** What a key that is no write key lets its holder do. */
export function principalOfKey(key: CourseKey): Principal {
  const { id, kind, course, section } = key;
  if (kind === 'write') {
    throw new TypeError('A write key makes nobody a reader.');
  }
  return {
    id,
    role: kind,
    courses: [course],
    ...(section === undefined ? {} : { section }),
    via: 'key'
  };
}
