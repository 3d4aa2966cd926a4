/** Brings a door's log into a shared one: in order, at least once, and never lets go of what the engine may still lose. */
import { setTimeout as pause } from 'node:timers/promises';
import type { SinkStatus } from '../../api/index.js';
import type { EventLog, LogRecord } from '../log/types.js';
import { pauseMs } from '../pipeline/backoff.js';
import type { DeadLetter, DeadLetters } from '../pipeline/deadLetters.js';
import type { Engine, Publisher, Receipt, StreamFacts } from './engine.js';
import { messagesOf, type Message, type TooLong } from './message.js';
import { Outgoing } from './outgoing.js';
import { advance, lowestOf, startOver, type PlaceFile } from './place.js';
import { Room } from './room.js';

/** What a forwarder connects. */
export interface ForwarderOptions {
  log: Pick<EventLog, 'read' | 'onDurable' | 'status'>;
  engine: Engine;
  /** Id of this door. */
  door: string;
  place: PlaceFile;
  deadLetters: Pick<DeadLetters, 'put'>;
  /** How long records are kept after the engine took them, where that alone does not keep them safe; in ms. */
  keepMs: number;
  /** Whether the engine keeps safe what it took: as the stream tells, or as the operator knows. */
  safe: 'auto' | 'yes' | 'no';
  onStatus?: (status: SinkStatus) => void;
  /** Told what operators should know. */
  onProblem?: (message: string) => void;
  now?: () => number;
  /** After this time without a record the stream is looked at anew, in ms; a minute by default. */
  idleMs?: number;
}

/** A forwarder at work. */
export interface Forwarder {
  status(): SinkStatus;
  /** The lowest sequence number that is still needed: everything below may leave the log. */
  lowest(): number;
  /** Stops; what is under way is waited for, but not for ever. Idempotent. */
  stop(): Promise<void>;
}

/** Name under which the status appears. */
export const FORWARDER = 'forward';

/** Most that is under way at once. */
const MAX_MESSAGES = 64;
const MAX_BYTES = 8 * 1024 * 1024;
/** Longest pause between two attempts, in ms: the engine is near, and others wait for the events. */
const LONGEST_PAUSE_MS = 5_000;
const STOP_GRACE_MS = 6_000;

/** Starts to forward from the place on. */
export function startForwarder(options: ForwarderOptions): Forwarder {
  const forwarder = new LogForwarder(options);
  forwarder.start();
  return forwarder;
}

class LogForwarder implements Forwarder {
  readonly #stopping = new AbortController();
  readonly #now: () => number;
  /** Ends the wait for new records. */
  #wake: () => void = () => undefined;
  #running: Promise<void> = Promise.resolve();
  #stopped: Promise<void> | undefined;
  /** Everything below has arrived; the file follows. */
  #arrived: number;
  #receipt: Receipt | null = null;
  #saving: Promise<void> | undefined;
  #facts: StreamFacts | undefined;
  #state: SinkStatus['state'] = 'running';
  #delivered = 0;
  #setAside = 0;
  #failures = 0;
  #retries = 0;
  #lastError: string | null;

  constructor(private readonly options: ForwarderOptions) {
    this.#now = options.now ?? Date.now;
    const { place, problem } = options.place;
    // A log that was removed counts from the start again; a place beyond it would wait in vain.
    this.#arrived = Math.min(place.seq, options.log.status().next);
    this.#lastError = problem;
  }

  start(): void {
    this.#running = this.#run();
  }

  status(): SinkStatus {
    const { last } = this.options.log.status();
    return {
      name: FORWARDER,
      state: this.#state,
      circuit: 'closed',
      lag: Math.max(0, last - this.#arrived + 1),
      seq: this.#arrived,
      delivered: this.#delivered,
      setAside: this.#setAside,
      retries: this.#retries,
      lastError: this.#lastError
    };
  }

  lowest(): number {
    const { place } = this.options.place;
    return lowestOf(place, this.#now(), this.#keepMs());
  }

  stop(): Promise<void> {
    this.#stopped ??= (async () => {
      this.#stopping.abort();
      this.#wake();
      const grace = new AbortController();
      const late = pause(STOP_GRACE_MS, undefined, { signal: grace.signal });
      await Promise.race([this.#running, late.catch(() => undefined)]);
      grace.abort();
      this.#show('stopped');
    })();
    return this.#stopped;
  }

  /** Never rejects: whatever goes wrong is said in the status and tried again. */
  async #run(): Promise<void> {
    const unsubscribe = this.options.log.onDurable(() => this.#wake());
    try {
      while (!this.#isStopping()) {
        let publisher: Publisher | undefined;
        try {
          publisher = await this.options.engine.publisher();
          await this.#adopt(publisher);
          await this.#publishAll(publisher);
        } catch (error) {
          await this.#fail(messageOf(error));
        } finally {
          await publisher?.close().catch(() => undefined);
        }
      }
      await this.#saving;
    } finally {
      unsubscribe();
    }
  }

  /** Goes back to the oldest record that is still kept, where the engine lost what it took. */
  async #adopt(publisher: Publisher): Promise<void> {
    await this.#saving;
    const { facts } = publisher;
    const { place } = this.options.place;
    const fate = await this.#fateOf(publisher);
    if (fate !== 'held') {
      // What is lost for certain is looked for in all that is left of the log.
      const seq =
        fate === 'gone'
          ? Math.max(1, Math.min(place.seq, this.options.log.status().first))
          : lowestOf(place, this.#now(), this.#keepMs());
      await this.options.place.write(startOver(seq, facts, this.#now()));
      this.#arrived = seq;
      this.#receipt = null;
      this.options.onProblem?.(
        `the shared log ${fate === 'gone' ? 'lost' : 'may have lost'} what it had taken; everything from record ${seq} on is published again`
      );
    } else {
      const { incarnation: stream, keeper } = facts;
      if (place.stream !== stream || place.keeper !== keeper) {
        await this.options.place.write({ ...place, stream, keeper });
      }
    }
    this.#facts = facts;
    this.#show('running', null);
  }

  /** What became of the messages that the engine took. */
  async #fateOf({
    facts,
    holds
  }: Publisher): Promise<'held' | 'gone' | 'unknown'> {
    const { stream, keeper, last } = this.options.place.place;
    if (stream === null || last === null) {
      return stream === null || stream === facts.incarnation ? 'held' : 'gone';
    }
    if (stream !== facts.incarnation) {
      return 'gone';
    }
    const found = await holds(last);
    const sameRun = keeper !== null && keeper === facts.keeper;
    return found === 'unknown' && (sameRun || this.#isSafe(facts))
      ? 'held'
      : found;
  }

  /** Publishes everything there is and everything that comes; ends when nothing came for a while. */
  async #publishAll(publisher: Publisher): Promise<void> {
    const { log, idleMs = 60_000 } = this.options;
    const room = new Room(MAX_MESSAGES, MAX_BYTES);
    const ending = new AbortController();
    const signal = AbortSignal.any([ending.signal, this.#stopping.signal]);
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      ending.abort();
      this.#wake();
    };
    void publisher.ended.then(reason => fail(new Error(reason)));
    const outgoing = new Outgoing(({ seq, events, receipt }) => {
      this.#delivered += events;
      this.#failures = 0;
      this.#moveTo(seq + 1, receipt);
    });
    let next = this.#arrived;
    try {
      while (!signal.aborted) {
        const { last } = log.status();
        for await (const record of log.read(next)) {
          const messages = await this.#prepare(record, publisher.facts);
          const sent = outgoing.add(
            record.seq,
            messages.length,
            messages.length > 0 ? record.header.n : 0
          );
          outgoing.arrived(sent, null);
          for (const message of messages) {
            const { length } = message.payload;
            await room.enter(length);
            if (signal.aborted) {
              room.leave(length);
              break;
            }
            void publisher
              .publish(message)
              .then(receipt => outgoing.arrived(sent, receipt))
              .catch(fail)
              .finally(() => room.leave(length));
          }
          if (signal.aborted) {
            break;
          }
          next = record.seq + 1;
        }
        // Read to its end: a number below it that did not come is damaged for good.
        if (!signal.aborted && next <= last) {
          outgoing.arrived(outgoing.add(last, 0, 0), null);
          next = last + 1;
        }
        if (!(await this.#hasMore(next, idleMs, signal))) {
          break;
        }
      }
    } finally {
      await room.empty();
      this.#save();
      await this.#saving;
    }
    if (failure && !this.#isStopping()) {
      throw failure;
    }
  }

  /** The messages of a record; what the engine can never take is set aside before it counts as done. */
  async #prepare(record: LogRecord, facts: StreamFacts): Promise<Message[]> {
    if (record.header.from !== undefined) {
      // It came out of the shared log.
      return [];
    }
    const { header, seq } = record;
    const at = new Date(this.#now()).toISOString();
    const letter = { at, course: header.course, stage: FORWARDER };
    try {
      const { door } = this.options;
      const { messages, tooLong } = messagesOf(record, door, facts.maxBytes);
      await this.#put(
        tooLong.map(({ uuid, event, bytes }: TooLong) => ({
          ...letter,
          code: 'too_long',
          reason: `the shared log takes at most ${facts.maxBytes} bytes, the event has ${bytes}`,
          uuid,
          event
        }))
      );
      return messages;
    } catch (error) {
      if (!(error instanceof SyntaxError)) {
        throw error;
      }
      await this.#put([
        {
          ...letter,
          code: 'unreadable',
          reason: 'the record is no JSON',
          uuid: null,
          event: { seq, at: header.at, key: header.key }
        }
      ]);
      return [];
    }
  }

  async #put(letters: DeadLetter[]): Promise<void> {
    if (letters.length > 0) {
      await this.options.deadLetters.put(letters);
      this.#setAside += letters.length;
      this.#show('running', letters.at(-1)!.reason);
    }
  }

  #moveTo(seq: number, receipt: Receipt | null): void {
    this.#arrived = seq;
    this.#receipt = receipt ?? this.#receipt;
    this.#save();
  }

  /** Writes the place; while one write is under way the next one gathers. */
  #save(): void {
    this.#saving ??= (async () => {
      try {
        for (let written = 0; written !== this.#arrived;) {
          written = this.#arrived;
          const { place } = this.options.place;
          await this.options.place.write(
            advance(
              { ...place, last: this.#receipt ?? place.last },
              written,
              this.#now(),
              this.options.keepMs
            )
          );
        }
      } catch (error) {
        // What arrived has arrived; after a crash it is published again, which consumers recognise.
        this.#lastError = messageOf(error);
      } finally {
        this.#saving = undefined;
      }
    })();
  }

  async #hasMore(
    next: number,
    idleMs: number,
    signal: AbortSignal
  ): Promise<boolean> {
    if (signal.aborted || this.options.log.status().last >= next) {
      return !signal.aborted;
    }
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>(resolve => {
      this.#wake = resolve;
      timer = setTimeout(resolve, idleMs);
      timer.unref();
    });
    clearTimeout(timer);
    return this.options.log.status().last >= next;
  }

  /** Says what is wrong and waits before the next attempt. */
  async #fail(reason: string): Promise<void> {
    this.#failures += 1;
    this.#retries += 1;
    this.#show('retrying', reason);
    const ms = Math.min(
      LONGEST_PAUSE_MS,
      pauseMs(this.#failures, Math.random())
    );
    await pause(ms, undefined, { signal: this.#stopping.signal }).catch(
      () => undefined
    );
  }

  #keepMs(): number {
    // Before the stream was seen nothing is known of it.
    return this.#facts && this.#isSafe(this.#facts) ? 0 : this.options.keepMs;
  }

  #isSafe({ replicated }: StreamFacts): boolean {
    const { safe } = this.options;
    return safe === 'auto' ? replicated : safe === 'yes';
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
