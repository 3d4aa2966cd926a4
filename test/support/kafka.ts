/** A real Kafka broker: one KRaft node from the jars in KAFKA_HOME/libs. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePorts } from './nats.js';
import { waitFor } from './waitFor.js';

/** A broker. */
export interface Kafka {
  /** Address for `--forward` and `--consume`. */
  readonly url: string;
  /** Starts it, on the port and the disk it had. Resolves when it is ready. */
  start(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Takes its disk away; only while it is not running. */
  loseDisk(): Promise<void>;
  remove(): Promise<void>;
}

/** One broker, not started yet. */
export async function makeKafka(): Promise<Kafka> {
  const classpath = join(process.env['KAFKA_HOME']!, 'libs', '*');
  const folder = await mkdtemp(join(tmpdir(), 'ipynb-telemetry-kafka-'));
  const [port, controller] = await freePorts(2);
  const config = join(folder, 'server.properties');
  const data = join(folder, 'data');
  await writeFile(
    config,
    [
      'process.roles=broker,controller',
      'node.id=1',
      `controller.quorum.voters=1@127.0.0.1:${controller}`,
      `listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      `advertised.listeners=PLAINTEXT://127.0.0.1:${port}`,
      'controller.listener.names=CONTROLLER',
      `log.dirs=${data}`,
      'offsets.topic.replication.factor=1',
      'offsets.topic.num.partitions=1',
      'transaction.state.log.replication.factor=1',
      'transaction.state.log.min.isr=1',
      'group.initial.rebalance.delay.ms=0'
    ].join('\n')
  );
  const format = async (): Promise<void> => {
    await promisify(execFile)('java', [
      ...['-cp', classpath, 'kafka.tools.StorageTool', 'format'],
      ...['-t', 'MkU3OEVBNTcwNTJENDM2Qk', '-c', config]
    ]);
  };
  await format();
  let child: ChildProcess | undefined;
  let output = '';
  const kill = async (): Promise<void> => {
    const ending = child;
    child = undefined;
    if (ending?.exitCode === null && ending.signalCode === null) {
      const gone = once(ending, 'exit');
      ending.kill('SIGKILL');
      await gone;
    }
  };
  return {
    url: `kafka://127.0.0.1:${port}/telemetry`,
    async start() {
      output = '';
      const started = spawn(
        'java',
        ['-Xmx300m', '-cp', classpath, 'kafka.Kafka', config],
        { stdio: ['ignore', 'pipe', 'pipe'] }
      );
      child = started;
      for (const stream of [started.stdout, started.stderr]) {
        stream.setEncoding('utf8').on('data', (text: string) => {
          output = (output + text).slice(-50_000);
        });
      }
      await waitFor(
        () => `the broker is ready; it wrote: ${output.slice(-2_000)}`,
        () => output.includes('Kafka Server started'),
        60_000
      );
    },
    kill,
    async loseDisk() {
      await rm(data, { recursive: true, force: true });
      await format();
    },
    async remove() {
      await kill();
      await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    }
  };
}
