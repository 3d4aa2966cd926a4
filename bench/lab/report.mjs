/** The figures of all rounds beside each other, and whether they are within what the extension may cost. */

/** Per run, per key, gzipped, and as a ratio of the CPU time of a start. */
const LIMITS = { runMs: 1, keyUs: 50, bundleBytes: 40_000, startRatio: 1.05 };

/**
 * @param {object} measured
 * @param {Record<string, object[]>} measured.starts by lesson and round
 * @param {Record<string, object[]>} measured.works by lesson and round
 * @param {Record<string, object>} measured.own by lesson with the extension
 * @param {(lesson: string) => {performed: number, arrived: number}} events
 */
export function summary({ starts, works, own }, events) {
  const { files } = starts.kernel[0];
  /** A figure of a lesson beside that of the plain one, round by round. */
  const compare = (results, name, key) => {
    const [plain, ours] = ['without', name].map(lesson =>
      results[lesson].map(round => round[key])
    );
    const extras = ours.map((value, i) => value - plain[i]);
    const ratios = ours.map((value, i) => value / plain[i]);
    return {
      without: round(median(plain)),
      with: round(median(ours)),
      extra: round(median(extras)),
      extraRange: range(extras),
      ratio: round(median(ratios)),
      ratioRange: range(ratios)
    };
  };
  const share = ({ each, mostly }) => ({
    each: round(each),
    mostly: mostly.map(([name, part]) => `${name} ${round(part)}`)
  });
  const lessons = Object.keys(own).map(name => [
    name,
    {
      runMs: compare(works, name, 'run'),
      runScriptMs: compare(works, name, 'runScripts'),
      ownRunMs: share(own[name].run),
      ownPersonRunMs: share(own[name].personRun),
      keyUs: compare(works, name, 'key'),
      keyScriptUs: compare(works, name, 'keyScripts'),
      ownKeyUs: share(own[name].key),
      startRestoredMs: compare(starts, name, 'restored'),
      startIdleMs: compare(starts, name, 'idle'),
      startCpuMs: compare(starts, name, 'cpu'),
      events: events(name)
    }
  ]);
  return {
    lessons: Object.fromEntries(lessons),
    bundle: files.reduce((sum, { gzipped }) => sum + gzipped, 0),
    files
  };
}

/**
 * What costs more than it may: by the profile, or by the difference where even the least of all
 * rounds is too much.
 * @returns {string[]}
 */
export function overLimits({ lessons, bundle }) {
  const any = test => Object.values(lessons).some(test);
  const found = {
    'a run': any(
      row =>
        row.ownRunMs.each >= LIMITS.runMs ||
        row.ownPersonRunMs.each >= LIMITS.runMs ||
        row.runMs.extraRange[0] >= LIMITS.runMs
    ),
    'a key': any(
      row =>
        row.ownKeyUs.each >= LIMITS.keyUs ||
        row.keyUs.extraRange[0] >= LIMITS.keyUs
    ),
    'the bundle': bundle >= LIMITS.bundleBytes,
    'the start': any(row => row.startCpuMs.ratio >= LIMITS.startRatio)
  };
  return Object.keys(found).filter(what => found[what]);
}

const TITLES = {
  page: "with the extension, the page's own session",
  kernel: 'with the extension, session of the kernel package'
};

/** Prints all figures for people. */
export function print({ lessons, bundle, files }, counts) {
  console.info(
    `JupyterLab without the extension → with it: ${counts.rounds} rounds of ${counts.runs} runs and ${counts.keys} keys, ${counts.starts} starts; medians (range).\nCPU time of the main thread, except for the starts' first two lines.`
  );
  for (const [name, row] of Object.entries(lessons)) {
    console.info(`\n${TITLES[name]}`);
    line('a run', 'ms', row.runMs);
    line('  of it in scripts', 'ms', row.runScriptMs);
    ownLine('its own, by profile, runs in a row', 'ms', row.ownRunMs);
    ownLine(
      `its own, by profile, one every ${counts.pauseMs} ms`,
      'ms',
      row.ownPersonRunMs
    );
    line('a key', 'µs', row.keyUs);
    line('  of it in scripts', 'µs', row.keyScriptUs);
    ownLine('its own, by profile', 'µs', row.ownKeyUs);
    line('start until the layout is restored', 'ms', row.startRestoredMs);
    line('start until the kernel is idle', 'ms', row.startIdleMs);
    line('CPU time of the start', 'ms', row.startCpuMs);
    const { arrived, performed } = row.events;
    say('cell events at the relay', `${arrived} of ${performed} runs`);
  }
  console.info(
    `\nbundle: ${bundle} bytes gzipped in ${files.length} files, loaded by the page until it is ready`
  );
}

function line(what, unit, row) {
  const values = `${pad(row.without)} → ${pad(row.with)} ${unit}`;
  const extra = `extra ${row.extra} (${row.extraRange.join(' to ')})`;
  const ratio = `ratio ${row.ratio} (${row.ratioRange.join(' to ')})`;
  say(what, `${values}   ${extra}   ${ratio}`);
}

function ownLine(what, unit, { each, mostly }) {
  const parts = each > 0 ? `   mostly ${mostly.join(', ')}` : '';
  say(what, `${pad(each)} ${unit}${parts}`);
}

function say(what, text) {
  console.info(`  ${what.padEnd(38)} ${text}`);
}

function pad(number) {
  return String(number).padStart(8);
}

function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? sorted[middle]
    : (sorted[middle - 1] + sorted[middle]) / 2;
}

function range(numbers) {
  return [round(Math.min(...numbers)), round(Math.max(...numbers))];
}

function round(number) {
  return Math.abs(number) < 100
    ? Math.round(number * 100) / 100
    : Math.round(number);
}
