/** Which messages of a partition arrived: its place moves to where none is missing before. */

/** Reports what arrived, in order, and at most one report of a partition at a time. */
export class Arrivals {
  readonly #queues = new Map<number, Waiting[]>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #reporting = new Map<number, () => unknown>();
  #stopped = false;

  /**
   * A message is on its way.
   *
   * @param report moves the partition's place past it.
   * @returns to be called when it arrived.
   */
  begin(partition: number, report: () => unknown): () => void {
    const queue = this.#queues.get(partition) ?? [];
    this.#queues.set(partition, queue);
    const waiting: Waiting = { done: false, report };
    queue.push(waiting);
    return () => {
      waiting.done = true;
      let last: Waiting | undefined;
      while (queue[0]?.done) {
        last = queue.shift();
      }
      if (last) {
        void this.#report(partition, last.report);
      }
    };
  }

  /** Does `work` later, unless it is over by then. */
  later(afterMs: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      work();
    }, afterMs);
    this.#timers.add(timer);
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.forEach(clearTimeout);
    this.#timers.clear();
  }

  /** The latest report says it for all before; a failed one is made up for by the next. */
  async #report(partition: number, report: () => unknown): Promise<void> {
    const busy = this.#reporting.has(partition);
    this.#reporting.set(partition, report);
    if (busy) {
      return;
    }
    let done: (() => unknown) | undefined;
    while (!this.#stopped && this.#reporting.get(partition) !== done) {
      done = this.#reporting.get(partition)!;
      try {
        await done();
      } catch {
        // Its messages are delivered again after a restart, and recognised.
      }
    }
    this.#reporting.delete(partition);
  }
}

interface Waiting {
  done: boolean;
  report: () => unknown;
}
