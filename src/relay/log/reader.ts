/** Reads the segments of an open log, while records are appended, removed and written again. */
import type { Disk, LogFile } from './disk.js';
import { damageKey } from './recovery.js';
import { scan } from './scan.js';
import { lastAtMost, type Segment } from './segment.js';
import type { LogRecord } from './types.js';

interface Opened {
  segment: Segment;
  file: LogFile;
}

/** The reading end of a log. Any number of readings may run at once. */
export class Reader {
  constructor(
    private readonly disk: Disk,
    /** Segments of the log, in order; others change it. */
    private readonly segments: readonly Segment[],
    /** Called for each damaged place, however often it is read. */
    private readonly onDamage: (key: string) => void
  ) {}

  /** Durable records from `first` on, up to the durable end at the time of reading. */
  async *read(first: number): AsyncGenerator<LogRecord, void, undefined> {
    let segment = this.#at(Math.max(0, this.#indexOf(first)));
    while (segment) {
      const complete = yield* this.#readSegment(segment, first);
      if (!complete) {
        return;
      }
      // Looked for by number: segments before this one may have gone meanwhile.
      segment = this.#at(this.#indexOf(segment.firstSeq) + 1);
    }
  }

  #at(index: number): Segment | undefined {
    return this.segments[index];
  }

  /** Index of the segment that may hold `seq`; -1 if it would lie before all of them. */
  #indexOf(seq: number): number {
    return lastAtMost(
      this.segments.map(({ firstSeq }) => firstSeq),
      seq
    );
  }

  /** Reads up to the durable end. Returns whether nothing will come after it in this segment. */
  async *#readSegment(
    wanted: Segment,
    first: number
  ): AsyncGenerator<LogRecord, boolean, undefined> {
    if (!wanted.replacement && wanted.startFor(first).offset >= wanted.end) {
      return wanted.sealed;
    }
    for (let next = first; ;) {
      const opened = await this.#open(wanted);
      if (!opened) {
        return true;
      }
      const { sealed, goOn } = yield* this.#readFile(opened, next);
      if (goOn === undefined) {
        return sealed;
      }
      next = goOn;
    }
  }

  /**
   * Reads one file up to the durable end, and gives it up where another one takes its place: what
   * was taken out of the log is not read any more. Returns the number to go on with there.
   */
  async *#readFile(
    { segment, file }: Opened,
    first: number
  ): AsyncGenerator<
    LogRecord,
    { sealed: boolean; goOn: number | undefined },
    undefined
  > {
    try {
      let { seq, offset } = segment.startFor(first);
      // The durable end moves while records are read.
      while (offset < segment.end) {
        const to = segment.end;
        const range = { from: offset, to, seq, id: segment.id };
        for await (const found of scan(file, range)) {
          if (segment.replacement) {
            return { sealed: false, goOn: Math.max(first, seq) };
          }
          if (found.kind === 'damage') {
            this.onDamage(damageKey(segment, found.offset));
            continue;
          }
          segment.mark(found.seq, found.offset);
          seq = found.seq + 1;
          if (found.seq >= first) {
            const { header, body } = found;
            yield { seq: found.seq, header, body };
          }
        }
        offset = to;
      }
      // Looked at here and not by the caller: closing the file leaves time for more records.
      return { sealed: segment.sealed, goOn: undefined };
    } finally {
      await file.close();
    }
  }

  /** The segment's file, and the segment that describes it; undefined if it was removed. */
  async #open(wanted: Segment): Promise<Opened | undefined> {
    let segment = wanted;
    for (;;) {
      if (segment.replacement) {
        const next = await segment.replacement;
        if (!next) {
          return undefined;
        }
        segment = next;
        continue;
      }
      const file = await this.disk
        .open(segment.path, 'read')
        .catch((error: unknown) => {
          if (!segment.replacement) {
            throw error;
          }
          return undefined;
        });
      // The name may have changed hands while it was opened.
      if (file && !segment.replacement) {
        return { segment, file };
      }
      await file?.close();
    }
  }
}
