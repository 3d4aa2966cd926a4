/** A bound on what is under way at once, in messages and in bytes. */

/** Lets work in while there is room. */
export class Room {
  #count = 0;
  #bytes = 0;
  #waiting: (() => void)[] = [];

  constructor(
    private readonly maxCount: number,
    private readonly maxBytes: number
  ) {}

  /** Resolves when there is room for `bytes` more; a single longer one goes alone. */
  async enter(bytes: number): Promise<void> {
    while (
      this.#count > 0 &&
      (this.#count >= this.maxCount || this.#bytes + bytes > this.maxBytes)
    ) {
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
    this.#count += 1;
    this.#bytes += bytes;
  }

  leave(bytes: number): void {
    this.#count -= 1;
    this.#bytes -= bytes;
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.forEach(resolve => resolve());
  }

  /** Resolves when nothing is under way. */
  async empty(): Promise<void> {
    while (this.#count > 0) {
      await new Promise<void>(resolve => this.#waiting.push(resolve));
    }
  }
}
