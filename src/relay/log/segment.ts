/** What is known of one segment file while a log is open. */
import { SEGMENT_HEADER_BYTES } from './format.js';

/** Bytes between two marks: what a reader that starts in the middle has to pass over at most. */
const MARK_EVERY = 64 * 1024;

/** A segment, up to its durable end. */
export class Segment {
  /** Where readers stop: everything before it is durable. */
  end: number = SEGMENT_HEADER_BYTES;
  /** Nothing is appended any more. */
  sealed = false;
  /** Set while another file takes this one's place: settles with the segment that readers go on with, none if there is none. */
  replacement: Promise<Segment | undefined> | undefined;
  /** Sparse index, rising: some records' numbers, and where they stand. */
  readonly #seqs: number[] = [];
  readonly #offsets: number[] = [];

  constructor(
    readonly path: string,
    /** No record in it has a lower number, and none in an earlier segment a number as high. */
    readonly firstSeq: number,
    /** Undefined if the header is damaged; readers then take it from the first sound record. */
    readonly id: bigint | undefined,
    /** How often it was written again while the log was open. */
    readonly edition = 0
  ) {}

  get empty(): boolean {
    return this.end <= SEGMENT_HEADER_BYTES;
  }

  /** Remembers where record `seq` stands, if the last mark is far enough away. */
  mark(seq: number, offset: number): void {
    if (offset >= (this.#offsets.at(-1) ?? 0) + MARK_EVERY) {
      this.#seqs.push(seq);
      this.#offsets.push(offset);
    }
  }

  /** The best known place from which a reader finds record `seq`, and the lowest number there. */
  startFor(seq: number): { seq: number; offset: number } {
    const index = lastAtMost(this.#seqs, seq);
    return index < 0
      ? { seq: this.firstSeq, offset: SEGMENT_HEADER_BYTES }
      : { seq: this.#seqs[index]!, offset: this.#offsets[index]! };
  }
}

/** Index of the last of the rising `numbers` that is not above `limit`; -1 if there is none. */
export function lastAtMost(numbers: readonly number[], limit: number): number {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! <= limit) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low - 1;
}
