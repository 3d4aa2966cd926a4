/** One page of JupyterLab: how long it takes to be ready, and what running and typing cost its main thread. */
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { evaluate, openTarget } from './devtools.mjs';
import { ownTime } from './profile.mjs';

const OURS = '/extensions/ipynb-telemetry/';
/** Longer than what runs leave to be done: storing, sending, drawing. */
const SETTLE_MS = 2500;
/** After that something is wrong, such as a kernel that waits for an answer. */
const PATIENCE_MS = 180_000;

/**
 * Opens a notebook and waits until its kernel is idle.
 * @param {import('playwright-core').Browser} browser
 * @param {string} address
 */
export async function openLesson(browser, address) {
  const target = await openTarget(browser);
  await target.send('Emulation.setFocusEmulationEnabled', { enabled: true });
  await target.send('Emulation.setDeviceMetricsOverride', {
    width: 1280,
    height: 800,
    deviceScaleFactor: 1,
    mobile: false
  });
  // CPU time of the main thread: other programs on the machine do not count.
  await target.send('Performance.enable', { timeDomain: 'threadTicks' });
  await target.send('Page.enable');
  await target.send('Page.addScriptToEvaluateOnNewDocument', {
    source: `(${noteStart})()`
  });
  const before = await cpuTimes(target);
  await target.send('Page.navigate', { url: address });
  const start = await within(
    'opening the notebook',
    evaluate(target, () => globalThis.benchStart)
  );
  await sleep(SETTLE_MS);
  const { tasks } = since(before, await cpuTimes(target));
  const files = await evaluate(target, loadedFrom, OURS);

  return {
    /** Since the navigation, in ms: until the layout is restored, until the kernel is idle; and the CPU time it took. */
    start: { ...start, cpu: tasks },
    /** What the page has loaded of the extension until then, in bytes. */
    loaded: () => Promise.all(files.map(sizeOf)),
    run: (id, times, pauseMs) => runCell(target, id, times, pauseMs),
    type: (id, text) => typeInto(target, id, text),
    /** Main-thread CPU time of `work` and of what it leaves to be done, in ms. */
    async cost(work) {
      const before = await cpuTimes(target);
      await work();
      await sleep(SETTLE_MS);
      return since(before, await cpuTimes(target));
    },
    /** The extension's part of that, in ms, and what it was mostly spent on. */
    own: work =>
      ownTime(target, OURS, async () => {
        const before = await cpuTimes(target);
        await work();
        await sleep(SETTLE_MS);
        return since(before, await cpuTimes(target)).tasks;
      }),
    settle: () => sleep(SETTLE_MS),
    close: () => target.close()
  };
}

/** Runs in the page before anything else. */
function noteStart() {
  globalThis.benchStart = new Promise(resolve => {
    const kernel = () =>
      globalThis.jupyterapp.shell.currentWidget?.sessionContext?.session
        ?.kernel;
    const whenIdle = restored =>
      kernel()?.status === 'idle'
        ? resolve({ restored, idle: performance.now() })
        : setTimeout(whenIdle, 5, restored);
    const whenThere = () =>
      globalThis.jupyterapp
        ? globalThis.jupyterapp.restored.then(() => whenIdle(performance.now()))
        : setTimeout(whenThere, 5);
    whenThere();
  });
}

function loadedFrom(folder) {
  return performance
    .getEntriesByType('resource')
    .map(({ name }) => name)
    .filter(name => new URL(name).pathname.includes(folder));
}

async function sizeOf(address) {
  const response = await fetch(address);
  const body = Buffer.from(await response.arrayBuffer());
  if (!response.ok) {
    throw new Error(`${address}: ${response.status}`);
  }
  const name = new URL(address).pathname.split('/').at(-1);
  return { name, bytes: body.length, gzipped: gzipSync(body).length };
}

/** CPU time of the page's main thread so far, in ms. */
async function cpuTimes(target) {
  const { metrics } = await target.send('Performance.getMetrics');
  const of = name => metrics.find(metric => metric.name === name).value * 1000;
  return { tasks: of('TaskDuration'), scripts: of('ScriptDuration') };
}

function since(before, after) {
  return {
    tasks: after.tasks - before.tasks,
    scripts: after.scripts - before.scripts
  };
}

/** Runs a cell `times` times, each `pauseMs` after the last one is done. */
async function runCell(target, id, times, pauseMs = 0) {
  const work = async (id, times, pauseMs) => {
    const { commands, shell } = globalThis.jupyterapp;
    const { content } = shell.currentWidget;
    const index = content.widgets.findIndex(({ model }) => model.id === id);
    for (let n = 0; n < times; n += 1) {
      content.activeCellIndex = index;
      await commands.execute('notebook:run-cell');
      if (content.widgets[index].model.executionCount === null) {
        throw new Error('a run did not run');
      }
      await new Promise(resolve => setTimeout(resolve, pauseMs));
    }
  };
  await within(
    `running cell "${id}" ${times} times`,
    evaluate(target, work, id, times, pauseMs)
  );
}

/** Types a text into an emptied cell, key by key. */
async function typeInto(target, id, text) {
  const focus = id => {
    const { content } = globalThis.jupyterapp.shell.currentWidget;
    content.activeCellIndex = content.widgets.findIndex(
      ({ model }) => model.id === id
    );
    content.activeCell.model.sharedModel.setSource('');
    content.mode = 'edit';
    content.activeCell.editor.focus();
  };
  await evaluate(target, focus, id);
  for (const char of text) {
    const key = char === '\n' ? 'Enter' : char;
    const code = char === '\n' ? 13 : char.toUpperCase().charCodeAt(0);
    const event = { key, windowsVirtualKeyCode: code };
    const typed = { ...event, text: char === '\n' ? '\r' : char };
    await target.send('Input.dispatchKeyEvent', { type: 'keyDown', ...typed });
    await target.send('Input.dispatchKeyEvent', { type: 'keyUp', ...event });
  }
  const source = await evaluate(target, () =>
    globalThis.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()
  );
  if (source.replace(/\s/g, '') !== text.replace(/\s/g, '')) {
    throw new Error(
      `typed ${JSON.stringify(text)}, got ${JSON.stringify(source)}`
    );
  }
}

/** `work`, unless it takes too long. */
async function within(what, work) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${what}: not done in ${PATIENCE_MS / 1000} s`)),
      PATIENCE_MS
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
