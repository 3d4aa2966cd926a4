/** Timers by hand. */
export class Clock {
  /** Milliseconds since the beginning. */
  now = 0;

  /** As `later` of the code under test. */
  later = (ms: number, action: () => void): (() => void) => {
    const timer = { due: this.now + ms, action };
    this._timers.add(timer);
    return () => this._timers.delete(timer);
  };

  /** Delays of the timers that are set. */
  get pending(): number[] {
    return [...this._timers].map(timer => timer.due - this.now);
  }

  /** Lets `ms` pass, and everything that it sets off. */
  async pass(ms: number): Promise<void> {
    const end = this.now + ms;
    for (;;) {
      await settle();
      const [next] = [...this._timers]
        .filter(timer => timer.due <= end)
        .sort((a, b) => a.due - b.due);
      if (!next) {
        break;
      }
      this.now = Math.max(this.now, next.due);
      this._timers.delete(next);
      next.action();
    }
    this.now = end;
  }

  private _timers = new Set<{ due: number; action: () => void }>();
}

/** Lets all promises that are ready go on. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.resolve();
  }
}
