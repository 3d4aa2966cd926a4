/** Reads a request's body within limits of size, time and the memory that all bodies may take together. */
import type { IncomingMessage } from 'node:http';
import { RelayError } from '../errors.js';

/** Limits of one body. */
export interface BodyLimits {
  bytes: number;
  timeoutMs: number;
}

/** Raised where the client went away: there is nobody to answer. */
export class ClientGoneError extends Error {
  constructor() {
    super('The client went away before its body was complete.');
    this.name = 'ClientGoneError';
  }
}

/** Memory for bodies being worked on; a door that is out of it turns requests away for a moment. */
export class BodyMemory {
  #used = 0;

  constructor(private readonly limit: number) {}

  /** Takes `bytes` of it. @throws RelayError `busy` if there is not enough. */
  take(bytes: number): void {
    if (this.#used > 0 && this.#used + bytes > this.limit) {
      throw new RelayError('busy');
    }
    this.#used += bytes;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}

/**
 * The whole body as it was received. The caller gives its length back to `memory`.
 *
 * @throws RelayError `body_too_large`, `body_timeout` or `busy`; ClientGoneError.
 */
export function readBody(
  request: IncomingMessage,
  limits: BodyLimits,
  memory: BodyMemory
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    let timer: NodeJS.Timeout | undefined;

    const announced = Number(request.headers['content-length'] ?? 0);
    if (announced > limits.bytes) {
      reject(tooLarge(limits, announced));
      return;
    }

    function settle(error?: Error): void {
      clearTimeout(timer);
      request.off('data', onData).off('end', onEnd).off('close', onClose);
      if (error) {
        memory.give(length);
        reject(error);
      } else {
        resolve(
          chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)
        );
      }
    }
    function onData(chunk: Buffer): void {
      try {
        if (length + chunk.length > limits.bytes) {
          throw tooLarge(limits, `${length + chunk.length} and more`);
        }
        memory.take(chunk.length);
        length += chunk.length;
        chunks.push(chunk);
        // A body in one piece, as nearly all are, needs no timer.
        timer ??= length < announced || announced === 0 ? start() : undefined;
      } catch (error) {
        settle(error as Error);
      }
    }
    function onEnd(): void {
      settle();
    }
    function onClose(): void {
      settle(new ClientGoneError());
    }
    function start(): NodeJS.Timeout {
      return setTimeout(() => {
        settle(
          new RelayError('body_timeout', {
            seconds: limits.timeoutMs / 1000,
            bytes: length
          })
        );
      }, limits.timeoutMs);
    }

    request.on('data', onData).on('end', onEnd).on('close', onClose);
    // A client that announces a body and sends nothing of it.
    timer = start();
  });
}

function tooLarge(limits: BodyLimits, given: number | string): RelayError {
  return new RelayError('body_too_large', { limit: limits.bytes, given });
}
