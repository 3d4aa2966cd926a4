/** Finds out how old the parts of a log are, reading one record of each. */
import type { EventLog } from './types.js';

/** The receipt times of a log's parts. Records are taken to lie in order of time, as the clock gave it. */
export class Ages {
  /** Receipt time of the first record from a part's first number on. Parts never change theirs to an older one. */
  #known = new Map<number, number>();

  constructor(
    private readonly log: Pick<EventLog, 'read' | 'parts' | 'status'>
  ) {}

  /** Receipt time of the oldest record in ms; undefined in an empty log. */
  async oldest(): Promise<number | undefined> {
    const { first } = this.log.status();
    return first === 0 ? undefined : this.#timeFrom(first);
  }

  /** The highest number below which every part holds only records received before `ms`. */
  async before(ms: number): Promise<number> {
    const parts = this.log.parts();
    this.#forgetBelow(parts[0]?.first ?? 1);
    let below = 1;
    for (const [index, { first }] of parts.entries()) {
      const next = parts[index + 1];
      const time = next && (await this.#timeFrom(next.first));
      if (time === undefined) {
        // The last part with records: its last one tells.
        const { last } = this.log.status();
        const newest = last >= first ? await this.#timeOf(last) : undefined;
        return newest !== undefined && newest < ms ? last + 1 : below;
      }
      if (time >= ms) {
        return below;
      }
      below = next!.first;
    }
    return below;
  }

  async #timeFrom(seq: number): Promise<number | undefined> {
    const known = this.#known.get(seq);
    if (known !== undefined) {
      return known;
    }
    const time = await this.#timeOf(seq);
    if (time !== undefined) {
      this.#known.set(seq, time);
    }
    return time;
  }

  async #timeOf(seq: number): Promise<number | undefined> {
    for await (const { header } of this.log.read(seq)) {
      return Date.parse(header.at);
    }
    return undefined;
  }

  #forgetBelow(seq: number): void {
    for (const known of this.#known.keys()) {
      if (known < seq) {
        this.#known.delete(known);
      }
    }
  }
}
