/**
 * What the extension costs a student's JupyterLab: main-thread time per run and per key, bytes,
 * and start, beside JupyterLab without it, in a real browser, rounds in turn.
 * `node bench/lab.mjs [--rounds 5] [--runs 200] [--keys 500] [--starts 9]
 * [--json]`. Build first (`npm run build`).
 * Exits with 1 if it costs more than it may.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { findChromium } from '../scripts/setup/chromium.mjs';
import { killEverything, stopEverything } from '../scripts/setup/run.mjs';
import { openLesson } from './lab/page.mjs';
import { overLimits, print, summary } from './lab/report.mjs';
import { copyBuild, LESSONS, startLab, startRelay } from './lab/servers.mjs';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '200' },
    keys: { type: 'string', default: '500' },
    starts: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false }
  }
});
const ROUNDS = Number(values.rounds);
const RUNS = Number(values.runs);
const KEYS = Number(values.keys);
const STARTS = Number(values.starts);
const WARM_RUNS = 30;
const WARM_KEYS = 100;
/** A person looks at each result; then every run is stored and sent by itself. */
const PERSON = { runs: 15, pauseMs: 1000 };

/** Opens a lesson once more. */
async function measureStart(browser, address) {
  const { start, loaded, close } = await openLesson(browser, address);
  const files = await loaded();
  await close();
  return { ...start, files };
}

/** One round of one lesson: runs and keys. */
async function measureWork(browser, address) {
  const lesson = await openLesson(browser, address);
  await warmUp(lesson);
  const runs = await lesson.cost(() => lesson.run('run', RUNS));
  const keys = await lesson.cost(() => lesson.type('type', textOf(KEYS)));
  await lesson.close();
  return {
    run: runs.tasks / RUNS,
    runScripts: runs.scripts / RUNS,
    key: (keys.tasks / KEYS) * 1000,
    keyScripts: (keys.scripts / KEYS) * 1000
  };
}

/** The same under the profiler: how much of it is the extension's. */
async function measureOwn(browser, address) {
  const lesson = await openLesson(browser, address);
  await warmUp(lesson);
  const runs = await lesson.own(() => lesson.run('run', RUNS));
  const person = await lesson.own(() =>
    lesson.run('run', PERSON.runs, PERSON.pauseMs)
  );
  const keys = await lesson.own(() => lesson.type('type', textOf(KEYS)));
  await lesson.close();
  return {
    run: perUnit(runs, RUNS),
    personRun: perUnit(person, PERSON.runs),
    key: perUnit(keys, KEYS / 1000)
  };
}

/** The session begins, and both compilers have seen what comes. */
async function warmUp(lesson) {
  await lesson.run('setup', 1);
  await lesson.run('run', WARM_RUNS);
  await lesson.type('type', textOf(WARM_KEYS));
  await lesson.settle();
}

function perUnit({ ms, mostly }, units) {
  return {
    each: ms / units,
    mostly: mostly.map(([name, part]) => [name, part / units])
  };
}

function textOf(length) {
  const sentence = 'total = price * amount + 4\n';
  return sentence.repeat(Math.ceil(length / sentence.length)).slice(0, length);
}

async function main() {
  const home = mkdtempSync(join(tmpdir(), 'bench-lab-'));
  const found = await findChromium();
  if (!found) {
    throw new Error('no Chromium: install it, or set CHROMIUM');
  }
  // Also where it is interrupted: servers and kernels would go on for ever.
  process.once('exit', () => {
    killEverything();
    rmSync(home, { recursive: true, force: true, maxRetries: 5 });
  });
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  let browser;
  try {
    const relay = await startRelay(home);
    const build = copyBuild(home);
    const labs = {
      false: await startLab({ home, extension: false, build, relay }),
      true: await startLab({ home, extension: true, build, relay })
    };
    browser = await chromium.launch({
      executablePath: found.file,
      args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking']
    });
    const names = Object.keys(LESSONS);
    const address = (name, round) =>
      labs[LESSONS[name].extension].address(name, round);
    for (const name of names) {
      // Kernels start, and the servers read their files.
      await (await openLesson(browser, address(name, 'first'))).close();
    }
    const inTurn = async (times, what, measure) => {
      const results = Object.fromEntries(names.map(name => [name, []]));
      for (let round = 0; round < times; round += 1) {
        for (const name of round % 2 === 0 ? names : [...names].reverse()) {
          results[name].push(
            await measure(browser, address(name, `${what}-${round}`))
          );
        }
        progress(`${what}: ${round + 1} of ${times}`);
      }
      return results;
    };
    const starts = await inTurn(STARTS, 'start', measureStart);
    const works = await inTurn(ROUNDS, 'work', measureWork);
    const own = {};
    for (const name of names.filter(name => LESSONS[name].extension)) {
      own[name] = await measureOwn(browser, address(name, 'own'));
      progress(`profiled: ${name}`);
    }
    await browser.close();
    await labs.true.stop();
    await relay.stop();
    const performed = 1 + WARM_RUNS + RUNS;
    const arrived = await relay.arrived();
    const figures = summary({ starts, works, own }, name => ({
      performed: ROUNDS * performed + performed + PERSON.runs,
      arrived: arrived.get(name) ?? 0
    }));
    const counts = { rounds: ROUNDS, runs: RUNS, keys: KEYS, starts: STARTS };
    if (values.json) {
      console.info(JSON.stringify({ ...counts, ...figures }));
    } else {
      print(figures, { ...counts, pauseMs: PERSON.pauseMs });
    }
    const over = overLimits(figures);
    if (over.length > 0) {
      console.error(`More than it may cost: ${over.join(', ')}`);
    }
    return over.length === 0;
  } finally {
    await browser?.close();
    await stopEverything(5000);
  }
}

function progress(text) {
  if (process.stderr.isTTY) {
    process.stderr.write(`${text}\n`);
  }
}

process.exit((await main()) ? 0 : 1);
