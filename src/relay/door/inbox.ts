/** The inbox: bodies that were acknowledged as they came, once they were durable, and are judged afterwards. */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Course, CourseKey } from '../courses/courseFile.js';
import type { CourseStore } from '../courses/courseStore.js';
import { RelayError } from '../errors.js';
import { openSegmentLog } from '../log/segmentLog.js';
import type { EventLog, LogRecord } from '../log/types.js';
import { pauseMs } from '../pipeline/backoff.js';
import { openCursor, type Cursor } from '../pipeline/cursor.js';
import { takeIn, type IntakeParts, type Receipt } from './intake.js';

/** What an inbox works with. */
export interface InboxOptions {
  /** Folder of its log, made with the first body, and file of the place up to which it is judged. */
  dir: string;
  place: string;
  /** Adds what the relay does before an append, such as looking for room on the disk. */
  guard: (log: EventLog) => Pick<EventLog, 'append'>;
  intake: Omit<IntakeParts, 'courses'> & {
    courses: Pick<CourseStore, 'holderOf' | 'course'>;
  };
  /** Told what became of each body. */
  onReceipt?: (receipt: Receipt) => void;
  onProblem: (problem: string) => void;
}

/** Bodies on their way from the disk to the event log. */
export interface Inbox {
  /** Keeps a body without any key in it; resolves once it is durable. */
  put(
    body: Buffer,
    about: {
      course: Course;
      key: CourseKey;
      receivedMs: number;
      sentAt?: string | undefined;
    }
  ): Promise<void>;
  /** Judges what is there; resolves when all of it is in the event log, and nothing of it in the inbox's files. */
  empty(): Promise<void>;
  /** Records that are not judged yet. */
  waiting(): number;
  /** Finishes the bodies at work; the others are judged after the next start. Idempotent. */
  close(): Promise<void>;
}

/** Bodies judged side by side, which share one flush of the event log. */
const AT_ONCE = 64;
/** Longest text of a body that the dead letters keep, in characters. */
const MAX_LETTER_CHARS = 64_000;

/** Opens the inbox; one that was never used has no files. Bodies of an earlier run are judged at once. */
export async function openInbox(options: InboxOptions): Promise<Inbox> {
  const inbox = new LogInbox(options);
  if (existsSync(options.dir)) {
    await inbox.open();
  }
  return inbox;
}

class LogInbox implements Inbox {
  #log: EventLog | undefined;
  #guarded: Pick<EventLog, 'append'> | undefined;
  #cursor: Cursor | undefined;
  #opening: Promise<void> | undefined;
  #work: Promise<void> | undefined;
  readonly #closing = new AbortController();

  constructor(private readonly options: InboxOptions) {}

  open(): Promise<void> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined;
      throw error;
    });
    return this.#opening;
  }

  async put(
    body: Buffer,
    { course, key, receivedMs, sentAt }: Parameters<Inbox['put']>[1]
  ): Promise<void> {
    await this.open();
    await this.#guarded!.append(
      {
        v: 1,
        at: new Date(receivedMs).toISOString(),
        course: course.id,
        key: key.id,
        skew: 0,
        n: 0,
        ...(sentAt === undefined ? {} : { sentAt })
      },
      body
    );
    void this.#judge();
  }

  async empty(): Promise<void> {
    if (!this.#opening) {
      return;
    }
    await this.open();
    while (this.waiting() > 0 && !this.#closing.signal.aborted) {
      await this.#judge();
    }
    await this.#log!.rewrite(async ({ seq }) =>
      seq < this.#cursor!.position().seq ? 'drop' : 'keep'
    );
  }

  waiting(): number {
    return this.#log
      ? this.#log.status().last - this.#cursor!.position().seq + 1
      : 0;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#opening?.catch(() => undefined);
    await this.#work;
    await this.#log?.close();
  }

  async #open(): Promise<void> {
    const { dir, place, guard } = this.options;
    await mkdir(dir, { recursive: true, mode: 0o700 });
    const cursor = await openCursor(place);
    const log = await openSegmentLog({
      dir,
      startAt: cursor.position().seq
    });
    this.#cursor = cursor;
    this.#log = log;
    this.#guarded = guard(log);
    void this.#judge();
  }

  /** Judges what waits, one round at a time. Never rejects. */
  #judge(): Promise<void> {
    this.#work ??= this.#rounds().finally(() => (this.#work = undefined));
    return this.#work;
  }

  async #rounds(): Promise<void> {
    for (let failures = 0; this.waiting() > 0;) {
      if (this.#closing.signal.aborted) {
        return;
      }
      try {
        await this.#round();
        failures = 0;
      } catch (error) {
        failures += 1;
        this.options.onProblem(messageOf(error));
        await pause(pauseMs(failures, Math.random()), undefined, {
          signal: this.#closing.signal,
          ref: false
        }).catch(() => undefined);
      }
    }
  }

  /** The next bodies, in their order; what was judged before a crash is known again by its ids. */
  async #round(): Promise<void> {
    const log = this.#log!;
    const cursor = this.#cursor!;
    const { last } = log.status();
    const records: LogRecord[] = [];
    for await (const record of log.read(cursor.position().seq)) {
      records.push(record);
      if (records.length === AT_ONCE || record.seq >= last) {
        break;
      }
    }
    await Promise.all(records.map(record => this.#settle(record)));
    // Nothing more to read: the rest of the numbers is damaged for good.
    const next = (records.at(-1)?.seq ?? last) + 1;
    await cursor.move({ seq: next, skip: 0 });
    await log.release(next);
  }

  async #settle(record: LogRecord): Promise<void> {
    const { intake, onReceipt } = this.options;
    const { header, body } = record;
    const course = intake.courses.course(header.course);
    const at = header.at;
    try {
      if (!course) {
        throw new RelayError('unknown_course', { given: header.course });
      }
      const receipt = await takeIn(
        {
          // Belongs to the intake, and may be judged again.
          bytes: Buffer.from(body),
          receivedMs: Date.parse(at),
          sentAt: header.sentAt,
          holder: { key: { id: header.key }, course }
        },
        intake
      );
      onReceipt?.(receipt);
    } catch (error) {
      if (!(error instanceof RelayError) || error.status >= 500) {
        throw error;
      }
      await intake.deadLetters.put([
        {
          at,
          course: header.course,
          stage: 'door',
          code: error.code,
          reason: error.message,
          uuid: null,
          event: {
            body: Buffer.from(body).toString('utf8').slice(0, MAX_LETTER_CHARS)
          }
        }
      ]);
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
