/** `GET /api/v1/course`: what clients may know of the course that their key belongs to. */
import { createHash } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import type { Admission } from '../auth/admission.js';
import { bearerOf } from '../auth/bearer.js';
import { publicSettings } from '../courses/courseFile.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import { corsHeaders } from '../http.js';

/** Adds the route. Pages of any origin may read it: the key is the credential, no cookie counts. */
export function addCourseRoute(
  app: FastifyInstance,
  courses: Pick<CourseStore, 'holderOf'>,
  admission: Admission
): void {
  const path = '/api/v1/course';

  app.options(path, (request, reply) =>
    reply.headers(corsHeaders(request.raw)).code(200).send()
  );

  app.get(path, async (request, reply) => {
    reply.headers(corsHeaders(request.raw));
    await admission.enter(request.raw);
    const key = bearerOf(request.headers.authorization);
    if (key === undefined) {
      throw new RelayError('missing_key');
    }
    const holder = courses.holderOf(key);
    if (holder.kind !== 'known') {
      throw new RelayError(`${holder.kind}_key`);
    }
    await admission.admit(request.raw, holder);
    const body = JSON.stringify(publicSettings(holder.course));
    const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`;
    reply.headers({ etag, 'cache-control': 'private, no-cache' });
    return matches(request.headers['if-none-match'], etag)
      ? reply.code(304).send()
      : reply.type('application/json; charset=utf-8').send(body);
  });
}

function matches(asked: string | undefined, etag: string): boolean {
  return (asked ?? '')
    .split(',')
    .some(tag => ['*', etag].includes(tag.trim().replace(/^W\//, '')));
}
