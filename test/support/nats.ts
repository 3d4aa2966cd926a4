/** Real nats-server processes: one alone or a cluster of three, killed, started again, and robbed of their disks. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as dial, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from './waitFor.js';

/** One server. */
export interface NatsNode {
  /** `127.0.0.1:PORT` */
  readonly host: string;
  /** Starts it, on the port and the disk it had. Resolves when it answers. */
  start(): Promise<void>;
  /** SIGKILL; resolves once it is gone. */
  kill(): Promise<void>;
  /** Takes its disk away; only while it is not running. */
  loseDisk(): Promise<void>;
  /** Remembers what is on its disk; only while it is not running. */
  saveDisk(): Promise<void>;
  /** Puts back what was remembered, as if nothing had been flushed since; only while it is not running. */
  restoreDisk(): Promise<void>;
  running(): boolean;
  output(): string;
}

/** Servers that belong together. */
export interface Nats {
  readonly nodes: readonly NatsNode[];
  /** A folder that goes with it. */
  readonly folder: string;
  /** Address for `--forward` and `--consume`. */
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  /** Kills all and removes what they kept. */
  remove(): Promise<void>;
}

/** `count` servers, not started yet; more than one are a cluster. */
export async function makeNats(
  count: number,
  {
    config = '',
    stream = 'telemetry'
  }: { config?: string; stream?: string } = {}
): Promise<Nats> {
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-nats-'));
  const ports = await freePorts(2 * count);
  const routes = ports.slice(count);
  const nodes = await Promise.all(
    ports.slice(0, count).map(async (port, index) => {
      const disk = join(folder, `n${index}`);
      const file = join(folder, `n${index}.conf`);
      const cluster = `cluster { name: test, listen: "127.0.0.1:${routes[index]}", routes: [${routes
        .map(route => `"nats://127.0.0.1:${route}"`)
        .join(', ')}] }`;
      await writeFile(
        file,
        [
          `server_name: n${index}`,
          `listen: "127.0.0.1:${port}"`,
          `jetstream { store_dir: "${disk}", max_file_store: 4GB, max_memory_store: 64MB }`,
          count > 1 ? cluster : '',
          config
        ].join('\n')
      );
      return makeNode(file, port, disk);
    })
  );
  const kill = async (): Promise<void> => {
    await Promise.all(nodes.map(node => node.kill()));
  };
  return {
    nodes,
    folder,
    url: `nats://${nodes.map(({ host }) => host).join(',')}/${stream}`,
    async start() {
      await Promise.all(nodes.map(node => node.start()));
    },
    kill,
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  };
}

function makeNode(config: string, port: number, disk: string): NatsNode {
  let child: ChildProcess | undefined;
  let output = '';
  const loseDisk = (): Promise<void> =>
    rm(disk, { recursive: true, force: true, maxRetries: 5 });
  return {
    host: `127.0.0.1:${port}`,
    running: () => child !== undefined,
    output: () => output,
    async start() {
      const started = spawn(serverFile(), ['-c', config], {
        stdio: ['ignore', 'ignore', 'pipe']
      });
      child = started;
      started.stderr.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-20_000);
      });
      await waitFor(
        () => `nats-server answers; it wrote: ${output}`,
        () => {
          if (started.exitCode !== null) {
            throw new Error(`nats-server ended by itself: ${output}`);
          }
          return answers(port);
        },
        20_000
      );
    },
    async kill() {
      const ending = child;
      child = undefined;
      if (ending?.exitCode === null && ending.signalCode === null) {
        const gone = once(ending, 'exit');
        ending.kill('SIGKILL');
        await gone;
      }
    },
    loseDisk,
    async saveDisk() {
      await rm(`${disk}.saved`, { recursive: true, force: true });
      await cp(disk, `${disk}.saved`, { recursive: true });
    },
    async restoreDisk() {
      await loseDisk();
      await cp(`${disk}.saved`, disk, { recursive: true });
    }
  };
}

/** Whether a server greets on this port. */
function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = dial(port, '127.0.0.1');
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('data', data => end(data.toString().startsWith('INFO')));
    socket.once('error', () => end(false));
    socket.setTimeout(1000, () => end(false));
  });
}

/** Ports that are free now. They stay the same over restarts, so the system cannot choose them at each start. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    })
  );
  const ports = servers.map(server => (server.address() as AddressInfo).port);
  await Promise.all(
    servers.map(server => new Promise(resolve => server.close(resolve)))
  );
  return ports;
}

function serverFile(): string {
  const cached = fileURLToPath(
    new URL('../../.cache/nats/usr/sbin/nats-server', import.meta.url)
  );
  const candidates = [
    process.env['NATS_SERVER'] ?? '',
    cached,
    ...[...(process.env['PATH'] ?? '').split(':'), '/usr/sbin'].map(folder =>
      join(folder, 'nats-server')
    )
  ];
  const found = candidates.find(file => file !== '' && existsSync(file));
  if (!found) {
    throw new Error(
      "nats-server is missing: install Debian's package nats-server, or name the file in NATS_SERVER"
    );
  }
  return found;
}
