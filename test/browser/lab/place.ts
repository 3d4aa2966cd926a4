/** The relay, the JupyterLab and the browser that all tests of `lab.spec.ts` share. */
import type { Browser } from 'playwright-core';
import { launchChromium } from '../support/chromium.js';
import { CANARY, Classroom } from '../support/classroom.js';
import { startJupyter, type Jupyter } from '../support/jupyter.js';

export let classroom: Classroom;
export let jupyter: Jupyter;
export let browser: Browser;

beforeAll(async () => {
  classroom = await Classroom.open('outcomes', ['--events', 'default,+edit'], {
    SECRET_OF_THE_SERVER: CANARY
  });
  [jupyter, browser] = await Promise.all([
    startJupyter({ app: 'lab', env: classroom.env }),
    launchChromium()
  ]);
});

afterAll(async () => {
  await browser?.close();
  await jupyter?.stop();
  await classroom?.close();
});
