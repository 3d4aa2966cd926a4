/** Credentials for a shared log: from a file alone, so that no address, flag or log line ever holds them. */
import { readFile } from 'node:fs/promises';

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'] as const;
type Mechanism = (typeof MECHANISMS)[number];

/** What a server may ask for. */
export type Credentials =
  | { kind: 'none' }
  /** NATS: the content of a `.creds` file. */
  | { kind: 'creds'; content: Uint8Array }
  | {
      kind: 'password';
      user: string;
      password: string;
      /** Kafka: how to log in; PLAIN where it is not said. */
      mechanism?: Mechanism;
    }
  | { kind: 'token'; token: string };

const EXPECTED =
  'a NATS .creds file, or JSON such as {"user": "…", "password": "…"} or {"token": "…"}';

/**
 * Reads the file; null means that the server asks for nothing. It is read at each connection, so
 * that credentials can be renewed while the relay runs.
 *
 * @throws Error that names the file and what was expected, and never shows what is in it.
 */
export async function readCredentials(
  file: string | null
): Promise<Credentials> {
  if (file === null) {
    return { kind: 'none' };
  }
  let content: Buffer;
  try {
    content = await readFile(file);
  } catch (error) {
    throw new Error(
      `engine-credentials: ${file} cannot be read (${(error as NodeJS.ErrnoException).code}). Expected ${EXPECTED}.`,
      { cause: error }
    );
  }
  const credentials = parse(content);
  if (!credentials) {
    throw new Error(
      `engine-credentials: expected ${EXPECTED}; ${file} holds something else.`
    );
  }
  return credentials;
}

function parse(content: Buffer): Credentials | undefined {
  const text = content.toString('utf8');
  if (text.includes('-----BEGIN NATS USER JWT-----')) {
    return { kind: 'creds', content };
  }
  try {
    const { user, password, token, mechanism } = JSON.parse(text) as Record<
      string,
      unknown
    >;
    if (isText(user) && isText(password)) {
      const known = MECHANISMS.find(each => each === mechanism);
      return {
        kind: 'password',
        user,
        password,
        ...(known ? { mechanism: known } : {})
      };
    }
    return isText(token) ? { kind: 'token', token } : undefined;
  } catch {
    return undefined;
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
