/** A course as a stream of server-sent events, for as long as somebody reads it. */
import type { ServerResponse } from 'node:http';
import type { LiveMessage } from '../../api/index.js';
import type { InsightsSink } from '../../sinks/index.js';
import type { View } from '../auth/view.js';

/** How a stream behaves. */
export interface LiveOptions {
  /** Pause between signs of life, in ms. 15 s by default. */
  heartbeatMs?: number;
  /** Bytes that may wait for a reader beside its snapshot. 1 MiB by default. */
  maxWaitingBytes?: number;
}

/** The streams that are open. */
export class LiveStreams {
  readonly #open = new Set<ServerResponse>();
  readonly #heartbeatMs: number;
  readonly #maxWaitingBytes: number;

  constructor({
    heartbeatMs = 15_000,
    maxWaitingBytes = 1024 * 1024
  }: LiveOptions = {}) {
    this.#heartbeatMs = heartbeatMs;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** Number of readers. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Streams the course until the reader goes, stops reading, or `closeAll` is called. A reader
   * that falls behind is let go of: it comes back by itself and begins with a new snapshot.
   *
   * The headers must have been written. Returns false if there is no such course.
   *
   * @param view what the reader gets to see; asked for at each message, and null once the reader
   *   may see nothing any more, which ends the stream.
   */
  stream(
    response: ServerResponse,
    insights: InsightsSink,
    course: string,
    view: () => View | null = () => rows => rows
  ): boolean {
    // Subscribed before the snapshot is taken: what comes in between is told twice, not lost.
    const unsubscribe = insights.subscribe(course, change => {
      const seen = view()?.(change);
      if (seen) {
        send({ event: 'change', data: seen });
      } else {
        response.end();
      }
    });
    const all = insights.snapshot(course);
    const snapshot = all && view()?.(all);
    if (!snapshot) {
      unsubscribe();
      return false;
    }
    let allowance = this.#maxWaitingBytes;
    let unsent = 0;
    let sentAt = performance.now();

    const send = (message: LiveMessage): void => {
      write(
        `event: ${message.event}\ndata: ${JSON.stringify(message.data)}\n\n`
      );
    };
    const write = (text: string): void => {
      if (response.destroyed || response.writableEnded) {
        return;
      }
      unsent += 1;
      response.write(text, () => {
        unsent -= 1;
        sentAt = performance.now();
      });
      if (response.writableLength > allowance) {
        response.destroy();
      }
    };
    const beat = (): void => {
      // Nothing that waited has left since the last beat: nobody is reading.
      if (unsent > 0 && performance.now() - sentAt > this.#heartbeatMs) {
        response.destroy();
        return;
      }
      if (!view()) {
        response.end();
        return;
      }
      write('event: ping\ndata: {}\n\n');
    };

    const heartbeat = setInterval(beat, this.#heartbeatMs);
    heartbeat.unref();
    this.#open.add(response);
    response.on('close', () => {
      clearInterval(heartbeat);
      unsubscribe();
      this.#open.delete(response);
    });

    const first = `retry: 2000\n\nevent: snapshot\ndata: ${JSON.stringify(snapshot)}\n\n`;
    allowance += Buffer.byteLength(first);
    write(first);
    write('event: ping\ndata: {}\n\n');
    return true;
  }

  /** Ends all streams. */
  closeAll(): void {
    for (const response of this.#open) {
      response.end();
    }
  }
}
