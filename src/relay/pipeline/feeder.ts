/** Brings the log to one sink: in order, at least once, at the sink's own pace, and past what it will never take. */
import {
  setImmediate as nextTurn,
  setTimeout as pause
} from 'node:timers/promises';
import type { SinkStatus } from '../../api/index.js';
import type { Sink } from '../../sinks/types.js';
import { recordsOf } from '../log/contents.js';
import type { EventLog, LogRecord } from '../log/types.js';
import { pauseMs } from './backoff.js';
import { batches, type Batch, type Contents } from './batches.js';
import { Circuit } from './circuit.js';
import { deliverBatch, type DeliveryCourse, type Suspect } from './delivery.js';
import type { Cursor, Position } from './cursor.js';
import type { DeadLetter, DeadLetters } from './deadLetters.js';
import { refusedLetters, unreadableLetters } from './refused.js';

/** What a feeder connects. */
export interface FeederOptions {
  log: Pick<EventLog, 'read' | 'status' | 'onDurable'>;
  sink: Sink;
  /** Moves only past what the sink confirmed, or what is durable among the dead letters. */
  cursor: Cursor;
  deadLetters: Pick<DeadLetters, 'put'>;
  /** Whether the sink gets this course's records. Default: all. */
  accepts?: (course: string) => boolean;
  /** Whether the course is a simulation. Default: none is. */
  simulated?: (course: string) => boolean;
  /** Called whenever the status may have changed. */
  onStatus?: (status: SinkStatus) => void;
  /** Between 0 and 1; `Math.random` by default. */
  random?: () => number;
  /** Waits; must reject or resolve early when `signal` aborts. */
  sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
  /** Most bytes of JSON in a delivery, about; a single longer event goes alone. Default 5 MB. */
  maxBytes?: number;
  /** End at the log's present end instead of waiting for more. */
  once?: boolean;
  /** How long `stop` waits for the delivery in flight, in milliseconds. Default 5000. */
  stopGraceMs?: number;
}

/** A sink's feeder at work. */
export interface Feeder {
  status(): SinkStatus;
  /** Resolves when nothing is fed any more: after `stop`, or at the log's end where it feeds `once`. */
  readonly done: Promise<void>;
  /** Cuts a pause short: what was wrong may have been put right. */
  wake(): void;
  /**
   * Stops feeding; idempotent. A delivery in flight may end and is then counted; past the grace
   * time it is abandoned, and its records will be delivered again.
   */
  stop(): Promise<void>;
}

/** Pause after the destination took nothing at all, in milliseconds. */
export const STOPPED_PAUSE_MS = 5 * 60_000;

/** Longest stretch of work without letting others have their turn, in milliseconds. */
const SLICE_MS = 8;

/** Starts to feed the sink from its cursor on. */
export function startFeeder(options: FeederOptions): Feeder {
  const feeder = new LogFeeder(options);
  feeder.start();
  return feeder;
}

class LogFeeder implements Feeder {
  readonly #stopping = new AbortController();
  /** Ends the present pause. */
  #pause = new AbortController();
  /** Ends the wait for new records. */
  #newRecords: () => void = () => undefined;
  /** Set when a stop was not waited for: nothing may be written any more. */
  #abandoned = false;
  #running: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  #position: Position;
  #state: SinkStatus['state'] = 'running';
  #delivered = 0;
  #setAside = 0;
  #retries = 0;
  readonly #circuit = new Circuit();
  #lastError: string | null;
  #lastTurn = performance.now();
  /** Failures in a row of this machine: its disk, not the destination. */
  #stumbles = 0;
  /** The log's edition that the events at hand are from. */
  #edition: number;
  readonly #course: DeliveryCourse;

  constructor(private readonly options: FeederOptions) {
    const { log, cursor } = options;
    const stored = cursor.position();
    // A log that was removed counts from the start again; a cursor beyond it would wait in vain.
    this.#position =
      stored.seq > log.status().next
        ? { seq: log.status().next, skip: 0 }
        : stored;
    this.#lastError = cursor.problem;
    this.#edition = log.status().edition;
    this.#course = {
      sink: options.sink,
      circuit: this.#circuit,
      ended: () => this.#isStopping() || this.#isStale(),
      abandoned: () => this.#abandoned,
      trying: () => {
        if (this.#circuit.state !== 'closed') {
          this.#circuit.trying();
          this.#show(this.#state);
        }
      },
      confirmed: count => {
        this.#delivered += count;
      },
      settle: async (batch, culprits, count) => {
        await this.#settle(batch, culprits, count);
        if (culprits.length === 0) {
          this.#show('running', null);
        }
      },
      failed: (reason, afterMs) => this.#fail(reason, afterMs),
      stopped: reason => this.#rest(reason)
    };
  }

  start(): void {
    this.#running = this.#run();
  }

  status(): SinkStatus {
    const { last } = this.options.log.status();
    return {
      name: this.options.sink.name,
      state: this.#state,
      circuit: this.#circuit.state,
      lag: Math.max(0, last - this.#position.seq + 1),
      seq: this.#position.seq,
      delivered: this.#delivered,
      setAside: this.#setAside,
      retries: this.#retries,
      lastError: this.#lastError
    };
  }

  get done(): Promise<void> {
    return this.#running;
  }

  wake(): void {
    this.#pause.abort();
  }

  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#stopping.abort();
      this.#pause.abort();
      this.#newRecords();
      const grace = new AbortController();
      await Promise.race([
        this.#running,
        pause(this.options.stopGraceMs ?? 5000, undefined, {
          signal: grace.signal
        }).catch(() => undefined)
      ]);
      grace.abort();
      this.#abandoned = true;
      this.#show('stopped');
    })();
    return this.#stopped;
  }

  /** Never rejects: whatever goes wrong is said in the status and tried again. */
  async #run(): Promise<void> {
    const unsubscribe = this.options.log.onDurable(() => this.#newRecords());
    try {
      while (!this.#isStopping()) {
        try {
          const { last } = this.options.log.status();
          if (!(await this.#catchUp())) {
            continue;
          }
          await this.#pass(last);
          if (this.options.once === true && this.#position.seq > last) {
            return;
          }
          await this.#waitForMoreThan(last);
        } catch (error) {
          await this.#stumble(messageOf(error));
        }
      }
    } finally {
      unsubscribe();
    }
  }

  /** Delivers everything up to the log's present end. Returns whether it got there. */
  async #catchUp(): Promise<boolean> {
    const { log, sink, maxBytes } = this.options;
    this.#edition = log.status().edition;
    const limits = {
      records: Math.max(1, sink.maxBatch),
      bytes: maxBytes ?? 5_000_000
    };
    for await (const batch of batches(
      log,
      this.#position,
      limits,
      record => this.#contentsOf(record),
      this.#stopping.signal
    )) {
      if (batch.unreadable.length > 0) {
        await this.#put(unreadableLetters(batch, sink.name, now()));
      }
      await deliverBatch(batch, this.#course);
      if (this.#course.ended()) {
        return false;
      }
      if (batch.events.length === 0) {
        await this.#moveTo(batch.end);
      }
      await this.#letOthersWork();
    }
    return !this.#isStopping();
  }

  /** Passes what is left up to `last`: the log was read to its end, so that is damaged for good. */
  async #pass(last: number): Promise<void> {
    if (!this.#isStopping() && this.#position.seq <= last) {
      await this.#moveTo({ seq: last + 1, skip: 0 });
    }
  }

  /** Sets the culprits aside and moves the cursor behind event `count`. */
  async #settle(
    batch: Batch,
    culprits: readonly Suspect[],
    count: number
  ): Promise<void> {
    if (culprits.length > 0) {
      if (this.#isStale()) {
        // Perhaps there is nothing left of them to be set aside: they are read again.
        return;
      }
      const { name } = this.options.sink;
      await this.#put(refusedLetters(batch, culprits, name, now()));
    }
    await this.#moveTo(batch.after(count));
  }

  #contentsOf(record: LogRecord): Contents {
    const { header, seq } = record;
    const { accepts, simulated, sink } = this.options;
    if (accepts && !accepts(header.course)) {
      return { events: [] };
    }
    try {
      const events = recordsOf(record, {
        simulated: simulated?.(header.course) ?? false
      });
      return { events: sink.prepare ? sink.prepare(events) : events };
    } catch (error) {
      const { at, course, key } = header;
      const reason = messageOf(error);
      return { events: [], unreadable: { seq, at, course, key, reason } };
    }
  }

  /** Sets letters aside, however long that takes: the cursor must not pass them before. */
  async #put(letters: DeadLetter[]): Promise<void> {
    for (;;) {
      try {
        await this.options.deadLetters.put(letters);
        this.#setAside += letters.length;
        this.#show('running', letters.at(-1)!.reason);
        return;
      } catch (error) {
        await this.#stumble(messageOf(error));
        if (this.#course.ended()) {
          throw error;
        }
      }
    }
  }

  async #moveTo(position: Position): Promise<void> {
    if (this.#abandoned) {
      return;
    }
    try {
      await this.options.cursor.move(position);
    } catch (error) {
      // The delivery stands. After a crash these records arrive once more, which sinks bear.
      this.#lastError = messageOf(error);
    }
    this.#position = position;
    this.#stumbles = 0;
  }

  /** Says what is wrong and waits before the next attempt. */
  async #fail(reason: string, askedMs?: number): Promise<void> {
    this.#circuit.failed();
    this.#retries += 1;
    this.#show('retrying', reason);
    await this.#sleep(this.#pauseMs(this.#circuit.failures, askedMs));
  }

  /** The same where it is not the destination that failed. */
  async #stumble(reason: string): Promise<void> {
    this.#stumbles += 1;
    this.#show('retrying', reason);
    await this.#sleep(this.#pauseMs(this.#stumbles));
  }

  #pauseMs(failures: number, askedMs?: number): number {
    return pauseMs(failures, (this.options.random ?? Math.random)(), askedMs);
  }

  /** Says that everything is turned away, and waits long. */
  async #rest(reason: string): Promise<void> {
    this.#circuit.stopped();
    this.#show('stopped', reason);
    await this.#sleep(STOPPED_PAUSE_MS);
  }

  async #sleep(ms: number): Promise<void> {
    if (this.#isStopping()) {
      return;
    }
    const sleep = this.options.sleep ?? defaultSleep;
    this.#pause = new AbortController();
    await sleep(ms, this.#pause.signal).catch(() => undefined);
  }

  async #waitForMoreThan(last: number): Promise<void> {
    if (this.#isStopping() || this.options.log.status().last > last) {
      return;
    }
    await new Promise<void>(resolve => (this.#newRecords = resolve));
  }

  async #letOthersWork(): Promise<void> {
    if (performance.now() - this.#lastTurn > SLICE_MS) {
      await nextTurn();
      this.#lastTurn = performance.now();
    }
  }

  /** Whether events at hand may have been taken out of the log since they were read. */
  #isStale(): boolean {
    return this.options.log.status().edition !== this.#edition;
  }

  #isStopping(): boolean {
    return this.#stopping.signal.aborted;
  }

  #show(state: SinkStatus['state'], lastError = this.#lastError): void {
    this.#state = state;
    this.#lastError = lastError;
    this.options.onStatus?.(this.status());
  }
}

function defaultSleep(ms: number, signal: AbortSignal): Promise<void> {
  return pause(ms, undefined, { signal, ref: false });
}

function now(): string {
  return new Date().toISOString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
