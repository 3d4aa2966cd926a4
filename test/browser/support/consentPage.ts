/** A student before the notice: the bar, the dialogue, the panel, and everything the page sends. */
import type { Locator, Page, Request } from 'playwright-core';
import { waitFor } from '../../support/waitFor.js';

/** One request of the page to the extension's own routes. */
export interface Asked {
  method: string;
  /** `batch`, `course`, `consent`, `me`. */
  route: string;
  body: string;
}

/** Notes every request that the page makes, from now on. */
export class Traffic {
  constructor(page: Page) {
    page.on('request', request => this._requests.push(request));
  }

  /** Requests to the extension's routes. */
  asked(): Asked[] {
    return this._requests.flatMap(request => {
      const found = /\/ipynb-telemetry\/(batch|course|consent|me)\b/.exec(
        request.url()
      );
      return found
        ? [
            {
              method: request.method(),
              route: found[1]!,
              body: request.postData() ?? ''
            }
          ]
        : [];
    });
  }

  /** Batches that left, as `event` names. */
  batches(): string[][] {
    return this.asked()
      .filter(({ route }) => route === 'batch')
      .map(({ body }) =>
        (JSON.parse(body) as { batch: { event: string }[] }).batch.map(
          ({ event }) => event
        )
      );
  }

  /** Addresses of requests that contain `text` in address or body, the notebook's own apart. */
  telling(text: string): string[] {
    return this._requests
      .filter(
        request =>
          // Saving the notebook is between the student and their Jupyter server.
          !/\/api\/(contents|sessions|kernels|workspaces|collaboration)|\/lab\/api\/workspaces/.test(
            request.url()
          )
      )
      .filter(request =>
        `${request.url()} ${request.postData() ?? ''}`.includes(text)
      )
      .map(request => request.url());
  }

  /** Forgets what was noted. */
  clear(): void {
    this._requests.length = 0;
  }

  private _requests: Request[] = [];
}

/** What of ipynb-telemetry is on a page. */
export class ConsentPage {
  constructor(readonly page: Page) {}

  get bar(): Locator {
    return this.page.locator(
      '.jp-NotebookPanel:not(.lm-mod-hidden) .jp-ipynbTelemetry-bar'
    );
  }

  get dialog(): Locator {
    return this.page.locator('.jp-ipynbTelemetry-dialog');
  }

  get panel(): Locator {
    return this.page.locator('.jp-ipynbTelemetry-panel');
  }

  get status(): Locator {
    return this.page.locator('.jp-ipynbTelemetry-status');
  }

  /** Presses a button by its text. */
  press(place: Locator, label: string): Promise<void> {
    return place.getByRole('button', { name: label, exact: true }).click();
  }

  /** Fills in the name that the dialogue asks for. */
  async fillName(first: string, last: string): Promise<void> {
    await this.dialog.getByLabel('First name').fill(first);
    await this.dialog.getByLabel('Last name').fill(last);
  }

  /** Presses Tab until the focus is on what `selector` finds; by keyboard alone, from wherever it is. */
  async tabTo(selector: string, key = 'Tab'): Promise<void> {
    await waitFor(`${key} reaches ${selector}`, async () => {
      await this.page.keyboard.press(key);
      return this.page.evaluate(
        wanted => document.activeElement?.matches(wanted) ?? false,
        selector
      );
    });
  }

  /** Opens the panel, by the command. */
  async openPanel(): Promise<void> {
    await this.command('ipynb-telemetry:open-panel');
    await this.panel.waitFor();
  }

  /** Executes a command and gives what it returns. */
  command(id: string, args: object = {}): Promise<unknown> {
    return this.page.evaluate(
      ([name, given]) =>
        window.jupyterapp.commands.execute(name as string, given as object),
      [id, args] as const
    );
  }

  /** Names in the panel's list, newest first. */
  listed(): Promise<string[]> {
    return this.panel.locator('.jp-ipynbTelemetry-events b').allTextContents();
  }
}
