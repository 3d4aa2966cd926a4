/** Who is let in at the door, beside having a key: limits by address and key, and the course's list of origins. */
import type { IncomingMessage } from 'node:http';
import type { Course, CourseKey } from '../courses/courseFile.js';
import { RelayError } from '../errors.js';
import { clientAddressOf } from './clientAddress.js';
import { createLimit, WINDOW_S } from './limits.js';

/** What admission goes by. Rates are requests a second, averaged over ten seconds; 0 for no limit. */
export interface AdmissionOptions {
  trustedProxies: readonly string[];
  addressRate: number;
  keyRate: number;
}

/** What requests of the students' side have to pass. */
export interface Admission {
  /** Before anything of the body is read. @throws RelayError `rate_limited` */
  enter(request: IncomingMessage): Promise<void>;
  /** Once its key is known. @throws RelayError `rate_limited` or `origin_not_allowed` */
  admit(
    request: IncomingMessage,
    holder: { key: Pick<CourseKey, 'id'>; course: Pick<Course, 'origins'> }
  ): Promise<void>;
}

/** Counts in memory: a relay that starts again begins anew. */
export function createAdmission(options: AdmissionOptions): Admission {
  const addressOf = clientAddressOf(options.trustedProxies);
  const byAddress = createLimit(
    options.addressRate * WINDOW_S,
    WINDOW_S,
    'requests of one address'
  );
  const byKey = createLimit(
    options.keyRate * WINDOW_S,
    WINDOW_S,
    'requests with one key'
  );
  return {
    enter: request => byAddress.count(addressOf(request)),
    async admit(request, { key, course }) {
      const { origin } = request.headers;
      if (!isAllowed(origin, course.origins)) {
        throw new RelayError('origin_not_allowed');
      }
      await byKey.count(key.id);
    }
  };
}

/**
 * Whether pages of this origin may send. Programs send no `Origin` and pass: the list protects
 * nobody from them, it keeps a key that stands in one site's pages from being used in another's.
 */
export function isAllowed(
  origin: string | undefined,
  allowed: readonly string[] | undefined
): boolean {
  return (
    origin === undefined ||
    allowed === undefined ||
    allowed.includes(origin.toLowerCase())
  );
}
