/** `npm start` itself: the links it prints work, Ctrl-C leaves nothing behind. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { until } from '../scripts/support.mjs';
import { plainEnvironment, ROOT, useFolder } from './support.mjs';

const folder = useFolder();
/** Marks all that a start leaves in the process table. */
const MARK = `START_SPEC_${process.pid}`;
const started = [];

/** Starts it, watching what it says. */
function start(args, more = {}) {
  const child = spawn(process.execPath, ['scripts/start.mjs', ...args], {
    cwd: ROOT,
    env: plainEnvironment({ [MARK]: '1', ...more }),
    stdio: ['ignore', 'pipe', 'pipe']
  });
  const run = { child, said: '', code: undefined };
  const keep = chunk => {
    run.said += chunk;
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  child.once('close', code => {
    run.code = code;
  });
  started.push(run);
  return run;
}

const over = run =>
  until('the end', () => run.code !== undefined, 30_000).catch(error => {
    throw new Error(`${error.message}. It said:\n${run.said}`);
  });

const links = async run => {
  await until(
    'the links',
    () => run.said.includes('Ctrl-C') || run.code !== undefined,
    120_000
  );
  const link = name =>
    new RegExp(`^ {2}${name} +(http\\S+)$`, 'm').exec(run.said)?.[1];
  const found = { page: link("Instructors' page"), lab: link('JupyterLab') };
  if (!found.page) {
    throw new Error(`No link. It said:\n${run.said}`);
  }
  return found;
};

/** Processes that carry the mark, besides the starters themselves once they are over. */
function marked() {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .filter(pid => {
      try {
        const environment = readFileSync(`/proc/${pid}/environ`, 'utf8');
        return environment.split('\0').includes(`${MARK}=1`);
      } catch {
        return false;
      }
    })
    .map(pid => readFileSync(`/proc/${pid}/cmdline`, 'utf8'))
    .filter(Boolean);
}

const refused = link =>
  fetch(link).then(
    () => false,
    () => true
  );

afterEach(async () => {
  for (const run of started.splice(0)) {
    if (run.code === undefined) {
      run.child.kill('SIGINT');
      await over(run);
    }
  }
  if (process.platform === 'linux') {
    await until('the end of all processes', () => marked().length === 0);
  }
}, 60_000);

it('explains itself', async () => {
  const run = start(['--help']);
  await over(run);
  expect(run.code).toBe(0);
  for (const option of ['--port', '--lab-port', '--no-lab', '--data']) {
    expect(run.said).toContain(option);
  }
});

it('refuses what it does not know with one sentence', async () => {
  const run = start(['--prot', '1']);
  await over(run);
  expect(run.code).toBe(1);
  expect(run.said).toBe(
    "Unknown option '--prot'.\nSee `npm start -- --help`.\n"
  );
});

describe('without JupyterLab', () => {
  const args = data => ['--no-lab', '--data', join(folder(), data)];

  it('prints a link that works, and stops cleanly on Ctrl-C', async () => {
    const run = start(args('a'));
    const { page, lab } = await links(run);
    expect(lab).toBeUndefined();
    const answer = await fetch(page);
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain('<html');
    run.child.kill('SIGINT');
    await over(run);
    expect(run.code).toBe(0);
    expect(run.said).toContain('Stopped.');
    expect(await refused(page)).toBe(true);
    expect(existsSync(join(folder(), 'a', 'running.json'))).toBe(false);
  }, 180_000);

  it('takes Ctrl-C from the terminal and from npm at once for one', async () => {
    const run = start(args('a'));
    await links(run);
    run.child.kill('SIGINT');
    run.child.kill('SIGINT');
    await over(run);
    expect(run.code).toBe(0);
  }, 60_000);

  it('keeps course and events for the next start, and the key for itself', async () => {
    const first = start(args('b'));
    await links(first);
    const file = join(folder(), 'b', 'demo.key');
    const key = readFileSync(file, 'utf8');
    expect(key.trim()).toMatch(/^nbt_\w{32}$/);
    expect(statSync(file).mode & 0o077).toBe(0);
    first.child.kill('SIGTERM');
    await over(first);
    expect(first.code).toBe(0);

    const second = start(args('b'));
    await links(second);
    expect(readFileSync(file, 'utf8')).toBe(key);
    for (const run of [first, second]) {
      expect(run.said).not.toContain(key.trim());
    }
    const log = readFileSync(join(folder(), 'b', 'logs', 'relay.log'), 'utf8');
    expect(log).not.toContain(key.trim());
    expect(log).not.toMatch(/token=\w/);
  }, 120_000);

  it('does not start twice in one folder', async () => {
    const first = start(args('c'));
    const { page } = await links(first);
    const second = start(args('c'));
    await over(second);
    expect(second.code).toBe(1);
    expect(second.said).toContain('It is running already');
    expect(second.said).toContain(new URL(page).origin);
    expect((await fetch(new URL('/healthz', page))).status).toBe(200);
  }, 60_000);

  it('starts beside another one, on a port of its own', async () => {
    const first = await links(start(args('d')));
    const second = await links(start(args('e')));
    expect(new URL(first.page).port).not.toBe(new URL(second.page).port);
    for (const { page } of [first, second]) {
      expect((await fetch(new URL('/readyz', page))).status).toBe(200);
    }
  }, 60_000);

  it('says so when the port asked for is taken', async () => {
    const server = createServer();
    await new Promise(resolve => {
      server.listen(0, '127.0.0.1', resolve);
    });
    try {
      const { port } = server.address();
      const run = start([...args('f'), '--port', String(port)]);
      await over(run);
      expect(run.code).toBe(1);
      expect(run.said).toContain(`Port ${port} is taken.`);
    } finally {
      server.close();
    }
  }, 60_000);

  it('stops and says why when the relay dies', async () => {
    const run = start(args('g'));
    await links(run);
    const relay = readdirSync('/proc')
      .filter(name => /^\d+$/.test(name))
      .find(pid => {
        try {
          const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
          return (
            command.includes('lib/cli/main.js') &&
            command.includes(join(folder(), 'g'))
          );
        } catch {
          return false;
        }
      });
    process.kill(Number(relay), 'SIGKILL');
    await over(run);
    expect(run.code).toBe(1);
    expect(run.said).toContain('The relay stopped (signal SIGKILL).');
    expect(run.said).toContain(join('g', 'logs', 'relay.log'));
  }, 60_000);
});

describe('with JupyterLab', () => {
  it('prints two links that work, with the extension at its place', async () => {
    const run = start(['--data', join(folder(), 'lab')]);
    const { page, lab } = await links(run);
    const token = new URL(lab).searchParams.get('token');
    const get = path =>
      fetch(new URL(path, lab), {
        headers: { authorization: `token ${token}` }
      });

    expect((await fetch(page)).status).toBe(200);
    const shell = await (await fetch(lab)).text();
    expect(shell).toContain('ipynb-telemetry');
    const name = decodeURIComponent(new URL(lab).pathname.split('/').pop());
    const notebook = await (await get(`/api/contents/${name}`)).json();
    expect(JSON.stringify(notebook.content)).toContain('setup_telemetry');
    const course = await get('/ipynb-telemetry/course');
    expect(course.status).toBe(200);
    expect(await course.json()).toMatchObject({ course: 'demo' });

    // A kernel is a session of its own: the hardest to take along.
    const kernel = await fetch(new URL('/api/kernels', lab), {
      method: 'POST',
      headers: { authorization: `token ${token}` },
      body: '{}'
    });
    expect(kernel.status).toBe(201);
    run.child.kill('SIGINT');
    await over(run);
    expect(run.code).toBe(0);
    expect(await refused(lab)).toBe(true);
    expect(await refused(page)).toBe(true);
  }, 180_000);
});
