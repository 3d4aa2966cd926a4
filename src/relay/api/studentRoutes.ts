/** `/api/v1/me`: what a course has of a student, for the student alone, whom the JupyterHub vouches for. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Admission } from '../auth/admission.js';
import { bearerOf } from '../auth/bearer.js';
import type { CourseStore } from '../courses/courseStore.js';
import type { Course } from '../courses/courseFile.js';
import { RelayError } from '../errors.js';
import { corsHeaders } from '../http.js';
import { HUB_TOKEN_HEADER, type StudentCheck } from '../hub/students.js';
import type { Desk, Exported, StudentReport } from '../privacy/desk.js';
import { csvOf } from '../privacy/csv.js';
import type { ForgetJob } from '../privacy/forgetFile.js';
import { createStudentWork } from './studentWork.js';

/** What the routes need. */
export interface StudentRouteParts {
  courses: Pick<CourseStore, 'holderOf'>;
  admission: Admission;
  studentOf: StudentCheck;
  /** Undefined before the relay is open. */
  desk: () => Desk | undefined;
}

const PATH = '/api/v1/me';

/**
 * Adds the routes. A course's key is the whole class's, so it says which course and never who: the
 * student is whom the Hub names for the token that their Jupyter server forwards. Nobody else is
 * answered, and nobody can name another student.
 */
export function addStudentRoutes(
  app: FastifyInstance,
  parts: StudentRouteParts
): void {
  const inTurn = createStudentWork();

  app.options(PATH, (request, reply) =>
    reply
      .headers({
        ...corsHeaders(request.raw),
        'access-control-allow-methods': 'GET, DELETE, OPTIONS'
      })
      .code(200)
      .send()
  );

  app.get(PATH, async (request, reply) => {
    reply.headers({
      ...corsHeaders(request.raw),
      'cache-control': 'no-store'
    });
    const { course, student, desk } = await whoAsks(request);
    const { format } = request.query as { format?: unknown };
    const found: Exported[] = [];
    const ask = { student, exact: true, course: course.id, who: 'student' };
    await inTurn('read', { course: course.id, student }, isThere(request), () =>
      desk.export(ask, part => found.push(part))
    );
    if (format === 'csv') {
      return reply
        .header('content-disposition', 'attachment; filename="my-data.csv"')
        .type('text/csv; charset=utf-8')
        .send(csvOf(found));
    }
    return reply.send({
      course: course.id,
      student,
      events: found.flatMap(part =>
        part.kind === 'event' ? [part.event] : []
      ),
      set_aside: found.flatMap(part =>
        part.kind === 'set_aside' ? [part.letter] : []
      ),
      report:
        found.find(
          (
            part
          ): part is { kind: 'derived' } & typeof part & {
              report: StudentReport;
            } => part.kind === 'derived'
        )?.report ?? null
    });
  });

  app.delete(PATH, async (request, reply) => {
    reply.headers(corsHeaders(request.raw));
    const { course, student, desk } = await whoAsks(request);
    const ask = { student, exact: true, course: course.id, who: 'student' };
    // Also for a client that has gone: a deletion that was asked for is done.
    const jobs = await inTurn(
      'delete',
      { course: course.id, student },
      () => true,
      () => desk.forget(ask)
    );
    return reply.send({ course: course.id, ...told(jobs![0]!) });
  });

  async function whoAsks(
    request: FastifyRequest
  ): Promise<{ course: Course; student: string; desk: Desk }> {
    await parts.admission.enter(request.raw);
    const key = bearerOf(request.headers.authorization);
    if (key === undefined) {
      throw new RelayError('missing_key');
    }
    const holder = parts.courses.holderOf(key);
    if (holder.kind !== 'known') {
      throw new RelayError(`${holder.kind}_key`);
    }
    await parts.admission.admit(request.raw, holder);
    const { course } = holder;
    const token = request.headers[HUB_TOKEN_HEADER];
    const student = await parts.studentOf(
      typeof token === 'string' ? token : undefined,
      course
    );
    if (student === undefined) {
      const { contact, receiver } = course.notice;
      throw new RelayError('not_verified', { contact: contact ?? receiver });
    }
    const desk = parts.desk();
    if (!desk) {
      throw new RelayError('starting');
    }
    return { course, student, desk };
  }
}

/** Tells whether whoever asked still waits for the answer. */
function isThere({ raw }: FastifyRequest): () => boolean {
  return () => !raw.socket.destroyed;
}

/** What a student is told of a deletion. */
function told({
  id,
  requestedAt,
  removed,
  posthog,
  posthogRequestedAt,
  posthogConfirmedAt
}: ForgetJob): Record<string, unknown> {
  return {
    job: id,
    requested_at: requestedAt,
    removed,
    posthog,
    posthog_requested_at: posthogRequestedAt ?? null,
    posthog_confirmed_at: posthogConfirmedAt ?? null
  };
}
