#!/usr/bin/env node
/** Renews the pictures of the instructors' page: a made-up class on a real relay, seen by a real browser. */
import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { sampleClass } from './sampleClass.mjs';
import { findChromium } from './setup/chromium.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const CLI = join(ROOT, 'lib/cli/main.js');
const IMAGES = join(ROOT, 'docs/images');
/** What a reader of the documentation should have to wait for at most. */
const MAX_BYTES = 300_000;
const COURSE = 'intro-python';
const TITLE = 'Introduction to Python, group B';

const PICTURES = [
  { name: 'dashboard-light.png', colorScheme: 'light' },
  { name: 'dashboard-dark.png', colorScheme: 'dark' }
];

const data = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-pictures-'));
let relay;
let browser;
try {
  const keyFile = join(data, 'key');
  await cli('course', 'add', COURSE, '--title', TITLE, '--key-file', keyFile);
  const key = (await readFile(keyFile, 'utf8')).trim();
  relay = await startRelay();
  const events = sampleClass();
  // The newest pass waits, to be seen as it happens.
  const pass = events.findLastIndex(
    ({ event, properties }) =>
      event === 'test' &&
      properties.ok &&
      properties.student < 'K' &&
      properties.ex !== 'greet'
  );
  const [news] = events.splice(pass, 1);
  await post(key, events);

  browser = await chromium.launch({
    executablePath: (await findChromium())?.file,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run']
  });
  const context = await browser.newContext({
    viewport: { width: 1440, height: 900 }
  });
  const pages = [];
  for (const { name, colorScheme } of PICTURES) {
    const page = await context.newPage();
    await page.emulateMedia({ colorScheme });
    await page.goto(pages.length === 0 ? await loginLink() : relay.url);
    await page
      .locator('.coverage', { hasText: `${events.length} events` })
      .waitFor();
    pages.push({ page, name });
  }
  await post(key, [news]);
  await mkdir(IMAGES, { recursive: true });
  for (const { page, name } of pages) {
    await page.bringToFront();
    await page.locator('td .is-fresh').waitFor();
    const path = join(IMAGES, name);
    await page.screenshot({ path });
    const { size } = await stat(path);
    process.stdout.write(`${relative(ROOT, path)}  ${size} bytes\n`);
    if (size > MAX_BYTES) {
      throw new Error(`${name} is larger than ${MAX_BYTES} bytes`);
    }
  }
} finally {
  await browser?.close();
  await relay?.stop();
  await rm(data, { recursive: true, force: true });
}

async function cli(...args) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    CLI,
    ...args,
    '--data',
    data
  ]);
  return stdout;
}

async function loginLink() {
  const link = /http\S+token=\S+/.exec(await cli('link'))?.[0];
  const url = new URL(link ?? '');
  url.host = new URL(relay.url).host;
  return url.href;
}

/** A relay on a free port, once it takes events. */
async function startRelay() {
  const child = spawn(
    process.execPath,
    [CLI, 'relay', '--port', '0', '--data', data],
    { stdio: ['ignore', 'pipe', 'pipe'] }
  );
  const gone = new Promise(resolve => child.once('exit', resolve));
  let output = '';
  const url = await new Promise((resolve, reject) => {
    const look = text => {
      output += text;
      const found = /http:\/\/127\.0\.0\.1:[1-9]\d*/.exec(output)?.[0];
      if (found) {
        resolve(found);
      }
    };
    child.stdout.setEncoding('utf8').on('data', look);
    child.stderr.setEncoding('utf8').on('data', look);
    gone.then(() => reject(new Error(`The relay ended: ${output}`)));
  });
  return {
    url,
    stop: () => {
      child.kill();
      return gone;
    }
  };
}

async function post(key, batch) {
  const response = await fetch(`${relay.url}/batch/`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      api_key: key,
      batch,
      sent_at: new Date().toISOString()
    })
  });
  const answer = await response.text();
  if (!response.ok || answer.includes('rejected')) {
    throw new Error(`The relay answered ${response.status}: ${answer}`);
  }
}
