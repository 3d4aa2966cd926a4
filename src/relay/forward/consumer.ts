/** Brings a shared log into this relay's own: each event once, and out of the shared one only when it is on this disk. */
import { setTimeout as pause } from 'node:timers/promises';
import type { SinkStatus } from '../../api/index.js';
import type { CourseStore } from '../courses/courseStore.js';
import type { DuplicateWindow } from '../door/duplicates.js';
import type { EventLog, RecordHeader } from '../log/types.js';
import { pauseMs } from '../pipeline/backoff.js';
import type { DeadLetters } from '../pipeline/deadLetters.js';
import type { Delivery, Engine, Share, Subscriber } from './engine.js';
import {
  eventIds,
  open,
  readMessage,
  select,
  type Received
} from './message.js';
import { Room } from './room.js';

/** What a consumer connects. */
export interface ConsumerOptions {
  engine: Engine;
  share: Share;
  log: Pick<EventLog, 'append' | 'flushed'>;
  duplicates: Pick<DuplicateWindow, 'add' | 'remove'>;
  courses: Pick<CourseStore, 'course'>;
  deadLetters: Pick<DeadLetters, 'put'>;
  onStatus?: (status: SinkStatus) => void;
  now?: () => number;
}

/** A consumer at work. */
export interface Consumer {
  status(): SinkStatus;
  /** Stops; what is being written is waited for. Idempotent. */
  stop(): Promise<void>;
}

/** Name under which the status appears. */
export const CONSUMER = 'consume';

/** Most that is being written at once. */
const MAX_MESSAGES = 512;
const MAX_BYTES = 32 * 1024 * 1024;
const LONGEST_PAUSE_MS = 5_000;
/** When a message comes again whose course is not known here, or which could not be written, in ms. */
const UNKNOWN_COURSE_MS = 2_000;
const UNWRITTEN_MS = 1_000;

/** Starts to take messages. */
export function startConsumer(options: ConsumerOptions): Consumer {
  const consumer = new LogConsumer(options);
  consumer.start();
  return consumer;
}

class LogConsumer implements Consumer {
  readonly #stopping = new AbortController();
  readonly #room = new Room(MAX_MESSAGES, MAX_BYTES);
  readonly #now: () => number;
  #subscriber: Subscriber | undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #state: SinkStatus['state'] = 'running';
  #delivered = 0;
  #setAside = 0;
  #failures = 0;
  #retries = 0;
  #lastError: string | null = null;
  /** Courses whose messages wait. */
  readonly #unknown = new Set<string>();

  constructor(private readonly options: ConsumerOptions) {
    this.#now = options.now ?? Date.now;
  }

  start(): void {
    this.#running = this.#run();
  }

  status(): SinkStatus {
    return {
      name: CONSUMER,
      state: this.#state,
      circuit: 'closed',
      lag: this.#subscriber?.waiting() ?? 0,
      seq: 0,
      delivered: this.#delivered,
      setAside: this.#setAside,
      retries: this.#retries,
      lastError: this.#lastError
    };
  }

  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#stopping.abort();
      await this.#room.empty();
      await this.#subscriber?.close();
      await this.#running;
      this.#show('stopped');
    })();
    return this.#stopped;
  }

  /** Never rejects: whatever goes wrong is said in the status and tried again. */
  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      let reason: string;
      try {
        this.#subscriber = await this.options.engine.subscriber(
          this.options.share
        );
        this.#show('running', null);
        reason = signal.aborted
          ? 'stopped'
          : await this.#subscriber.run(delivery => this.#take(delivery));
      } catch (error) {
        reason = messageOf(error);
      }
      await this.#subscriber?.close().catch(() => undefined);
      if (!signal.aborted) {
        this.#failures += 1;
        this.#retries += 1;
        this.#show('retrying', reason);
        await pause(
          Math.min(LONGEST_PAUSE_MS, pauseMs(this.#failures, Math.random())),
          undefined,
          { signal }
        ).catch(() => undefined);
      }
    }
  }

  /** Takes a message in; resolves when there is room for the next one, and not when this one is written. */
  async #take(delivery: Delivery): Promise<void> {
    const { length } = delivery.payload;
    await this.#room.enter(length);
    if (this.#stopping.signal.aborted) {
      this.#room.leave(length);
      return;
    }
    void this.#keep(delivery)
      .catch((error: unknown) => {
        this.#show('retrying', messageOf(error));
        delivery.again(UNWRITTEN_MS);
      })
      .finally(() => this.#room.leave(length));
  }

  async #keep(delivery: Delivery): Promise<void> {
    let received: Received;
    try {
      received = readMessage(delivery.payload);
    } catch (error) {
      await this.#putAside('', null, messageOf(error), delivery);
      return;
    }
    const { course } = received.header;
    if (!this.options.courses.course(course)) {
      // Its sinks are not known either; the message waits where it is.
      this.#unknown.add(course);
      this.#show(
        'running',
        `course ${course} is not known here: its events wait in the shared log. Give this relay the doors' courses.json.`
      );
      delivery.again(UNKNOWN_COURSE_MS);
      return;
    }
    let writing: Promise<void>;
    try {
      writing = this.#write(received);
    } catch (error) {
      if (!(error instanceof SyntaxError)) {
        throw error;
      }
      await this.#putAside(course, received, 'the body is no JSON', delivery);
      return;
    }
    await writing;
    delivery.done();
    const known = this.#unknown.delete(course);
    if (known || this.#failures > 0 || this.#state !== 'running') {
      this.#failures = 0;
      this.#show('running', null);
    }
  }

  /** Appends what is new of a message, in the order of the calls. Resolves once all of it is durable. */
  #write({ id, header, body }: Received): Promise<void> {
    const { duplicates, log } = this.options;
    const { course } = header;
    const opened = open(body);
    const ids = eventIds(id, header, opened);
    const now = this.#now();
    const fresh = ids.flatMap((uuid, position) =>
      duplicates.add(course, uuid, now) ? [position] : []
    );
    const waits: Promise<unknown>[] = [];
    if (fresh.length < ids.length) {
      // First copies may still be on their way to the disk.
      waits.push(log.flushed());
    }
    if (fresh.length > 0) {
      const from = { id, at: new Date(now).toISOString() };
      const part =
        fresh.length < ids.length || namesAll(header, opened.events, ids)
          ? select(header, opened, fresh, ids)
          : { header, body };
      const appended = log.append({ ...part.header, from }, part.body);
      waits.push(
        appended.catch((error: unknown) => {
          fresh.forEach(position => duplicates.remove(course, ids[position]!));
          throw error;
        })
      );
    }
    return Promise.all(waits).then(() => {
      this.#delivered += fresh.length;
    });
  }

  async #putAside(
    course: string,
    received: Received | null,
    reason: string,
    delivery: Delivery
  ): Promise<void> {
    await this.options.deadLetters.put([
      {
        at: new Date(this.#now()).toISOString(),
        course,
        stage: CONSUMER,
        code: 'unreadable',
        reason,
        uuid: null,
        event: received
          ? {
              id: received.id,
              at: received.header.at,
              key: received.header.key
            }
          : { bytes: delivery.payload.length }
      }
    ]);
    this.#setAside += 1;
    this.#show('running', reason);
    delivery.done();
  }

  #show(state: SinkStatus['state'], lastError = this.#lastError): void {
    this.#state = state;
    this.#lastError = lastError;
    this.options.onStatus?.(this.status());
  }
}

/** Whether an event has its id from here alone, so that it must be noted. */
function namesAll(
  header: RecordHeader,
  events: readonly unknown[],
  ids: readonly string[]
): boolean {
  return events.some(
    (event, position) =>
      header.notes?.[position]?.uuid === undefined &&
      (event as { uuid?: unknown } | null)?.uuid !== ids[position]
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
