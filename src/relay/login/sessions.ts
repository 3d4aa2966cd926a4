/** Sessions of logged-in browsers: a random cookie, kept as a hash in sessions.json so that it survives a restart. */
import { randomBytes } from 'node:crypto';
import { hashSecret } from '../courses/keys.js';
import { readIfThere, writeFileWhole } from '../files.js';

/** Name of the cookie. */
export const SESSION_COOKIE = 'ipynb_telemetry_session';
/** How long a browser stays logged in. */
export const SESSION_DAYS = 30;

const SESSION_MS = SESSION_DAYS * 86_400_000;

/** The sessions that are open. */
export interface Sessions {
  /** Opens a session; resolves to the cookie's value once its hash is on disk. */
  open(): Promise<string>;
  /** Whether the value belongs to an open session. */
  has(value: string | undefined): boolean;
}

/** Reads the file, which need not exist yet. */
export async function openSessions(
  file: string,
  now: () => number = Date.now
): Promise<Sessions> {
  const expires = new Map(
    Object.entries(parse(await readIfThere(file))).filter(
      ([hash, at]) => /^[0-9a-f]{64}$/.test(hash) && at > now()
    )
  );
  let writing: Promise<void> = Promise.resolve();

  function write(): Promise<void> {
    const done = writing.then(() =>
      writeFileWhole(
        file,
        `${JSON.stringify({ sessions: Object.fromEntries(expires) }, null, 2)}\n`
      )
    );
    writing = done.catch(() => undefined);
    return done;
  }

  return {
    async open() {
      const value = randomBytes(32).toString('base64url');
      for (const [hash, at] of expires) {
        if (at <= now()) {
          expires.delete(hash);
        }
      }
      expires.set(hashSecret(value), now() + SESSION_MS);
      await write();
      return value;
    },
    has: value =>
      value !== undefined && (expires.get(hashSecret(value)) ?? 0) > now()
  };
}

/** The session's value among the cookies of a request. */
export function sessionOf(cookies: string | undefined): string | undefined {
  return cookies
    ?.split(';')
    .map(cookie => cookie.trim())
    .find(cookie => cookie.startsWith(`${SESSION_COOKIE}=`))
    ?.slice(SESSION_COOKIE.length + 1);
}

/** The header that sets the cookie. `path` is the relay's prefix with slashes at both ends. */
export function sessionCookie(
  value: string,
  path: string,
  secure: boolean
): string {
  return `${SESSION_COOKIE}=${value}; Path=${path}; Max-Age=${SESSION_MS / 1000}; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;
}

/** A file that cannot be read logs everyone out, which one link mends. */
function parse(text: string | undefined): Record<string, number> {
  try {
    const value = JSON.parse(text ?? '') as {
      sessions?: Record<string, number>;
    } | null;
    return value?.sessions ?? {};
  } catch {
    return {};
  }
}
