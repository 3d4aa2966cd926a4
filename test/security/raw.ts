/** Requests byte by byte, as no well-behaved client would send them. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';

/** Sends the text to the relay and resolves to all that it answers until the connection ends. */
export async function sendRaw(port: number, request: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(request);
  return text(socket);
}

/** A GET of a path as it stands, with further headers. */
export function getRaw(
  port: number,
  path: string,
  headers: readonly string[] = []
): Promise<string> {
  return sendRaw(
    port,
    [
      `GET ${path} HTTP/1.1`,
      ...(headers.some(line => line.startsWith('Host:')) ? [] : ['Host: x']),
      'Connection: close',
      ...headers,
      '',
      ''
    ].join('\r\n')
  );
}
