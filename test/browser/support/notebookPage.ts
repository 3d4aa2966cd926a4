/** A notebook open in JupyterLab or Notebook 7, driven as a student drives it. */
import type { Locator, Page } from 'playwright-core';
import { waitFor } from '../../support/waitFor.js';

const LOAD_MS = 60_000;
const RUN_MS = 30_000;

/** What is read of the application, which the server exposes for tests. */
interface ExposedApp {
  commands: { execute(id: string, args?: object): Promise<unknown> };
  shell: { currentWidget: ExposedPanel | null };
}
interface ExposedCell {
  node: HTMLElement;
  model: {
    id: string;
    executionState?: string;
    sharedModel: { getSource(): string };
  };
}
interface ExposedPanel {
  id: string;
  content: {
    widgets: ExposedCell[];
    activeCell: ExposedCell | null;
    activeCellIndex: number;
    mode: 'command' | 'edit';
    deselectAll(): void;
  };
  context: { save(): Promise<void>; path: string };
  sessionContext: {
    session: { kernel: { status: string; id: string } | null } | null;
  };
}
declare global {
  interface Window {
    jupyterapp: ExposedApp;
  }
}

/** The notebook that has the focus on a page. */
export class NotebookPage {
  constructor(readonly page: Page) {}

  /** Opens `url` and waits until its kernel is idle. */
  async open(url: string): Promise<void> {
    await this.page.goto(url);
    await this.ready();
  }

  /** Waits until the notebook is shown and its kernel is idle. */
  async ready(): Promise<void> {
    await waitFor(
      'the notebook is shown and its kernel is idle',
      async () => (await this.kernelStatus()) === 'idle',
      LOAD_MS
    );
    await this.page
      .locator('.jp-NotebookPanel:not(.lm-mod-hidden) .jp-Notebook-cell')
      .first()
      .waitFor();
  }

  /** `idle`, `busy`, …; null without a notebook or kernel. */
  kernelStatus(): Promise<string | null> {
    return this.page
      .evaluate(
        () =>
          window.jupyterapp?.shell.currentWidget?.sessionContext?.session
            ?.kernel?.status ?? null
      )
      .catch(() => null); // The page is still loading.
  }

  /** The cell with that id, active and scrolled into view. */
  async select(id: string): Promise<Locator> {
    let mark = '';
    // JupyterLab moves on by itself after a run, a moment later: ask until it stays.
    await waitFor(`${id} is the active cell`, async () => {
      mark = await this.page.evaluate(activate, { id, then: 'stay' } as const);
      await this.page.evaluate(
        () => new Promise(resolve => requestAnimationFrame(resolve))
      );
      return this.page.evaluate(
        wanted =>
          window.jupyterapp.shell.currentWidget!.content.activeCell!.model
            .id === wanted,
        id
      );
    });
    const cell = this.page.locator(`[data-cell-of-test="${mark}"]`);
    await cell.scrollIntoViewIfNeeded();
    return cell;
  }

  /** Puts the cursor into a cell and presses the keys that run it; tells when it pressed them. */
  async press(id: string): Promise<number> {
    const cell = await this.select(id);
    await cell.locator('.cm-content').focus();
    const pressed = Date.now();
    await this.page.keyboard.press('Control+Enter');
    return pressed;
  }

  /**
   * Begins to run a cell, by the application's own command: JupyterLab moves the focus by
   * itself at times (after a dialogue, say), and keys would then go astray.
   */
  async start(id: string): Promise<Locator> {
    const cell = await this.select(id);
    await this.page.evaluate(activate, { id, then: 'start' } as const);
    return cell;
  }

  /** Runs a cell and waits for its end. */
  async run(id: string): Promise<void> {
    await this.select(id);
    await this.page.evaluate(activate, { id, then: 'finish' } as const);
    await this.settled();
  }

  /** Runs the setup cell and types a name at its prompts. */
  async setUp(id: string, first: string, last: string): Promise<void> {
    await this.start(id);
    await this.answerName(id, first, last);
    await this.settled();
  }

  /** Types a name at the prompts of the setup cell, which runs. */
  async answerName(id: string, first: string, last: string): Promise<void> {
    const cell = await this.select(id);
    for (const [prompt, answer] of [
      ['FIRST NAME', first],
      ['LAST NAME', last]
    ] as const) {
      const input = cell
        .locator('.jp-Stdin', { hasText: prompt })
        .locator('input');
      await input.waitFor({ timeout: RUN_MS });
      await input.fill(answer);
      await input.press('Enter');
    }
  }

  /** Runs a cell and gives the text of its outputs. */
  async runAndRead(id: string): Promise<string> {
    await this.run(id);
    const cell = await this.select(id);
    return cell.locator('.jp-OutputArea-output').innerText();
  }

  /** Waits until the kernel works on the cell. */
  async runs(id: string): Promise<void> {
    await waitFor(
      `the kernel works on ${id}`,
      async () =>
        (await this.kernelStatus()) === 'busy' &&
        (await this.page.evaluate(
          wanted =>
            window.jupyterapp.shell.currentWidget!.content.widgets.some(
              cell =>
                cell.model.id === wanted &&
                cell.model.executionState === 'running'
            ),
          id
        )),
      RUN_MS
    );
  }

  /** Opens a second notebook of the same folder in a tab beside, and waits for its kernel. */
  async openBeside(path: string): Promise<void> {
    await this.page.evaluate(async name => {
      await window.jupyterapp.commands.execute('docmanager:open', {
        path: name
      });
    }, path);
    await waitFor(
      `${path} has the focus`,
      () =>
        this.page.evaluate(
          name => window.jupyterapp.shell.currentWidget?.context?.path === name,
          path
        ),
      LOAD_MS
    );
    await this.ready();
  }

  /** Restarts the kernel as the menu does, dialogue included. */
  async restartKernel(): Promise<void> {
    await this.command('notebook:restart-kernel');
    await this.page.locator('.jp-Dialog .jp-mod-accept').click();
    await this.settled();
  }

  /** Replaces a cell's source by typing. */
  async type(id: string, source: string): Promise<void> {
    const cell = await this.select(id);
    await waitFor(`${id} has the source that was typed`, async () => {
      // Not by a click: outputs above may still be moving the cell.
      await cell.locator('.cm-content').focus();
      await this.page.keyboard.press('Control+A');
      await this.page.keyboard.insertText(source);
      return this.page.evaluate(
        ([wanted, text]) =>
          window.jupyterapp.shell.currentWidget!.content.widgets.some(
            ({ model }) =>
              model.id === wanted && model.sharedModel.getSource() === text
          ),
        [id, source] as const
      );
    });
  }

  /** Runs a cell and all below it, and waits for the end. */
  async runFrom(id: string): Promise<void> {
    await this.select(id);
    await this.page.evaluate(activate, {
      id,
      then: 'finish',
      command: 'notebook:run-all-below'
    } as const);
    await this.settled();
  }

  /** Runs all cells by the application's own command, and waits for the end. */
  async runAll(): Promise<void> {
    await this.page.evaluate(() =>
      window.jupyterapp.commands
        .execute('notebook:run-all-cells')
        .catch(() => undefined)
    );
    await this.settled();
  }

  /** Executes a command; gives at once what it returns later. */
  async command(id: string): Promise<void> {
    await this.page.evaluate(name => {
      // A Run All with a failing cell rejects; that is no fault of the test.
      void window.jupyterapp.commands.execute(name).catch(() => undefined);
    }, id);
  }

  /** Saves the notebook. */
  async save(): Promise<void> {
    await this.page.evaluate(() =>
      window.jupyterapp.shell.currentWidget!.context.save()
    );
  }

  /** Waits until no cell runs and the kernel is idle. */
  async settled(): Promise<void> {
    await waitFor(
      'no cell runs any more',
      () =>
        this.page.evaluate(() => {
          const panel = window.jupyterapp.shell.currentWidget!;
          return (
            panel.sessionContext.session?.kernel?.status === 'idle' &&
            panel.content.widgets.every(
              cell => (cell.model.executionState ?? 'idle') === 'idle'
            )
          );
        }),
      RUN_MS
    );
  }

  /** Text of the extension's item in the status bar. */
  status(): Locator {
    return this.page.locator('.jp-ipynbTelemetry-status');
  }
}

/**
 * Makes a cell the active one, and runs it where that is wanted, before anything can come
 * in between; gives the mark by which the cell is found. Runs in the page.
 */
async function activate({
  id,
  then,
  command = 'notebook:run-cell'
}: {
  id: string;
  then: 'stay' | 'start' | 'finish';
  command?: string;
}): Promise<string> {
  const { content, id: panel } = window.jupyterapp.shell.currentWidget!;
  const index = content.widgets.findIndex(cell => cell.model.id === id);
  if (index < 0) {
    throw new Error(`there is no cell ${id}`);
  }
  // In edit mode the focus would bring the other cell back.
  content.mode = 'command';
  content.deselectAll();
  content.activeCellIndex = index;
  const mark = `${panel} ${id}`;
  content.widgets[index]!.node.dataset['cellOfTest'] = mark;
  if (then !== 'stay') {
    const run = window.jupyterapp.commands
      .execute(command)
      .catch(() => undefined); // A failing cell is no fault of the test.
    if (then === 'finish') {
      await run;
    }
  }
  return mark;
}
