/** The relay as a service of Debian's real JupyterHub: who students are, who instructors are, and what is kept of a token. */
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Properties } from '../../src/events/index.js';
import { openSegmentLog } from '../../src/relay/log/segmentLog.js';
import { checkHub } from '../../src/relay/doctor/hub.js';
import { recordsOf } from '../../src/relay/log/contents.js';
import { launchChromium, openPage } from '../browser/support/chromium.js';
import { cellEvent } from '../relay/support/testRelay.js';
import {
  addCourse,
  makeDataFolder,
  setCourse,
  startRelay
} from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { PYTHON, startHub, type RunningHub } from './support/hub.js';
import { Browser } from './support/hubBrowser.js';

const HEADER = 'x-ipynb-telemetry-hub-token';

let folder: Awaited<ReturnType<typeof makeDataFolder>>;
let key: string;
let hub: RunningHub;
/** Environment of the first student's server. */
let ofStudent1: Record<string, string>;
/** All that must be found nowhere afterwards. */
const secrets: string[] = [];

beforeAll(async () => {
  folder = await makeDataFolder();
  key = await addCourse(folder.data, 'python-101');
  await addCourse(folder.data, 'other');
  await setCourse(folder.data, 'python-101', [
    ...['--students', 'verified'],
    ...['--hub-instructors', 'python-101-instructors'],
    ...['--hub-assistants', 'python-101-assistants:monday']
  ]);
  hub = await startHub({
    data: folder.data,
    // Linus may open the page as far as the Hub is concerned, and is in no course's group.
    config: `
c.JupyterHub.load_groups["guests"] = ["linus"]
c.JupyterHub.load_roles[0]["groups"].append("guests")
`
  });
}, 90_000);

afterAll(async () => {
  await hub?.stop();
  await folder?.remove();
}, 40_000);

const relay = (path: string): string => `${hub.url}/services/telemetry${path}`;

/** An event in which somebody claims to be Grace. */
const claim = (n: number): ReturnType<typeof cellEvent> =>
  cellEvent(n, { student: 'GRACE' }, { distinct_id: 'GRACE' });

async function post(
  n: number,
  token?: string,
  { url = relay('/batch/'), courseKey = key } = {}
): Promise<{ status: number; headers: Headers; body: { code?: string } }> {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(token === undefined ? {} : { [HEADER]: token })
    },
    body: JSON.stringify({ api_key: courseKey, batch: [claim(n)] })
  });
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as { code?: string }
  };
}

/** A cookie or a token that was used. */
function secret(value: string | undefined): string {
  expect(value).toMatch(/^.{16,}$/);
  secrets.push(value!);
  return value!;
}

describe('a student', () => {
  it('is who the Hub says, through their Jupyter server, whatever the page claims', async () => {
    await hub.startServer('student1');
    const { token } = await hub.mintToken('student1');
    const response = await fetch(
      `${hub.url}/user/student1/ipynb-telemetry/batch`,
      {
        method: 'POST',
        headers: { authorization: `token ${secret(token)}` },
        body: JSON.stringify({
          batch: [claim(1)],
          sent_at: new Date().toISOString()
        })
      }
    );
    expect([response.status, await response.json()]).toEqual([
      200,
      { status: 'Ok' }
    ]);
    const { servers } = await hub.api<{
      servers: Record<string, { state: { pid: number } }>;
    }>('GET', '/users/student1');
    const { pid } = Object.values(servers)[0]!.state;
    const environment = await readFile(`/proc/${pid}/environ`, 'utf8');
    secret(/JUPYTERHUB_API_TOKEN=([^\0]+)/.exec(environment)?.[1]);
    ofStudent1 = Object.fromEntries(
      environment
        .split('\0')
        .filter(line => line.includes('='))
        .map(line => line.split(/=(.*)/s) as [string, string])
    );
  }, 90_000);

  it('is verified too where a kernel of that server posts by itself', async () => {
    const { stdout, stderr } = await promisify(execFile)(
      PYTHON,
      [
        '-c',
        `import ipynb_telemetry as t
t.setup_telemetry("intro")
print(t.status()["student"])`
      ],
      { env: ofStudent1 }
    );
    expect([stdout.trim().split('\n').at(-1), stderr]).toEqual([
      'student1',
      ''
    ]);
  });

  it('cannot write as another: the token counts, and not the claim', async () => {
    const { token } = await hub.mintToken('student2');
    expect(await post(2, secret(token))).toMatchObject({ status: 200 });
  });

  it.each(['no token', 'one that the Hub never gave', 'one that was revoked'])(
    'is refused with %s, by an answer after which clients keep their events',
    async what => {
      const { id, token } = await hub.mintToken('student1');
      secret(token);
      if (what === 'one that was revoked') {
        await hub.api('DELETE', `/users/student1/tokens/${id}`);
      }
      const given = {
        'no token': undefined,
        'one that the Hub never gave': `${token.slice(0, -4)}beef`,
        'one that was revoked': token
      }[what];
      const { status, headers, body } = await post(3, given);
      expect([status, body.code]).toEqual([401, 'unverified_student']);
      expect(headers.get('access-control-allow-origin')).toBe('*');
    }
  );
});

describe('an instructor', () => {
  it('logs in by the Hub and sees the course of their group, and no other', async () => {
    const browser = new Browser();
    const login = await browser.visit(relay('/login'));
    expect(login.status).toBe(200);
    const link = /href="(login\/hub)"/.exec(login.text)![1]!;
    const page = await browser.visitAs(new URL(link, login.url).href, 'ada');
    expect(page).toMatchObject({ status: 200, url: relay('/') });
    const session = page.setCookies.find(cookie =>
      cookie.startsWith('ipynb_telemetry_session=')
    );
    expect(session).toMatch(
      /; Path=\/services\/telemetry\/; Max-Age=43200; HttpOnly; SameSite=Strict$/
    );
    secret(browser.cookie('ipynb_telemetry_session'));

    const courses = await browser.ask(relay('/api/v1/courses'));
    expect(await courses.json()).toEqual([
      { course: 'python-101', title: 'python-101' }
    ]);
    const status = async (course: string): Promise<number> =>
      (await browser.ask(relay(`/api/v1/snapshot?course=${course}`))).status;
    expect(await status('python-101')).toBe(200);
    expect(await status('other')).toBe(404);

    // What the Hub brought back is good once, and in this browser alone.
    const callback = page.way.find(url => url.includes('/oauth_callback?'))!;
    secret(new URL(callback).searchParams.get('code') ?? undefined);
    for (const other of [browser, new Browser()]) {
      const again = await other.visit(callback);
      expect([again.status, again.setCookies]).toEqual([403, []]);
    }

    // A course that gives its students to another group takes them from this one at once.
    await setCourse(folder.data, 'python-101', ['--hub-instructors', 'others']);
    await waitFor(
      'the session ends',
      async () => (await status('python-101')) === 401
    );
  });

  it('cannot be logged in by somebody else’s link', async () => {
    const mallory = new Browser();
    const begun = await mallory.ask(relay('/login/hub'));
    const authorize = new URL(begun.headers.get('location')!, hub.url).href;
    // The victim opens what Mallory began: the Hub sends them back, and nobody is logged in.
    const victim = new Browser();
    const end = await victim.visitAs(authorize, 'ada');
    expect(end.url).toContain('/oauth_callback?');
    expect(end.status).toBe(403);
    expect(victim.cookie('ipynb_telemetry_session')).toBeUndefined();
  });

  it('who is none is told which group it would take', async () => {
    const guest = new Browser();
    const page = await guest.visitAs(relay('/login/hub'), 'linus');
    expect(page.status).toBe(403);
    expect(page.text).toContain('<code>linus</code>');
    expect(page.text).toContain('<code>python-101-assistants</code>');
    expect(page.text).not.toContain('guests');
    expect(guest.cookie('ipynb_telemetry_session')).toBeUndefined();
  });

  it('a student is turned away by the Hub itself', async () => {
    const student = new Browser();
    const page = await student.visitAs(relay('/login/hub'), 'student1');
    expect(page.status).toBe(403);
    expect(page.url).toContain('/hub/api/oauth2/authorize');
  });

  it('an assistant of a section is one', async () => {
    const browser = new Browser();
    const page = await browser.visitAs(relay('/login/hub'), 'grace');
    expect(page).toMatchObject({ status: 200, url: relay('/') });
    secret(browser.cookie('ipynb_telemetry_session'));
    const sessions = await readFile(join(folder.data, 'sessions.json'), 'utf8');
    expect(Object.values(JSON.parse(sessions).sessions)).toContainEqual(
      expect.objectContaining({
        principal: {
          id: 'hub:grace',
          via: 'hub',
          hub: { groups: ['python-101-assistants'], admin: false },
          role: 'assistant',
          section: 'monday',
          courses: ['python-101']
        }
      })
    );
  });
});

describe('in Chromium', () => {
  it('an assistant comes from the page to the Hub and back to their course', async () => {
    const browser = await launchChromium();
    try {
      const { page } = await openPage(browser);
      await page.goto(relay('/'));
      await page.getByRole('link', { name: 'Log in' }).click();
      await page.getByRole('link', { name: 'Log in with JupyterHub' }).click();
      await page.getByLabel('Username').fill('grace');
      await page.getByLabel('Password').fill('any');
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.waitForURL(relay('/'));
      await page.getByText('python-101').first().waitFor();
      const courses = await page.request.get(relay('/api/v1/courses'));
      expect(await courses.json()).toEqual([
        { course: 'python-101', title: 'python-101' }
      ]);
    } finally {
      await browser.close();
    }
  }, 60_000);
});

describe('a relay that the Hub did not start', () => {
  it('verifies students by the API’s address alone, and takes nothing while the Hub is away', async () => {
    const own = await makeDataFolder();
    const courseKey = await addCourse(own.data, 'python-101');
    await setCourse(own.data, 'python-101', ['--students', 'verified']);
    const outside = await startRelay({
      data: own.data,
      args: ['--hub-api-url', hub.apiUrl]
    });
    try {
      const known = await hub.mintToken('student1');
      const late = await hub.mintToken('student2');
      const there = { url: `${outside.url}/batch/`, courseKey };
      expect((await post(1, known.token, there)).status).toBe(200);
      const levels = async (
        token: string | null,
        service: string
      ): Promise<string[]> => {
        const options = {
          'hub-api-url': hub.apiUrl,
          'hub-token': token,
          'hub-service': service
        };
        const findings = await checkHub(options, [], { offline: false });
        expect(JSON.stringify(findings)).not.toContain(hub.adminToken);
        return findings.map(({ level }) => level);
      };
      // What the doctor says of it, by the token of another service that this Hub has.
      expect(await levels(null, 'tests')).toEqual(['ok']);
      expect(await levels(hub.adminToken, 'tests')).toEqual(['ok']);
      expect(await levels(hub.adminToken, 'telemetry')).toEqual(['problem']);
      expect(await levels(known.token, 'tests')).toEqual(['problem']);
      await hub.stop();
      expect(await levels(hub.adminToken, 'tests')).toEqual(['problem']);
      // Whom it has just asked about it still knows.
      expect((await post(2, known.token, there)).status).toBe(200);
      const { status, headers, body } = await post(3, late.token, there);
      expect([status, body.code]).toEqual([503, 'hub_unavailable']);
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
      expect(headers.get('access-control-allow-origin')).toBe('*');
      expect(outside.output()).not.toContain(late.token);
    } finally {
      await outside.stop();
      await own.remove();
    }
  }, 60_000);
});

describe('afterwards', () => {
  it('events are the verified students’, and no token is anywhere', async () => {
    const output = hub.output();
    await hub.stop();
    const log = await openSegmentLog({ dir: join(folder.data, 'log') });
    const students = new Map<string, unknown[]>();
    for await (const record of log.read(1)) {
      for (const { event, student, payload } of recordsOf(record)) {
        const { student: said } = payload as Properties;
        expect(said).toBe(student);
        students.set(String(student), [
          ...(students.get(String(student)) ?? []),
          event
        ]);
      }
    }
    await log.close();
    expect([...students.keys()]).toEqual(['student1', 'student2']);
    expect(students.get('student1')).toEqual(
      expect.arrayContaining(['cell', 'start', 'end'])
    );
    expect(students.get('student2')).toEqual(['cell']);

    const files = await readdir(folder.data, {
      recursive: true,
      withFileTypes: true
    });
    const texts = await Promise.all(
      files
        .filter(file => file.isFile())
        .map(file => readFile(join(file.parentPath, file.name), 'latin1'))
    );
    expect(texts.join('\n')).not.toContain('GRACE');
    expect(secrets.length).toBeGreaterThanOrEqual(8);
    const kept = [...texts, output].join('\n');
    expect(secrets.filter(value => kept.includes(value))).toEqual([]);
  });
});
