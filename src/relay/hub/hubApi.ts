/** What the relay asks a JupyterHub: whose token one is, and a token for the code of a log-in. */

/** How a Hub is reached and as whom. */
export interface HubAccess {
  /** Address of the Hub's API, such as http://127.0.0.1:8081/hub/api; no slash at its end. */
  apiUrl: string;
  /** The relay's own token as a service; needed for log-ins only. */
  token: string | null;
  /** Longest wait for an answer, in ms. */
  timeoutMs?: number;
}

/** A user as the Hub vouches for them. */
export interface HubUser {
  name: string;
  groups: readonly string[];
  admin: boolean;
  /** What the token that was asked about may do, in the Hub's words. */
  scopes: readonly string[];
}

/** Raised where the Hub gave no answer that counts; nothing is known then. Never holds a token. */
export class HubUnavailableError extends Error {
  constructor(what: string, options?: ErrorOptions) {
    super(`the Hub cannot be asked: ${what}`, options);
    this.name = 'HubUnavailableError';
  }
}

/** The Hub's API as far as the relay uses it. */
export interface HubApi {
  /**
   * The user whom a token belongs to; null if the Hub refuses it, or if it is a service's.
   *
   * @throws HubUnavailableError
   */
  userOf(token: string): Promise<HubUser | null>;
  /**
   * The name of the service whose own token one is; null if the Hub refuses it, or if it is a user's.
   *
   * @throws HubUnavailableError
   */
  serviceOf(token: string): Promise<string | null>;
  /**
   * The access token for a log-in's code (RFC 6749, 4.1.3); null if the Hub refuses the code.
   *
   * @throws HubUnavailableError
   */
  redeem(grant: {
    clientId: string;
    code: string;
    redirectUri: string;
  }): Promise<string | null>;
}

const TIMEOUT_MS = 5000;
/** Longest answer that is read, in bytes; a user of thousands of groups has less. */
const MAX_ANSWER_BYTES = 1024 * 1024;
/** A token is what a header can carry; the Hub's own have 32 to 43 characters. */
const TOKEN = /^[\x21-\x7e]{8,512}$/;

/** Whether a text can be a token at all; the Hub is not asked about anything else. */
export function isToken(text: unknown): text is string {
  return typeof text === 'string' && TOKEN.test(text);
}

/** The client; it keeps nothing. */
export function createHubApi({
  apiUrl,
  token,
  timeoutMs = TIMEOUT_MS
}: HubAccess): HubApi {
  async function ask(
    path: string,
    init: RequestInit
  ): Promise<{ status: number; body: unknown }> {
    try {
      const response = await fetch(`${apiUrl}${path}`, {
        ...init,
        // A token must not follow to wherever an answer points.
        redirect: 'manual',
        signal: AbortSignal.timeout(timeoutMs)
      });
      return { status: response.status, body: await readJson(response) };
    } catch (error) {
      const { name, cause } = error as Error;
      const code = (cause as { code?: string } | undefined)?.code;
      // Only the kind of error: a message of `fetch` may repeat what was sent.
      throw new HubUnavailableError(`${apiUrl}${path}: ${code ?? name}`);
    }
  }

  function unexpected(path: string, status: number): HubUnavailableError {
    return new HubUnavailableError(
      `${apiUrl}${path} answered ${status}, which is not what JupyterHub's API says. Check hub-api-url.`
    );
  }

  /** Whose a token is, as the Hub says it; null if it refuses the token. */
  async function ownerOf(
    asked: string
  ): Promise<Record<string, unknown> | null> {
    const { status, body } = await ask('/user', {
      headers: { authorization: `token ${asked}` }
    });
    if (status === 401 || status === 403) {
      return null;
    }
    const model = objectOf(body);
    if (status !== 200 || typeof model['kind'] !== 'string') {
      throw unexpected('/user', status);
    }
    return model;
  }

  return {
    async userOf(asked) {
      const owner = await ownerOf(asked);
      const name = owner?.['name'];
      return owner?.['kind'] === 'user' &&
        typeof name === 'string' &&
        name !== ''
        ? {
            name,
            groups: textsOf(owner['groups']),
            admin: owner['admin'] === true,
            scopes: textsOf(owner['scopes'])
          }
        : null;
    },
    async serviceOf(asked) {
      const owner = await ownerOf(asked);
      const name = owner?.['name'];
      return owner?.['kind'] === 'service' && typeof name === 'string'
        ? name
        : null;
    },
    async redeem({ clientId, code, redirectUri }) {
      const { status, body } = await ask('/oauth2/token', {
        method: 'POST',
        body: new URLSearchParams({
          client_id: clientId,
          client_secret: token ?? '',
          grant_type: 'authorization_code',
          code,
          redirect_uri: redirectUri
        })
      });
      // An unknown or used code: 400 invalid_grant; a wrong secret: 401 or 403.
      if (status === 400 || status === 401 || status === 403) {
        return null;
      }
      const access = objectOf(body)['access_token'];
      if (status !== 200 || !isToken(access)) {
        throw unexpected('/oauth2/token', status);
      }
      return access;
    }
  };
}

async function readJson(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += (chunk as Uint8Array).length;
    if (bytes > MAX_ANSWER_BYTES) {
      throw Object.assign(new Error(), { name: 'AnswerTooLong' });
    }
    chunks.push(chunk as Uint8Array);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown;
  } catch {
    return undefined; // The status says enough.
  }
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : {};
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value)
    ? value.filter(one => typeof one === 'string')
    : [];
}
