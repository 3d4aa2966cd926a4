/** `GET /readyz`: whether the relay takes events, for everybody; how log and sinks are, for those who run it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { SinkStatus } from '../../api/index.js';
import { isFromThisMachine } from '../auth/thisMachine.js';
import { RelayError } from '../errors.js';
import type { RetentionStatus } from '../log/retention.js';
import type { LogStatus } from '../log/types.js';

/** What `GET /readyz` says to operators and to programs on the relay's machine. */
export interface Readiness {
  status: 'ready' | 'starting' | 'stopping' | 'unavailable';
  version: string;
  /** Null before the log is open. */
  log:
    | (LogStatus &
        RetentionStatus & {
          writable: boolean;
          problem: string | null;
          /** Free bytes on its disk; null if the system does not tell. */
          diskFree: number | null;
        })
    | null;
  sinks: SinkStatus[];
}

/** What it says to everybody else: names of sinks hold the ids of courses, and problems name files. */
export interface PublicReadiness {
  status: Readiness['status'];
  version: string;
  /** How many sinks are in each state. */
  sinks: Record<SinkStatus['state'], number>;
}

/** Adds the route. */
export function addReadyRoute(
  app: FastifyInstance,
  readiness: () => Readiness
): void {
  app.get('/readyz', (request, reply) => {
    const all = readiness();
    return reply
      .code(all.status === 'ready' ? 200 : 503)
      .send(mayKnow(request) ? all : publicPart(all));
  });
}

/** Without what tells the courses, the destinations and the machine. */
export function publicPart({
  status,
  version,
  sinks
}: Readiness): PublicReadiness {
  const counts = { running: 0, retrying: 0, stopped: 0 };
  for (const { state } of sinks) {
    counts[state] += 1;
  }
  return { status, version, sinks: counts };
}

function mayKnow(request: FastifyRequest): boolean {
  if (isFromThisMachine(request)) {
    return true;
  }
  try {
    return request.server.authenticate(request)?.role === 'operator';
  } catch (error) {
    // A key that does not work: its holder is told what everybody is.
    if (error instanceof RelayError) {
      return false;
    }
    throw error;
  }
}
