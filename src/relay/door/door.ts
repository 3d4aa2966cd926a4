/** The door: the routes by which PostHog's clients, ours among them, bring events in. */
import type {
  IncomingMessage,
  OutgoingHttpHeaders,
  ServerResponse
} from 'node:http';
import type { Admission } from '../auth/admission.js';
import { RelayError } from '../errors.js';
import {
  corsHeaders,
  queryOf,
  requestId,
  sendError,
  sendJson
} from '../http.js';
import { HUB_TOKEN_HEADER } from '../hub/students.js';
import { acknowledge, type AcknowledgeParts } from './acknowledge.js';
import { dataField, decodeBody, utf8 } from './decode.js';
import { decodeEncoding } from './encodings.js';
import {
  rejectedPart,
  takeIn,
  type Arrival,
  type IntakeParts,
  type Receipt
} from './intake.js';
import { BodyMemory, ClientGoneError, readBody } from './readBody.js';
import { doorRoute, type DoorRoute } from './routes.js';

/** Whether events come in under this path. */
export function isDoor(path: string): boolean {
  return doorRoute(path) !== undefined;
}

/** What the door tells of a request; nothing that came with it. */
export interface DoorReport {
  id: string;
  path: string;
  status: number;
  ms: number;
  /** Size of the body as it was received. */
  bytes?: number;
  receipt?: Receipt;
  /** Whether the body is durable as it came, and is judged later. */
  raw?: true;
  error?: unknown;
}

/** What the door needs. */
export interface DoorOptions extends IntakeParts, AcknowledgeParts {
  /** Largest body as received, and after unwrapping, in bytes; and the time it may take. */
  bodyLimitBytes: number;
  decompressedLimitBytes: number;
  bodyTimeoutMs: number;
  /** Memory that all bodies at work may take together, in bytes. Default: that of two of the largest. */
  memoryBytes?: number;
  state: () => 'open' | 'starting' | 'stopping';
  /** Limits and lists of origins; none by default. */
  admission?: Admission;
  onReport?: (report: DoorReport) => void;
  now?: () => number;
}

const OK = JSON.stringify({ status: 'Ok' });

/** The handler of the door's routes. It always answers, and never rejects. */
export function createDoor(
  options: DoorOptions
): (
  request: IncomingMessage,
  response: ServerResponse,
  path: string
) => Promise<void> {
  const { now = Date.now, onReport } = options;
  const limits = {
    bytes: options.bodyLimitBytes,
    timeoutMs: options.bodyTimeoutMs
  };
  const memory = new BodyMemory(
    options.memoryBytes ?? 2 * options.decompressedLimitBytes
  );

  async function take(
    request: IncomingMessage,
    route: DoorRoute,
    query: URLSearchParams,
    report: DoorReport
  ): Promise<Receipt | undefined> {
    const receivedMs = now();
    const state = options.state();
    if (state !== 'open') {
      throw new RelayError(state);
    }
    await options.admission?.enter(request);
    const received = await readBody(request, limits, memory);
    report.bytes = received.length;
    let held = received.length;
    try {
      const arrival = await unwrap(
        { request, route, query, received },
        options.decompressedLimitBytes
      );
      if (arrival.bytes !== received) {
        memory.take(arrival.bytes.length);
        held += arrival.bytes.length;
      }
      const whole: Arrival = {
        ...arrival,
        receivedMs,
        hubToken: hubTokenOf(request),
        admit: holder => options.admission?.admit(request, holder)
      };
      return (await acknowledge(whole, options))
        ? undefined
        : await takeIn(whole, options);
    } finally {
      memory.give(held);
    }
  }

  return async function door(request, response, path) {
    const began = performance.now();
    const id = requestId();
    const route = doorRoute(path)!;
    const headers: OutgoingHttpHeaders = corsHeaders(request);
    headers['x-request-id'] = id;
    const report: DoorReport = { id, path, status: 200, ms: 0 };
    try {
      if (request.method === 'OPTIONS') {
        headers['content-length'] = 0;
        response.writeHead(200, headers).end();
      } else if (!route.methods.includes(request.method ?? '')) {
        headers['allow'] = [...route.methods, 'OPTIONS'].join(', ');
        throw new RelayError('method_not_allowed', {
          allowed: route.methods.join(' or '),
          method: request.method ?? 'another method'
        });
      } else {
        const query = queryOf(request.url);
        const receipt = await take(request, route, query, report);
        // Before the answer, which is an error where nothing is kept.
        if (receipt) {
          report.receipt = receipt;
        } else {
          report.raw = true;
        }
        const body = receipt ? answerTo(receipt) : OK;
        if (query.get('beacon') === '1' && route.protocol === 'v0') {
          // Nobody reads the answer to a beacon, and nobody else takes 204 for a success.
          report.status = 204;
          response.writeHead(204, headers).end();
        } else {
          sendJson(response, 200, body, headers);
        }
      }
    } catch (error) {
      if (error instanceof ClientGoneError) {
        report.status = 0;
        response.destroy();
      } else {
        const known =
          error instanceof RelayError
            ? error
            : new RelayError('internal_error', { id }, {}, { cause: error });
        report.status = known.status;
        report.error = known;
        if (response.headersSent) {
          response.destroy();
        } else {
          sendError(response, inProtocol(known, route), headers);
        }
      }
    }
    if (onReport) {
      report.ms = performance.now() - began;
      onReport(report);
    }
  };
}

/** What a request says beside its body, and the body unwrapped. */
async function unwrap(
  {
    request,
    route,
    query,
    received
  }: {
    request: IncomingMessage;
    route: DoorRoute;
    query: URLSearchParams;
    received: Buffer;
  },
  limit: number
): Promise<Omit<Arrival, 'receivedMs'>> {
  const { headers } = request;
  const contentType = headers['content-type'];
  const contentEncoding = headers['content-encoding'];
  if (route.protocol === 'v1') {
    if (!/^(?:application\/json(?:;.*)?)?$/i.test(contentType?.trim() ?? '')) {
      throw new RelayError('unsupported_media_type', {
        expected: 'Content-Type application/json'
      });
    }
    const bytes = await decodeEncoding(received, contentEncoding, limit);
    if (bytes.length === 0) {
      throw new RelayError('empty_body');
    }
    return {
      bytes: utf8(bytes),
      v1: {
        apiKey: /^bearer\s+(\S+)$/i.exec(headers.authorization ?? '')?.[1],
        sdk: textOf(headers['posthog-sdk-info']),
        sentAt: textOf(headers['posthog-request-timestamp'])
      }
    };
  }
  const data = query.get('data');
  return {
    bytes: await decodeBody(
      data === null || data === '' ? received : dataField(data),
      { contentType, contentEncoding, compression: query.get('compression') },
      limit
    ),
    sentAt: sentAtOf(query),
    engage: route.engage
  };
}

/** The body of a success. @throws RelayError where v0 has no success to tell. */
function answerTo({
  kept,
  duplicates,
  notCollected,
  dropped,
  rejected,
  results
}: Receipt): string {
  if (results) {
    return JSON.stringify({ results });
  }
  const left = sum(notCollected.values());
  if (kept + duplicates + left === 0) {
    throw new RelayError(
      'no_valid_event',
      { count: rejected.length },
      rejectedPart(rejected)
    );
  }
  return rejected.length + left + dropped.size === 0
    ? OK
    : JSON.stringify({
        status: 'Ok',
        ...(left > 0 ? { not_collected: left } : {}),
        ...(dropped.size > 0
          ? { dropped_properties: Object.fromEntries(dropped) }
          : {}),
        ...rejectedPart(rejected)
      });
}

/** The error with what clients of the route look for in its answer. */
function inProtocol(error: RelayError, route: DoorRoute): RelayError {
  if (route.protocol === 'v1') {
    error.extra['error_description'] = error.message;
  }
  return error;
}

function textOf(header: string | string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.[0];
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) {
    total += count;
  }
  return total;
}

function hubTokenOf(request: IncomingMessage): string | undefined {
  const token = request.headers[HUB_TOKEN_HEADER];
  return typeof token === 'string' && token !== '' ? token : undefined;
}

/** The client's clock in the query: PostHog's older browser clients send it in milliseconds as `_`. */
function sentAtOf(query: URLSearchParams): string | undefined {
  const ms = query.get('_');
  return ms !== null && /^\d{13}$/.test(ms)
    ? new Date(Number(ms)).toISOString()
    : (query.get('sent_at') ?? undefined);
}
