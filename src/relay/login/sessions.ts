/** Sessions of logged-in browsers: a random cookie, kept as a hash in sessions.json so that it survives a restart. */
import { randomBytes } from 'node:crypto';
import { ROLES, type Principal } from '../auth/principal.js';
import { hashSecret } from '../courses/keys.js';
import { readIfThere, writeFileWhole } from '../files.js';
import { cookieOf } from './cookies.js';

/** Name of the cookie. */
export const SESSION_COOKIE = 'ipynb_telemetry_session';
/** How long a browser stays logged in. */
export const SESSION_DAYS = 30;

const SESSION_MS = SESSION_DAYS * 86_400_000;

/** The sessions that are open. */
export interface Sessions {
  /**
   * Opens a session; resolves to the cookie's value once its hash is on disk.
   *
   * @param ms how long it lasts; default: `SESSION_DAYS`.
   */
  open(principal: Principal, ms?: number): Promise<string>;
  /**
   * Whose open session the value belongs to. What a key may do now is for the caller to look up:
   * the session keeps what it might when it was entered.
   */
  principalOf(value: string | undefined): Principal | undefined;
  /** Ends a session, if it is one. */
  close(value: string | undefined): Promise<void>;
}

/** Who came by a login link: somebody whom the relay's operator sent it to. */
export function linkPrincipal(): Principal {
  return {
    id: `session:${randomBytes(6).toString('base64url')}`,
    role: 'operator',
    courses: 'all',
    via: 'link'
  };
}

interface Session {
  /** Milliseconds since 1970. */
  expires: number;
  principal: Principal;
}

/** Reads the file, which need not exist yet. */
export async function openSessions(
  file: string,
  now: () => number = Date.now
): Promise<Sessions> {
  const sessions = new Map(
    parse(await readIfThere(file)).filter(
      ([hash, { expires }]) => /^[0-9a-f]{64}$/.test(hash) && expires > now()
    )
  );
  let writing: Promise<void> = Promise.resolve();

  function write(): Promise<void> {
    const done = writing.then(() =>
      writeFileWhole(
        file,
        `${JSON.stringify({ sessions: Object.fromEntries(sessions) }, null, 2)}\n`
      )
    );
    writing = done.catch(() => undefined);
    return done;
  }

  return {
    async open(principal, ms = SESSION_MS) {
      const value = randomBytes(32).toString('base64url');
      for (const [hash, { expires }] of sessions) {
        if (expires <= now()) {
          sessions.delete(hash);
        }
      }
      sessions.set(hashSecret(value), {
        expires: now() + ms,
        principal
      });
      await write();
      return value;
    },
    principalOf(value) {
      const found =
        value === undefined ? undefined : sessions.get(hashSecret(value));
      return found && found.expires > now() ? found.principal : undefined;
    },
    async close(value) {
      if (value !== undefined && sessions.delete(hashSecret(value))) {
        await write();
      }
    }
  };
}

/** The session's value among the cookies of a request. */
export function sessionOf(cookies: string | undefined): string | undefined {
  return cookieOf(cookies, SESSION_COOKIE);
}

/** The header that sets the cookie. `path` is the relay's prefix with slashes at both ends. */
export function sessionCookie(
  value: string,
  path: string,
  secure: boolean,
  ms = SESSION_MS
): string {
  return `${SESSION_COOKIE}=${value}; Path=${path}; Max-Age=${ms / 1000}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}

/** A file that cannot be read logs everyone out, which one link mends. */
function parse(text: string | undefined): [string, Session][] {
  try {
    const value = JSON.parse(text ?? '') as {
      sessions?: Record<string, unknown>;
    } | null;
    return Object.entries(value?.sessions ?? {}).flatMap(([hash, kept]) => {
      const session = sessionIn(kept);
      return session ? [[hash, session] as [string, Session]] : [];
    });
  } catch {
    return [];
  }
}

function sessionIn(kept: unknown): Session | undefined {
  if (typeof kept === 'number') {
    // Earlier versions knew nobody but whoever came by a link.
    return { expires: kept, principal: linkPrincipal() };
  }
  const { expires, principal } = (kept ?? {}) as Partial<Session>;
  return typeof expires === 'number' &&
    typeof principal?.id === 'string' &&
    ROLES.includes(principal.role) &&
    (principal.courses === 'all' || Array.isArray(principal.courses))
    ? { expires, principal }
    : undefined;
}
