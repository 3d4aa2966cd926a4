/** What a durable event log promises, whichever way it stores. */

/** What the door knew of one event of a body. */
export interface EventNote {
  /** Id, where the client gave none and the door minted one. */
  uuid?: string;
  /** Absolute time, ISO 8601 UTC, where it is not simply the event's `timestamp` less the record's skew. */
  timestamp?: string;
}

/** Header of a record: what the relay knew when it took the body. JSON, so later versions may add fields. */
export interface RecordHeader {
  /** Format of header and body. */
  v: 1;
  /** Receipt time, ISO 8601 UTC. */
  at: string;
  course: string;
  /** Id of the key that let the body in; never the key. */
  key: string;
  /** Student verified by the Hub. */
  student?: string;
  /** Milliseconds the client's clock ran ahead; to be taken off each timestamp. */
  skew: number;
  /** Milliseconds the client's clock would run behind, where that is too much to be believed and is not in `skew`. */
  behind?: number;
  /** In the inbox: the client's clock, where it stood beside the body. */
  sentAt?: string;
  /** Number of events in the body. */
  n: number;
  /** Notes by position of the event in the body; left out where there is nothing to note. */
  notes?: Record<number, EventNote>;
  /** Where it came from a shared log: the message's id there, and when it arrived here, ISO 8601 UTC. */
  from?: { id: string; at: string };
}

/** One record as read back: one accepted request. `body` is JSON text in UTF-8. */
export interface LogRecord {
  seq: number;
  header: RecordHeader;
  body: Uint8Array;
}

/** How the log is doing. */
export interface LogStatus {
  /** Lowest number that a record can have; 0 in a log that holds none. */
  first: number;
  /** Last number that became durable, also where its record was removed since; 0 in a new log. */
  last: number;
  /** What the next append gets: above `last`, and not always by one. */
  next: number;
  bytes: number;
  segments: number;
  /** Damaged stretches skipped while reading or at start. */
  damaged: number;
  /** Bytes of an unacknowledged tail cut off at start. */
  tornBytes: number;
  /** Grows whenever `rewrite` has changed or dropped records, before it settles: what was read earlier may be gone. */
  edition: number;
}

/** Raised by `append` when nothing more can be made durable; `code` tells why. */
export class LogUnavailableError extends Error {
  constructor(
    readonly code: 'closed' | 'disk-full' | 'disk-reserve' | 'flush-failed',
    message: string,
    options?: ErrorOptions
  ) {
    super(message, options);
    this.name = 'LogUnavailableError';
  }
}

/** Raised at opening for a log that this version cannot read. */
export class LogFormatError extends Error {
  readonly code = 'unknown-format';

  constructor(message: string) {
    super(message);
    this.name = 'LogFormatError';
  }
}

/** Longest body of a record, in bytes. */
export const MAX_BODY_BYTES = 100 * 1024 * 1024;
/** Longest header of a record as JSON, in bytes. */
export const MAX_HEADER_BYTES = 64 * 1024 * 1024;

/** What becomes of a record when the log is written again. */
export type Change =
  'keep' | 'drop' | { header: RecordHeader; body: Uint8Array };

/** What `release` gave back. */
export interface Released {
  /** Files, or what stands for them, that are gone. */
  segments: number;
  bytes: number;
}

/** What `rewrite` did. */
export interface Rewritten {
  /** Records looked at. */
  records: number;
  changed: number;
  dropped: number;
  /** Damaged stretches removed: what cannot be read cannot be searched for what has to go. */
  damaged: number;
}

/** How far `rewrite` is. */
export interface RewriteProgress {
  /** Bytes of the range looked at, of `total`. */
  bytes: number;
  total: number;
}

/** A stretch of the log that `release` removes as a whole. */
export interface LogPart {
  /** No record in it has a lower number, and none in an earlier part a number as high. */
  first: number;
  bytes: number;
}

/** Append-only log of accepted requests. Sequence numbers start at 1 and never repeat. */
export interface EventLog {
  /**
   * Appends one record. `body` must not be changed before the promise settles.
   *
   * @returns its sequence number, once it is on disk and survives a power cut.
   * @throws LogUnavailableError if it could not be made durable; it may then be in the log or not.
   * @throws RangeError if the body or the header is longer than a record may be.
   */
  append(header: RecordHeader, body: Uint8Array): Promise<number>;
  /** Resolves once everything appended before the call is durable; rejects if any of it failed. */
  flushed(): Promise<void>;
  /** Durable records from `seq` on, in order, up to the durable end at the time of reading. Damage is skipped and counted. */
  read(seq: number): AsyncIterable<LogRecord>;
  /** Calls back with the last durable sequence number whenever it grows. The listener must not throw. Returns the unsubscriber. */
  onDurable(listener: (lastSeq: number) => void): () => void;
  status(): LogStatus;
  /** Its parts, oldest first. */
  parts(): LogPart[];
  /**
   * Removes every part all of whose records have numbers below `below`. The caller has made sure
   * that no reader needs them any more, and that this is durable.
   */
  release(below: number): Promise<Released>;
  /**
   * Lets `change` decide about every record from `from` up to, not including, `to` (all of what is
   * durable at the call by default), and makes that durable. Records keep their numbers; a dropped
   * one leaves a gap. Once it has settled no reading, even one that began earlier, gives a record as
   * it was; who keeps records that it has read compares `edition`. After a crash some of the range
   * has been written again and some not, each record as a whole: call it again.
   *
   * @throws LogUnavailableError if the disk takes no more, or the log was closed meanwhile.
   * @throws whatever `change` throws. What was changed before stays changed.
   */
  rewrite(
    change: (record: LogRecord) => Change | Promise<Change>,
    range?: { from?: number; to?: number },
    progress?: (progress: RewriteProgress) => void
  ): Promise<Rewritten>;
  /** Flushes and closes; later appends are refused. Idempotent. */
  close(): Promise<void>;
}
