/** Notebooks that were opened and closed again leave nothing of ours behind in the page. */
import type { CDPSession, Page } from 'playwright-core';
import { Lesson } from '../support/lesson.js';

import { browser, classroom, jupyter } from './place.js';

const TIMES = 50;

/** One connection of ours to a signal of JupyterLab. */
interface Connection {
  sender: object;
  slot: unknown;
  receiver: unknown;
}
interface CountingPage {
  ours?: Set<Connection>;
}

it(`${TIMES} opened and closed notebooks leave no listener of ours behind`, async () => {
  const lesson = await Lesson.open(
    { classroom, jupyter, browser },
    { quick: 'x = 1' }
  );
  await lesson.notebook.run('setup');
  await lesson.notebook.save(); // An unsaved one asks before it closes.
  const { page } = lesson.watched;
  const cdp = await page.context().newCDPSession(page);
  const scripts = new Set<string>();
  cdp.on('Debugger.scriptParsed', ({ scriptId, url }) => {
    if (url.includes('/ipynb-telemetry/')) {
      scripts.add(scriptId);
    }
  });
  await cdp.send('Debugger.enable');
  await page.evaluate(countConnections);
  await reopen(page, lesson.file, 3);
  const before = await left(page, cdp, scripts);
  await reopen(page, lesson.file, TIMES);
  const after = await left(page, cdp, scripts);
  process.stdout.write(
    `listeners before and after ${TIMES} notebooks: ${JSON.stringify({ before, after })}\n`
  );
  expect(before.signals).toBeGreaterThan(0);
  expect(before.listeners).toBeGreaterThan(0);
  expect(after).toEqual(before);
  expect(lesson.watched.errors).toEqual([]);
  await page.context().close();
});

/** Closes the notebook and opens it again. */
async function reopen(page: Page, path: string, times: number): Promise<void> {
  await page.evaluate(
    async ([file, count]) => {
      const { commands, shell } = window.jupyterapp;
      for (let round = 0; round < count; round += 1) {
        const former = shell.currentWidget as unknown as {
          close(): void;
          isDisposed: boolean;
        };
        former.close();
        while (!former.isDisposed) {
          await new Promise(resolve => setTimeout(resolve, 10));
        }
        const panel = (await commands.execute('docmanager:open', {
          path: file
        })) as unknown as {
          context: { ready: Promise<void> };
          sessionContext: { ready: Promise<void> };
        };
        await panel.context.ready;
        await panel.sessionContext.ready;
        await new Promise(resolve => setTimeout(resolve, 50));
      }
    },
    [path, times] as const
  );
}

/** From here on every connection that our code makes to a signal is noted, and forgotten when it ends. Runs in the page. */
function countConnections(): void {
  const ours = new Set<Connection>();
  (window as CountingPage).ours = ours;
  const { layoutModified } = window.jupyterapp.shell as unknown as {
    layoutModified: { constructor: Record<string, unknown> };
  };
  const Signal = layoutModified.constructor as unknown as {
    prototype: Record<string, (...args: unknown[]) => unknown>;
  } & Record<string, (...args: unknown[]) => unknown>;
  const { connect, disconnect } = Signal.prototype;
  const forget = (is: (one: Connection) => boolean): void =>
    ours.forEach(one => {
      if (is(one)) {
        ours.delete(one);
      }
    });
  Signal.prototype['connect'] = function (this: object, ...args: unknown[]) {
    const made = connect!.apply(this, args);
    // The line after this function's own: who connected.
    const [, , caller] = (new Error().stack ?? '').split('\n');
    if (made && caller?.includes('/ipynb-telemetry/')) {
      const { sender } = this as { sender: object };
      ours.add({ sender, slot: args[0], receiver: args[1] });
    }
    return made;
  };
  Signal.prototype['disconnect'] = function (this: object, ...args: unknown[]) {
    const { sender } = this as { sender: object };
    forget(
      one =>
        one.sender === sender &&
        one.slot === args[0] &&
        one.receiver === args[1]
    );
    return disconnect!.apply(this, args);
  };
  for (const [name, ends] of Object.entries({
    clearData: (one: Connection, it: unknown) =>
      one.sender === it || one.receiver === it,
    disconnectAll: (one: Connection, it: unknown) =>
      one.sender === it || one.receiver === it,
    disconnectReceiver: (one: Connection, it: unknown) => one.receiver === it,
    disconnectSender: (one: Connection, it: unknown) => one.sender === it
  })) {
    const original = Signal[name]!;
    Signal[name] = (...args: unknown[]) => {
      forget(one => ends(one, args[0]));
      return original.apply(Signal, args);
    };
  }
}

/** Connections of ours to signals, and our listeners on the window and the document. */
async function left(
  page: Page,
  cdp: CDPSession,
  scripts: ReadonlySet<string>
): Promise<{ signals: number; listeners: number }> {
  let listeners = 0;
  for (const expression of ['window', 'document', 'document.body']) {
    const { result } = await cdp.send('Runtime.evaluate', { expression });
    const found = await cdp.send('DOMDebugger.getEventListeners', {
      objectId: result.objectId!
    });
    listeners += found.listeners.filter(({ scriptId }) =>
      scripts.has(scriptId)
    ).length;
  }
  const signals = await page.evaluate(
    () => (window as CountingPage).ours!.size
  );
  return { signals, listeners };
}
