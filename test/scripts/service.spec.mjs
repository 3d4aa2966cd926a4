/** Services: ready or not, their last words, their logs, and the end of all they started. */
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { labEnvironment } from '../../scripts/start/lab.mjs';
import { relayEnvironment } from '../../scripts/start/relay.mjs';
import { maskSecrets, startService } from '../../scripts/start/service.mjs';
import { until, useTempFolders } from './support.mjs';

const tempFolder = useTempFolders();

/** A service made of a line of JavaScript. */
function service(folder, code, graceMs = 5000) {
  return startService({
    name: 'The thing',
    command: process.execPath,
    args: ['-e', code],
    cwd: folder,
    env: process.env,
    logFile: join(folder, 'thing.log'),
    graceMs
  });
}

const alive = pid => {
  try {
    process.kill(pid, 0);
    // A zombie has ended; only nobody has asked how.
    const stat = `/proc/${pid}/stat`;
    return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, 'utf8'));
  } catch {
    return false;
  }
};

describe('a service', () => {
  it('is waited for until it is ready', async () => {
    const folder = tempFolder();
    const ready = join(folder, 'ready');
    const thing = service(
      folder,
      `setTimeout(() => require('fs').writeFileSync('ready', ''), 150); setInterval(() => 0, 1000)`
    );
    await thing.waitUntil(async () => existsSync(ready), 20_000);
    expect(await thing.stop()).toBe(true);
  });

  it('that ends before it is ready is reported with its last words', async () => {
    const folder = tempFolder();
    const thing = service(
      folder,
      `console.log('starting'); console.error('no such thing'); process.exitCode = 3`
    );
    await expect(thing.waitUntil(async () => false, 20_000)).rejects.toThrow(
      /^The thing stopped \(exit code 3\)\. It said last:\n {2}starting\n {2}no such thing\nAll of it: /
    );
  });

  it('that does not become ready is given up', async () => {
    const thing = service(tempFolder(), 'setInterval(() => 0, 1000)');
    await expect(thing.waitUntil(async () => false, 200)).rejects.toThrow(
      'The thing is not ready after 0.2 s.'
    );
    await thing.stop();
  });

  it('that ends by itself later is reported, one that is stopped is not', async () => {
    const folder = tempFolder();
    const thing = service(folder, 'setTimeout(() => process.exit(7), 50)');
    expect((await thing.failure()).message).toContain('exit code 7');

    const other = service(folder, 'setInterval(() => 0, 1000)');
    let failed = false;
    void other.failure().then(() => {
      failed = true;
    });
    await other.stop();
    await other.ended;
    await new Promise(resolve => setImmediate(resolve));
    expect(failed).toBe(false);
  });

  it('that cannot be started is reported', async () => {
    const folder = tempFolder();
    const thing = startService({
      name: 'The thing',
      command: '/nowhere/python',
      args: [],
      cwd: folder,
      env: process.env,
      logFile: join(folder, 'thing.log'),
      graceMs: 1000
    });
    expect((await thing.failure()).message).toContain('ENOENT');
    expect(await thing.stop()).toBe(true);
  });

  it('is stopped together with what it started', async () => {
    const folder = tempFolder();
    const thing = service(
      folder,
      `const child = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => 0, 1000)']);` +
        `console.log('child', child.pid); setInterval(() => 0, 1000)`
    );
    let child;
    thing.onLine(line => {
      child = Number(line.split(' ')[1]);
    });
    await until('the child', () => child);
    expect(alive(child)).toBe(true);
    await thing.stop();
    await until('the end of the child', () => !alive(child));
    await thing.stop();
  });

  it('is killed when it does not want to stop', async () => {
    const thing = service(
      tempFolder(),
      `process.on('SIGTERM', () => console.log('no')); console.log('up'); setInterval(() => 0, 1000)`,
      300
    );
    let up = false;
    thing.onLine(line => {
      up ||= line === 'up';
    });
    await until('the start', () => up);
    expect(await thing.stop()).toBe(false);
    expect(await thing.ended).toBe('signal SIGKILL');
  });

  it('keeps its log, and the one before, without secrets and for its owner alone', async () => {
    const folder = tempFolder();
    const log = join(folder, 'thing.log');
    writeFileSync(log, 'last time\n');
    const key = `nbt_${'k'.repeat(32)}`;
    const thing = service(
      folder,
      `console.log('open http://x/?token=abcdef&a=1'); console.log('key ${key}')`
    );
    const lines = [];
    thing.onLine(line => lines.push(line));
    await thing.ended;
    await until('the log', () => readFileSync(log, 'utf8').includes('key'));
    const text = readFileSync(log, 'utf8');
    expect(text).toBe('open http://x/?token=…&a=1\nkey nbt_kkk…\n');
    expect(lines).toContain(`key ${key}`);
    expect(statSync(log).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(folder, 'thing.previous.log'), 'utf8')).toBe(
      'last time\n'
    );
  });
});

describe('maskSecrets', () => {
  it('leaves everything else alone', () => {
    const line = 'GET /healthz 200 nb_cell tokens=3';
    expect(maskSecrets(line)).toBe(line);
  });
});

describe('relayEnvironment', () => {
  const key = 'phc_test';

  it("takes PostHog's usual names over", () => {
    expect(
      relayEnvironment({
        POSTHOG_API_KEY: key,
        POSTHOG_HOST: 'https://eu.i.posthog.com'
      })
    ).toMatchObject({
      IPYNB_TELEMETRY_POSTHOG_KEY: key,
      IPYNB_TELEMETRY_POSTHOG_HOST: 'https://eu.i.posthog.com'
    });
  });

  it("lets the relay's own names win, and the command line over all", () => {
    const base = {
      POSTHOG_API_KEY: 'phc_other',
      IPYNB_TELEMETRY_POSTHOG_KEY: key,
      POSTHOG_HOST: 'https://a.example',
      IPYNB_TELEMETRY_POSTHOG_HOST: 'https://b.example'
    };
    expect(relayEnvironment(base)).toMatchObject({
      IPYNB_TELEMETRY_POSTHOG_KEY: key,
      IPYNB_TELEMETRY_POSTHOG_HOST: 'https://b.example'
    });
    expect(
      relayEnvironment(base, 'https://c.example').IPYNB_TELEMETRY_POSTHOG_HOST
    ).toBe('https://c.example');
  });

  it('sets nothing where no project is configured', () => {
    expect(relayEnvironment({ PATH: '/bin', POSTHOG_API_KEY: '' })).toEqual({
      PATH: '/bin'
    });
  });
});

describe('labEnvironment', () => {
  it('gives kernels the course and keeps the rest from them', () => {
    const env = labEnvironment(
      {
        PATH: '/bin',
        LANG: 'C.UTF-8',
        POSTHOG_API_KEY: 'phc_test',
        IPYNB_TELEMETRY_POSTHOG_KEY: 'phc_test',
        TELEMETRY_HOST: 'https://elsewhere.example',
        TELEMETRY_STUDENT_NAME: 'Ada Lovelace',
        JUPYTER_PATH: '/opt/other'
      },
      { jupyter: '/home/j' },
      { host: 'http://127.0.0.1:7345', key: 'nbt_x', token: 't' }
    );
    expect(env).toMatchObject({
      LANG: 'C.UTF-8',
      TELEMETRY_HOST: 'http://127.0.0.1:7345',
      TELEMETRY_API_KEY: 'nbt_x',
      TELEMETRY_STUDENT_NAME: 'Ada Lovelace',
      JUPYTER_TOKEN: 't'
    });
    expect(env.PATH).toMatch(/\.venv\/bin:\/bin$/);
    expect(Object.values(env)).not.toContain('phc_test');
    expect(env.JUPYTER_PATH).toBeUndefined();
  });
});
