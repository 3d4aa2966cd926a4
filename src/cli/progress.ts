/** A bar on standard error for work that takes long; nothing where standard error is no terminal. */
const WIDTH = 30;
const EVERY_MS = 100;

/** The part of standard error that the bar needs. */
export interface BarStream {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** A bar that shows how far something is. */
export interface ProgressBar {
  /** Shows `done` of `total`, at most ten times a second. */
  show(done: number, total: number): void;
  /** Takes the bar away. */
  clear(): void;
}

/** Makes a bar with a word before it. */
export function progressBar(
  label: string,
  stream: BarStream = process.stderr
): ProgressBar {
  let shown = false;
  let last = -Infinity;
  return {
    show(done, total) {
      const now = performance.now();
      if (stream.isTTY !== true || total <= 0 || now - last < EVERY_MS) {
        return;
      }
      last = now;
      shown = true;
      const share = Math.min(1, done / total);
      const full = Math.round(share * WIDTH);
      stream.write(
        `\r${label} [${'#'.repeat(full)}${'.'.repeat(WIDTH - full)}] ${Math.round(share * 100)} %`
      );
    },
    clear() {
      if (shown) {
        stream.write('\r\u001b[K');
      }
    }
  };
}
