/** The seam between a relay and a shared log, whichever makes it: NATS JetStream, or whatever speaks Kafka's protocol. */
import type { Message } from './message.js';

/** What the engine said when it took a message. */
export interface Receipt {
  id: string;
  /** Where it stands in the engine: a sequence number, or a partition and an offset. */
  place: string;
}

/** What a connection found out about the stream. */
export interface StreamFacts {
  /** Changes when the stream is made anew, or is another one. */
  incarnation: string;
  /**
   * Whether what the engine took survives a power cut of one of its machines. Where it does not,
   * the door keeps its segments for a while.
   */
  replicated: boolean;
  /**
   * The run of the process that alone holds a stream without replicas, where that is known: as long
   * as it is the same one, it has forgotten nothing.
   */
  keeper: string | null;
  /** In words, for the status. */
  description: string;
  /** Longest payload of a message, in bytes. */
  maxBytes: number;
}

/** A connection that publishes. It ends with the first thing that goes wrong; the next one looks at the stream anew. */
export interface Publisher {
  readonly facts: StreamFacts;
  /** Resolves with the reason when the connection ended, whoever ended it. */
  readonly ended: Promise<string>;
  /** Resolves once the engine took it; messages are sent in the order of the calls. */
  publish(message: Message): Promise<Receipt>;
  /**
   * Whether the engine still has what it took: `gone` if it has lost it, `unknown` where that
   * cannot be told because a consumer may have taken it out.
   */
  holds(receipt: Receipt): Promise<'held' | 'gone' | 'unknown'>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A message on its way to a consumer. */
export interface Delivery {
  payload: Uint8Array;
  /** Tells the engine that it is on this relay's disk. */
  done(): void;
  /** Asks for it again, not before `afterMs`. */
  again(afterMs: number): void;
}

/** A connection that reads. */
export interface Subscriber {
  /** Messages in the engine that are not taken yet; null where that is not known. */
  waiting(): number | null;
  /** Hands over message after message; resolves when the connection ended, with the reason. */
  run(take: (delivery: Delivery) => Promise<void>): Promise<string>;
  /** Idempotent. */
  close(): Promise<void>;
}

/** A shared log. */
export interface Engine {
  /**
   * Connects, and makes the stream where it is missing.
   *
   * @throws Error that says what to do; trying again later may help.
   */
  publisher(): Promise<Publisher>;
  /**
   * Connects and takes its share of the stream.
   *
   * @throws as `publisher` does.
   */
  subscriber(share: Share): Promise<Subscriber>;
}

/** Which part of the courses a consumer takes: part `index` (from 0) of `count`. */
export interface Share {
  index: number;
  count: number;
}
