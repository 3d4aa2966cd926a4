/**
 * Shows what is going on: one line a step with the time it took, and, where a
 * person is watching a terminal, a spinner with the steps under way.
 */
const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const TITLE_WIDTH = 18;
const DETAIL_WIDTH = 48;
/** Where there is no spinner, a long step says that often that it is alive. */
const HEARTBEAT_MS = 30_000;

/**
 * @param {number} ms
 * @returns {string} `0.4 s`, `12.3 s` or `3 min 05 s`
 */
export function formatDuration(ms) {
  if (ms < 60_000) {
    return `${(ms / 1000).toFixed(1)} s`;
  }
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, '0')} s`;
}

/**
 * @param {object} [options]
 * @param {NodeJS.WriteStream} [options.stream] default: standard output
 * @param {boolean} [options.tty] draw a spinner and colours; default: as the stream is
 */
export function createReport({
  stream = process.stdout,
  tty = Boolean(stream.isTTY) && process.env.TERM !== 'dumb'
} = {}) {
  const colours = tty && !process.env.NO_COLOR;
  const paint = (code, text) =>
    colours ? `\u001b[${code}m${text}\u001b[0m` : text;
  /** @type {Set<{title: string, note: string, began: number, beat: number}>} */
  const active = new Set();
  let timer;
  let frame = 0;

  const clear = () => tty && stream.write('\r\u001b[2K');

  function draw() {
    if (active.size === 0) {
      return;
    }
    const steps = [...active].map(step => {
      const what = step.note ? `${step.title}: ${step.note}` : step.title;
      return `${what} ${Math.floor((Date.now() - step.began) / 1000)} s`;
    });
    frame = (frame + 1) % FRAMES.length;
    const text = `${FRAMES[frame]} ${steps.join(' · ')}`;
    clear();
    stream.write(text.slice(0, (stream.columns || 80) - 1));
  }

  function beat() {
    for (const step of active) {
      if (Date.now() - step.beat >= HEARTBEAT_MS) {
        step.beat = Date.now();
        const what = step.note ? `${step.title}: ${step.note}` : step.title;
        stream.write(
          `  … ${what}, ${formatDuration(step.beat - step.began)} so far\n`
        );
      }
    }
  }

  function watch() {
    if (active.size > 0 && timer === undefined) {
      timer = setInterval(tty ? draw : beat, tty ? 100 : 1000);
      timer.unref();
    } else if (active.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  }

  /** Prints text as it is, above the spinner. */
  function print(text = '') {
    clear();
    stream.write(`${text}\n`);
  }

  /** Prints one step's line. */
  function line(ok, title, detail = '', ms = undefined) {
    const mark = ok ? paint(32, '✓') : paint(31, '✗');
    const time = ms === undefined ? '' : formatDuration(ms).padStart(10);
    print(
      `${mark} ${title.padEnd(TITLE_WIDTH)}${detail.padEnd(DETAIL_WIDTH)}${time}`.trimEnd()
    );
  }

  /**
   * Shows that something is under way; the line at its end is the caller's.
   * @template T
   * @param {string} title
   * @param {(note: (text: string) => void) => Promise<T>} work `note` says what is being done
   * @returns {Promise<T>} what `work` gave
   */
  async function quietly(title, work) {
    const entry = { title, note: '', began: Date.now(), beat: Date.now() };
    active.add(entry);
    watch();
    try {
      return await work(text => {
        entry.note = text;
      });
    } finally {
      active.delete(entry);
      clear();
      watch();
    }
  }

  /**
   * Runs one step and prints its line.
   * @template T
   * @param {string} title
   * @param {(note: (text: string) => void) => Promise<T>} work `note` says what is being done;
   *   a string that it returns stands beside the title
   * @returns {Promise<T>} what `work` gave; its error is passed on after the line
   */
  async function step(title, work) {
    const began = Date.now();
    try {
      const result = await quietly(title, work);
      const ms = Date.now() - began;
      const detail = typeof result === 'string' ? result : '';
      line(true, title, detail, ms >= 500 ? ms : undefined);
      return result;
    } catch (error) {
      if (error?.name !== 'Stopped') {
        line(false, title, '', Date.now() - began);
      }
      throw error;
    }
  }

  return {
    print,
    line,
    step,
    quietly,
    /** Marks text as secondary where colours are shown. */
    dim: text => paint(2, text),
    /** Marks text as important where colours are shown. */
    bold: text => paint(1, text)
  };
}
