/** Answers posthog-js locally, so that a page starts without an error and asks nobody else. */
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { RelayError } from '../errors.js';
import { corsHeaders, requestId, sendError } from '../http.js';
import { answerTo, type Scripts } from './answers.js';

const TYPES = {
  json: 'application/json; charset=utf-8',
  script: 'text/javascript; charset=utf-8'
} as const;
const METHODS = ['GET', 'HEAD', 'POST', 'OPTIONS'];
/** Larger bodies are not read to their end; nothing that they say is used. */
const MAX_UNREAD_BYTES = 1024 * 1024;

/**
 * Reads posthog-js's scripts, which are those directly in `folder`, its `dist`.
 *
 * @throws Error that says what to do if there are none.
 */
export async function readScripts(folder: string | null): Promise<Scripts> {
  if (folder === null) {
    return new Map();
  }
  const names = await readdir(folder).catch((): string[] => []);
  if (!names.includes('array.js')) {
    throw new Error(
      `posthog-js: expected the folder dist of the package posthog-js, with array.js in it, got ${folder}.`
    );
  }
  const scripts = names.filter(name => /^[\w.-]+\.js$/.test(name));
  return new Map(
    await Promise.all(
      scripts.map(
        async name => [name, await readFile(join(folder, name))] as const
      )
    )
  );
}

/** The handler of posthog-js's own routes. */
export function createPostHogJs(
  scripts: Scripts
): (request: IncomingMessage, response: ServerResponse, path: string) => void {
  return (request, response, path) => {
    const headers = corsHeaders(request);
    const { method = '' } = request;
    headers['x-request-id'] = requestId();
    if (Number(request.headers['content-length'] ?? 0) > MAX_UNREAD_BYTES) {
      headers['connection'] = 'close';
    } else {
      request.resume();
    }
    if (method === 'OPTIONS') {
      headers['content-length'] = 0;
      response.writeHead(200, headers).end();
      return;
    }
    if (!METHODS.includes(method)) {
      headers['allow'] = METHODS.join(', ');
      const allowed = 'GET or POST';
      sendError(
        response,
        new RelayError('method_not_allowed', { allowed, method }),
        headers
      );
      return;
    }
    const { status, type, body } = answerTo(path, scripts);
    if (status === 404) {
      sendError(
        response,
        new RelayError('not_found', { path: 'this address' }),
        headers
      );
      return;
    }
    headers['content-type'] = TYPES[type];
    headers['content-length'] = Buffer.byteLength(body);
    // Pages that isolate themselves load scripts of other sites only if these say so.
    headers['cross-origin-resource-policy'] = 'cross-origin';
    headers['cache-control'] =
      type === 'script' ? 'public, max-age=300' : 'no-store';
    response.writeHead(status, headers).end(method === 'HEAD' ? '' : body);
  };
}
