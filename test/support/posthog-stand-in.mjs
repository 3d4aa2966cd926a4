/**
 * A PostHog on this machine for tests: takes events as the real one does, keeps them in
 * a table that merges resends as the real one's does, and fails on demand in every way
 * the real one can. Runs inside a test or by itself:
 *
 *   node test/support/posthog-stand-in.mjs --port 0     (prints its URL as the first line)
 *
 * By itself it is steered over HTTP: GET /_stored, GET /_requests, POST /_behaviour (see
 * `Behaviour` in posthog-stand-in.d.mts), POST /_reset.
 */
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import {
  CAPTURE_PATHS,
  decode,
  mergeKey,
  openBody,
  Refusal,
  storedTime,
  WIRE_LIMIT
} from './posthog-rules.mjs';

/** @import { Behaviour, PostHogStandIn, RequestSeen, StandInOptions, StoredEvent } from './posthog-stand-in.d.mts' */

/**
 * Starts one.
 *
 * @param {StandInOptions} [options]
 * @returns {Promise<PostHogStandIn>}
 */
export async function startPostHogStandIn(options = {}) {
  const host = options.host ?? '127.0.0.1';
  /** @type {Map<string, StoredEvent>} */
  const table = new Map();
  /** @type {RequestSeen[]} */
  const requests = [];
  /** @type {Behaviour[]} */
  let script = [];
  /** @type {NodeJS.Timeout | undefined} */
  let returnTimer;
  const server = createServer((request, response) => {
    void handle(request, response).catch(() => request.socket.destroy());
  });
  const port = await listen(options.port ?? 0);

  const standIn = {
    url: `http://${host}:${port}`,
    port,
    stored: () => [...table.values()],
    requests: () => [...requests],
    /** @param {Behaviour | Behaviour[]} next */
    behave: next => {
      script = [next].flat().map(step => ({ ...step }));
    },
    reset: () => {
      table.clear();
      requests.length = 0;
      script = [];
    },
    /** @param {number} [ms] */
    down: async ms => {
      clearTimeout(returnTimer);
      const closed = new Promise(resolve => server.close(resolve));
      server.closeAllConnections();
      await closed;
      if (ms !== undefined) {
        returnTimer = setTimeout(() => void standIn.up(), ms);
      }
    },
    up: async () => {
      clearTimeout(returnTimer);
      if (!server.listening) {
        await listen(port);
      }
    },
    stop: async () => {
      clearTimeout(returnTimer);
      if (server.listening) {
        await standIn.down();
      }
    }
  };
  return standIn;

  /**
   * @param {number} wanted
   * @returns {Promise<number>}
   */
  function listen(wanted) {
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(wanted, host, () => {
        server.off('error', reject);
        const address = server.address();
        resolve(typeof address === 'object' && address ? address.port : wanted);
      });
    });
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   */
  async function handle(request, response) {
    const url = new URL(request.url ?? '/', 'http://stand-in');
    const path = url.pathname.replace(/(?<=.)\/$/, '');
    for (const [name, value] of Object.entries(cors(request))) {
      response.setHeader(name, value);
    }
    if (request.method === 'OPTIONS') {
      answer(response, 200, '');
      return;
    }
    const body = await readBody(request);
    if (path.startsWith('/_')) {
      control(request.method ?? 'GET', path, body, response);
    } else if (!CAPTURE_PATHS.has(path)) {
      const isFlags = path === '/flags' || path === '/decide';
      answer(response, isFlags ? 200 : 404, isFlags ? { flags: {} } : '');
    } else if (request.method === 'POST' || request.method === 'GET') {
      await capture(request, response, url, path, body);
    } else {
      answer(response, 405, '');
    }
  }

  /**
   * @param {import('node:http').IncomingMessage} request
   * @param {import('node:http').ServerResponse} response
   * @param {URL} url
   * @param {string} path
   * @param {Buffer | null} body null where it was over the limit
   */
  async function capture(request, response, url, path, body) {
    /** @type {RequestSeen} */
    const seen = {
      at: new Date().toISOString(),
      path: url.pathname,
      status: 0,
      bytes: body?.length ?? WIRE_LIMIT + 1,
      gzip: body?.[0] === 0x1f && body[1] === 0x8b,
      userAgent: request.headers['user-agent'] ?? '',
      token: null,
      sentAt: null,
      historical: false,
      uuids: []
    };
    requests.push(seen);
    const step = nextStep();
    if (step.mode === 'slow') {
      await new Promise(resolve => setTimeout(resolve, step.ms ?? 1000));
    }
    try {
      if (body === null) {
        throw new Refusal(413, 'request body is too large');
      }
      const opened = openBody(
        decode({
          path,
          query: url.searchParams,
          contentType: request.headers['content-type'] ?? '',
          contentEncoding: request.headers['content-encoding'] ?? '',
          body
        }),
        path
      );
      const sentAt = opened.sentAt ?? queryTime(url.searchParams);
      seen.token = opened.token;
      seen.historical = opened.historical;
      seen.sentAt = sentAt ?? null;
      seen.uuids = opened.events.map(event => event.uuid);
      if (step.mode === 'hang') {
        return;
      }
      if (step.mode === 'drop') {
        request.socket.destroy();
        return;
      }
      if (step.mode === 'answer') {
        if (step.retryAfter !== undefined) {
          response.setHeader('Retry-After', String(step.retryAfter));
        }
        if (step.location !== undefined) {
          response.setHeader('Location', step.location);
        }
        throw new Refusal(
          step.status ?? 503,
          step.body ?? `told to answer ${step.status ?? 503}`
        );
      }
      if (options.knownTokens && !options.knownTokens.includes(opened.token)) {
        throw new Refusal(401, 'API key belongs to no project');
      }
      if (
        step.mode === 'limit' &&
        (opened.events.length > (step.events ?? Infinity) ||
          body.length > (step.bytes ?? Infinity))
      ) {
        throw new Refusal(413, 'request body is too large');
      }
      if (
        step.mode === 'refuse' &&
        opened.events.some(event => event.properties[step.property ?? 'poison'])
      ) {
        throw new Refusal(
          400,
          `failed to parse request: ${step.property ?? 'poison'}`
        );
      }
      store(opened, sentAt, request);
      seen.status = 200;
      if (step.mode === 'reset') {
        seen.status = 0;
        request.socket.destroy();
        return;
      }
      if (url.searchParams.get('beacon') === '1') {
        seen.status = 204;
        answer(response, 204, '');
        return;
      }
      answer(response, 200, { status: 'Ok' });
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      seen.status = error.status;
      answer(response, error.status, error.message);
    }
  }

  /**
   * @param {{token: string, events: Record<string, any>[]}} opened
   * @param {string | undefined} sentAt
   * @param {import('node:http').IncomingMessage} request
   */
  function store(opened, sentAt, request) {
    const now = Date.now();
    const forwarded = String(request.headers['x-forwarded-for'] ?? '');
    const ip = forwarded.split(',')[0]?.trim() || request.socket.remoteAddress;
    for (const event of opened.events) {
      const row = {
        token: opened.token,
        event: event.event,
        distinct_id: event.distinct_id,
        uuid: event.uuid,
        timestamp: new Date(
          storedTime(/** @type {any} */ (event), sentAt, now)
        ).toISOString(),
        properties: { ...event.properties, $ip: event.properties.$ip || ip },
        copies: 1
      };
      const key = mergeKey(row);
      row.copies += table.get(key)?.copies ?? 0;
      table.set(key, row);
    }
  }

  /** The behaviour for the next request; a step whose `times` are used up is left behind. */
  function nextStep() {
    while (script[0]?.times !== undefined && script[0].times <= 0) {
      script.shift();
    }
    const step = script[0] ?? { mode: 'ok' };
    if (step.times !== undefined) {
      step.times -= 1;
    }
    return step;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {Buffer | null} body
   * @param {import('node:http').ServerResponse} response
   */
  function control(method, path, body, response) {
    switch (`${method} ${path}`) {
      case 'GET /_stored':
        answer(response, 200, standIn.stored());
        return;
      case 'GET /_requests':
        answer(response, 200, requests);
        return;
      case 'POST /_behaviour': {
        /** @type {Behaviour} */
        const wanted = JSON.parse(String(body));
        answer(response, 200, { status: 'Ok' });
        if (wanted.mode === 'down') {
          // Over HTTP it has to come back by itself: nobody could call it any more.
          response.once('close', () => void standIn.down(wanted.ms ?? 1000));
        } else {
          standIn.behave(wanted);
        }
        return;
      }
      case 'POST /_reset':
        standIn.reset();
        answer(response, 200, { status: 'Ok' });
        return;
      default:
        answer(response, 404, '');
    }
  }
}

/**
 * The whole body, or null if it is over PostHog's limit.
 *
 * @param {import('node:http').IncomingMessage} request
 * @returns {Promise<Buffer | null>}
 */
async function readBody(request) {
  /** @type {Buffer[]} */
  const chunks = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size <= WIRE_LIMIT) {
      chunks.push(chunk);
    }
  }
  return size <= WIRE_LIMIT ? Buffer.concat(chunks) : null;
}

/**
 * @param {import('node:http').ServerResponse} response
 * @param {number} status
 * @param {unknown} body
 */
function answer(response, status, body) {
  const isText = typeof body === 'string';
  response.statusCode = status;
  response.setHeader(
    'Content-Type',
    isText ? 'text/plain' : 'application/json'
  );
  response.end(isText ? body : JSON.stringify(body));
}

/** @param {import('node:http').IncomingMessage} request */
function cors(request) {
  return {
    'Access-Control-Allow-Origin': request.headers.origin ?? '*',
    'Access-Control-Allow-Credentials': 'true',
    'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
    'Access-Control-Allow-Headers':
      request.headers['access-control-request-headers'] ?? '*'
  };
}

/**
 * The client's clock from the query: `_` in ms, seconds are ignored.
 *
 * @param {URLSearchParams} query
 */
function queryTime(query) {
  const ms = Number(query.get('_'));
  return ms > 100_000_000_000
    ? new Date(ms).toISOString()
    : (query.get('sent_at') ?? undefined);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const at = process.argv.indexOf('--port');
  const standIn = await startPostHogStandIn({
    port: at < 0 ? 0 : Number(process.argv[at + 1])
  });
  process.stdout.write(`${standIn.url}\n`);
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void standIn.stop());
  }
}
