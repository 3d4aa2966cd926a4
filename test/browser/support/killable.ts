/** A Chromium with a profile of its own that can be killed as a crash or an empty battery kills it. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type BrowserContext } from 'playwright-core';
import { waitFor } from '../../support/waitFor.js';
import { CHROMIUM_ARGS, findChromium } from './chromium.js';

/** A browser that runs; what it stored stays in its profile. */
export interface KillableBrowser {
  /** The profile's own context, which keeps its storage. */
  readonly context: BrowserContext;
  /** SIGKILL to all of its processes. */
  kill(): Promise<void>;
  /** Ends it properly. */
  close(): Promise<void>;
}

/** Starts Chromium on the profile in `folder`. */
export async function startKillable(folder: string): Promise<KillableBrowser> {
  const portFile = join(folder, 'DevToolsActivePort');
  rmSync(portFile, { force: true });
  // A killed browser leaves its lock behind.
  rmSync(join(folder, 'SingletonLock'), { force: true });
  const child = spawn(
    findChromium(),
    [
      ...CHROMIUM_ARGS,
      '--remote-debugging-port=0',
      `--user-data-dir=${folder}`,
      '--hide-crash-restore-bubble',
      'about:blank'
    ],
    { detached: true, stdio: 'ignore' }
  );
  const gone = once(child, 'exit');
  const end = async (): Promise<void> => {
    killGroup(child);
    await gone;
  };
  try {
    const endpoint = await waitFor(
      'Chromium says where it listens',
      () => readEndpoint(portFile),
      30_000
    );
    const browser = await chromium.connectOverCDP(endpoint);
    const [context] = browser.contexts();
    return {
      context: context!,
      kill: async () => {
        await end();
        await browser.close().catch(() => undefined);
      },
      close: () => closeGently(browser, child, gone, end)
    };
  } catch (error) {
    await end();
    throw error;
  }
}

async function closeGently(
  browser: Browser,
  child: ChildProcess,
  gone: Promise<unknown>,
  end: () => Promise<void>
): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) {
    return;
  }
  const session = await browser.newBrowserCDPSession();
  await session.send('Browser.close').catch(() => undefined);
  const timer = setTimeout(() => void end(), 10_000);
  await gone;
  clearTimeout(timer);
  killGroup(child);
}

function killGroup(child: ChildProcess): void {
  try {
    process.kill(-child.pid!, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

function readEndpoint(file: string): string | null {
  try {
    const [port] = readFileSync(file, 'utf8').split('\n');
    return port ? `http://127.0.0.1:${port}` : null;
  } catch {
    return null;
  }
}
