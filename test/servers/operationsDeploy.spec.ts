/** What we ship to run the relay with: units for systemd, an image, a compose file. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { resolveConfig } from '../../src/relay/config/resolve.js';
import { addCourse, makeDataFolder } from '../support/relay.js';
import { waitFor } from '../support/waitFor.js';
import { cellEvent, startTestRelay } from '../relay/support/testRelay.js';

const run = promisify(execFile);
const here = (path: string): string =>
  fileURLToPath(new URL(path, import.meta.url));
const deployed = (name: string): Promise<string> =>
  readFile(here(`../../deploy/${name}`), 'utf8');

/** Whether a program is there. */
const isThere = (command: string, ...args: string[]): Promise<boolean> =>
  run(command, args).then(
    () => true,
    () => false
  );

/** Settings of a unit, last one first. */
function settings(unit: string): Map<string, string> {
  return new Map(
    unit
      .split('\n')
      .filter(line => /^[A-Z]\w+=/.test(line))
      .map(line => [line.split('=', 1)[0]!, line.slice(line.indexOf('=') + 1)])
  );
}

describe('the units for systemd', () => {
  it('are understood by systemd, where it is there to be asked', async () => {
    const files = ['service', 'socket'].map(kind =>
      here(`../../deploy/systemd/ipynb-telemetry.${kind}`)
    );
    const said = (await isThere('systemd-analyze', '--version'))
      ? await run('systemd-analyze', ['verify', '--man=no', ...files])
      : { stdout: '', stderr: '' };
    expect(said).toEqual({ stdout: '', stderr: '' });
    for (const unit of ['service', 'socket']) {
      const text = await deployed(`systemd/ipynb-telemetry.${unit}`);
      // Each line is a comment, a section or a setting.
      expect(
        text.split('\n').filter(line => !/^(#.*|\[\w+\]|\w+=.*|)$/.test(line))
      ).toEqual([]);
    }
  });

  it('start the relay with options that it has, below the port of the socket', async () => {
    const service = settings(await deployed('systemd/ipynb-telemetry.service'));
    const command = service
      .get('ExecStart')!
      .replace('%S', '/var/lib')
      .split(' ');
    expect(command.slice(0, 3)).toEqual([
      '/usr/bin/env',
      'ipynb-telemetry',
      'relay'
    ]);
    const socket = settings(await deployed('systemd/ipynb-telemetry.socket'));
    const [host, port] = socket.get('ListenStream')!.split(':');
    const variables = [
      ...(await deployed('systemd/relay.env')).matchAll(/^#?(\w+)=(.*)$/gm)
    ].map(([, name, value]) => [name!, value!] as const);
    expect(variables.length).toBeGreaterThan(3);
    const { config } = resolveConfig({
      flags: { [command[3]!.slice(2)]: command[4] },
      env: Object.fromEntries(variables)
    });
    expect(config).toMatchObject({
      data: '/var/lib/ipynb-telemetry',
      host,
      port: Number(port)
    });
    // Its commands find its socket, and its data are its own.
    expect(service.get('Environment')).toBe('TMPDIR=%t/ipynb-telemetry');
    expect(service.get('RuntimeDirectoryMode')).toBe('0700');
    expect(service.get('StateDirectoryMode')).toBe('0700');
  });
});

it('systemd hands its socket to the relay that a first request starts', async () => {
  const starter = 'systemd-socket-activate';
  const free = createServer().listen(0, '127.0.0.1');
  await once(free, 'listening');
  const { port } = free.address() as AddressInfo;
  free.close();
  const { data, remove } = await makeDataFolder();
  const key = await addCourse(data, 'demo');
  const [command, ...args] = [
    process.execPath,
    here('../../lib/cli/main.js'),
    'relay',
    '--data',
    data
  ];
  // Where systemd is not, the relay opens the port by itself.
  const child = (await isThere(starter, '--version'))
    ? spawn(starter, ['--listen', `127.0.0.1:${port}`, command!, ...args])
    : spawn(command!, [...args, '--port', String(port)]);
  let output = '';
  child.stdout.on('data', text => (output += String(text)));
  child.stderr.on('data', text => (output += String(text)));
  try {
    const status = await waitFor(
      () => `an answer; it wrote: ${output}`,
      () =>
        fetch(`http://127.0.0.1:${port}/batch/`, {
          method: 'POST',
          body: JSON.stringify({ api_key: key, batch: [cellEvent(1)] })
        }).then(
          response => response.status,
          () => null
        ),
      30_000
    );
    expect(status).toBe(200);
    await waitFor(
      () => `it names its address; it wrote: ${output}`,
      () => output.includes(`Events go to   http://127.0.0.1:${port}\n`)
    );
  } finally {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    await gone;
    await remove();
  }
  expect(child.exitCode).toBe(0);
});

describe('the image and the compose file', () => {
  it('name variables that the relay has, and a user without rights', async () => {
    const dockerfile = await deployed('compose/Dockerfile');
    const compose = await deployed('compose/compose.yaml');
    expect(dockerfile).toMatch(/^USER node$/m);
    const env = Object.fromEntries(
      [...dockerfile.matchAll(/(IPYNB_TELEMETRY_\w+)=(\S+)/g)].map(
        ([, name, value]) => [name!, value!]
      )
    );
    const { config } = resolveConfig({ env });
    expect(config).toMatchObject({
      data: '/data',
      host: '0.0.0.0',
      port: 7345
    });
    const named = [...compose.matchAll(/^ +(IPYNB_TELEMETRY_\w+):/gm)];
    expect(named.length).toBeGreaterThan(1);
    // Not set, they are empty, which counts as not set.
    resolveConfig({
      env: Object.fromEntries(named.map(([, name]) => [name!, '']))
    });
  });

  it('the check of health tells a relay that is ready from one that is not', async () => {
    const dockerfile = await deployed('compose/Dockerfile');
    const [, line] = /^ +CMD (\[.*\])$/m.exec(dockerfile)!;
    const [, ...args] = JSON.parse(line!) as string[];
    const relay = await startTestRelay();
    const check = async (): Promise<number> => {
      const child = spawn(process.execPath, args, {
        env: { IPYNB_TELEMETRY_PORT: String(relay.relay.port) }
      });
      const [code] = (await once(child, 'exit')) as [number];
      return code;
    };
    try {
      expect(await check()).toBe(0);
      await relay.relay.close();
      expect(await check()).toBe(1);
    } finally {
      await relay.remove();
    }
  });

  it('compose understands its file, where it is there to be asked; else it is YAML all the same', async () => {
    const file = here('../../deploy/compose/compose.yaml');
    const compose = await isThere('docker', 'compose', 'version');
    const { stdout } = compose
      ? await run('docker', ['compose', '-f', file, 'config', '--format=json'])
      : await run(here('../../.venv/bin/python'), [
          '-c',
          'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))',
          file
        ]);
    const { services } = JSON.parse(stdout) as {
      services: { relay: Record<string, unknown> };
    };
    expect(services.relay).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      init: true
    });
  });
});
