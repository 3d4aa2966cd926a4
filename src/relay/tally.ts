/** Says once in a while, with the number, what would otherwise be said for every request. */

/** Counts by what happened; told and reset every `everyMs`. */
export class Tally {
  readonly #counts = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param tell gets what happened and how often. The first time is told at once.
   */
  constructor(
    private readonly tell: (what: string, count: number) => void,
    private readonly everyMs = 10_000
  ) {}

  add(what: string, count = 1): void {
    if (this.#timer === undefined) {
      this.tell(what, count);
      this.#timer = setTimeout(() => this.flush(), this.everyMs);
      this.#timer.unref();
      return;
    }
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + count);
  }

  /** Tells what is counted, and begins anew. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [what, count] of this.#counts) {
      this.tell(what, count);
    }
    this.#counts.clear();
  }
}
