/**
 * Pages that nothing listens to but the few domains that are asked for. Playwright's own pages
 * report every request and every message of a kernel, on the very thread that is measured.
 */

/**
 * Opens an empty page in a browser context, and so with a cache, of its own.
 * @param {import('playwright-core').Browser} browser
 * @returns {Promise<{send: (method: string, params?: object) => Promise<object>, close: () => Promise<void>}>}
 */
export async function openTarget(browser) {
  const root = await browser.newBrowserCDPSession();
  const { browserContextId } = await root.send('Target.createBrowserContext');
  const { targetId } = await root.send('Target.createTarget', {
    url: 'about:blank',
    browserContextId
  });
  // Not flat: a session within the session is all that Playwright lets through.
  const { sessionId } = await root.send('Target.attachToTarget', {
    targetId,
    flatten: false
  });
  const waiting = new Map();
  root.on('Target.receivedMessageFromTarget', ({ message }) => {
    const { id, result, error } = JSON.parse(message);
    const call = waiting.get(id);
    waiting.delete(id);
    if (error) {
      call?.reject(new Error(`${call.method}: ${error.message}`));
    } else {
      call?.resolve(result);
    }
  });
  let last = 0;
  return {
    send: (method, params = {}) =>
      new Promise((resolve, reject) => {
        last += 1;
        waiting.set(last, { method, resolve, reject });
        const message = JSON.stringify({ id: last, method, params });
        root
          .send('Target.sendMessageToTarget', { sessionId, message })
          .catch(reject);
      }),
    async close() {
      await root.send('Target.disposeBrowserContext', { browserContextId });
      await root.detach();
    }
  };
}

/**
 * Calls a function in the page and waits for what it promises.
 * @param {{send: (method: string, params?: object) => Promise<object>}} target
 * @param {Function} work closed over nothing
 * @param {...unknown} args JSON
 */
export async function evaluate(target, work, ...args) {
  const { result, exceptionDetails } = await target.send('Runtime.evaluate', {
    expression: `(${work})(...${JSON.stringify(args)})`,
    awaitPromise: true,
    returnByValue: true
  });
  if (exceptionDetails) {
    const { exception, text } = exceptionDetails;
    throw new Error(`in the page: ${exception?.description ?? text}`);
  }
  return result.value;
}
