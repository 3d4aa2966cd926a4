/** Whether a request comes from a program on the relay's own machine. */
import type { FastifyRequest } from 'fastify';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOOPBACK_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/i;

/**
 * Whether a program on this machine asks, and asks for itself: a proxy on the same machine says
 * for whom it asks, and a page that had its name point here (DNS rebinding) asks for that name.
 */
export function isFromThisMachine({
  raw
}: Pick<FastifyRequest, 'raw'>): boolean {
  const { headers, socket } = raw;
  return (
    LOOPBACK.test(socket.remoteAddress ?? '') &&
    LOOPBACK_HOST.test(headers.host ?? '') &&
    !Object.keys(headers).some(
      name =>
        name === 'forwarded' ||
        name === 'via' ||
        name === 'x-real-ip' ||
        name.startsWith('x-forwarded-')
    )
  );
}
