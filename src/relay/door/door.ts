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
import { decodeBody } from './decode.js';
import { HUB_TOKEN_HEADER } from '../hub/students.js';
import {
  rejectedPart,
  takeIn,
  type IntakeParts,
  type Receipt
} from './intake.js';
import { BodyMemory, ClientGoneError, readBody } from './readBody.js';

const ROUTES = new Set(
  ['/batch', '/capture', '/e', '/i/v0/e'].flatMap(path => [path, `${path}/`])
);

/** Whether events come in under this path. */
export function isDoor(path: string): boolean {
  return ROUTES.has(path);
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
  error?: unknown;
}

/** What the door needs. */
export interface DoorOptions extends IntakeParts {
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
    receivedMs: number,
    report: DoorReport
  ): Promise<Receipt> {
    const state = options.state();
    if (state !== 'open') {
      throw new RelayError(state);
    }
    await options.admission?.enter(request);
    const received = await readBody(request, limits, memory);
    report.bytes = received.length;
    let held = received.length;
    try {
      const query = queryOf(request.url);
      const bytes = await decodeBody(
        received,
        {
          contentType: request.headers['content-type'],
          contentEncoding: request.headers['content-encoding'],
          compression: query.get('compression')
        },
        options.decompressedLimitBytes
      );
      if (bytes !== received) {
        memory.take(bytes.length);
        held += bytes.length;
      }
      return await takeIn(
        {
          bytes,
          receivedMs,
          sentAt: sentAtOf(query),
          hubToken: hubTokenOf(request),
          admit: holder => options.admission?.admit(request, holder)
        },
        options
      );
    } finally {
      memory.give(held);
    }
  }

  return async function door(request, response, path) {
    const began = performance.now();
    const id = requestId();
    const headers: OutgoingHttpHeaders = corsHeaders(request);
    headers['x-request-id'] = id;
    const report: DoorReport = { id, path, status: 200, ms: 0 };
    try {
      if (request.method === 'OPTIONS') {
        headers['content-length'] = 0;
        response.writeHead(200, headers).end();
      } else if (request.method !== 'POST') {
        headers['allow'] = 'POST, OPTIONS';
        throw new RelayError('method_not_allowed', {
          allowed: 'POST',
          method: request.method ?? 'another method'
        });
      } else {
        const receipt = await take(request, now(), report);
        report.receipt = receipt;
        const left = sum(receipt.notCollected.values());
        const dropped = receipt.dropped.size > 0;
        if (receipt.kept + receipt.duplicates + left === 0) {
          throw new RelayError(
            'no_valid_event',
            { count: receipt.rejected.length },
            rejectedPart(receipt.rejected)
          );
        }
        const body =
          receipt.rejected.length + left === 0 && !dropped
            ? OK
            : JSON.stringify({
                status: 'Ok',
                ...(left > 0 ? { not_collected: left } : {}),
                ...(dropped
                  ? { dropped_properties: Object.fromEntries(receipt.dropped) }
                  : {}),
                ...rejectedPart(receipt.rejected)
              });
        sendJson(response, 200, body, headers);
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
          sendError(response, known, headers);
        }
      }
    }
    if (onReport) {
      report.ms = performance.now() - began;
      onReport(report);
    }
  };
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
