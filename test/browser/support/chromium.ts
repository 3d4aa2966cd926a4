/** Chromium for the tests, and pages that remember what they wrote to their consoles. */
import { existsSync } from 'node:fs';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type Page
} from 'playwright-core';

export const CHROMIUM_ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync'
];

/** Starts the browser. */
export async function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: findChromium(),
    args: CHROMIUM_ARGS
  });
}

/** `CHROMIUM_PATH` or `CHROMIUM`, else the system's, else Playwright's own. */
export function findChromium(): string {
  const file = [
    process.env['CHROMIUM_PATH'],
    process.env['CHROMIUM'],
    '/usr/bin/chromium',
    '/usr/bin/chromium-browser',
    '/usr/bin/google-chrome',
    chromium.executablePath()
  ].find(path => path !== undefined && existsSync(path));
  if (file === undefined) {
    throw new Error('no Chromium: install it, or set CHROMIUM_PATH');
  }
  return file;
}

/** A page and everything that went wrong on it. */
export interface WatchedPage {
  page: Page;
  /** Console messages, `type: text`. */
  console: string[];
  /** Uncaught errors. */
  errors: string[];
}

/** Opens an empty page. */
export async function openPage(
  context: BrowserContext | Browser
): Promise<WatchedPage> {
  const page = await context.newPage();
  const watched: WatchedPage = { page, console: [], errors: [] };
  page.on('console', message => {
    watched.console.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', error => {
    watched.errors.push(error.message);
  });
  return watched;
}

/** Gathers what a page complains of: errors on its console, exceptions, dialogs, blocked content. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') {
      complaints.push(message.text());
    }
  });
  page.on('pageerror', error => complaints.push(String(error)));
  page.on('dialog', dialog => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  return complaints;
}
