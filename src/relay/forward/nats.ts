/** A shared log in NATS JetStream: one stream, one subject a partition, one durable consumer a subject. */
import {
  jetstream,
  jetstreamManager,
  AckPolicy,
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type ConsumerMessages,
  type JetStreamManager,
  type StreamConfig,
  type StreamInfo
} from '@nats-io/jetstream';
import {
  connect,
  credsAuthenticator,
  type NatsConnection,
  type NodeConnectionOptions
} from '@nats-io/transport-node';
import type { EngineAddress } from './address.js';
import type { Credentials } from './credentials.js';
import type {
  Engine,
  Publisher,
  Share,
  StreamFacts,
  Subscriber
} from './engine.js';
import { readMessage } from './message.js';
import { PARTITIONS, partitionOf } from './partition.js';

/** How long a server may take for an answer, in ms. */
const ANSWER_MS = 5_000;
/** How long the stream recognises a message that is published again, in ms. Consumers do for days. */
const DUPLICATE_WINDOW_MS = 10 * 60_000;
/** After this time without an acknowledgement a message is delivered again, in ms. */
const ACK_WAIT_MS = 10_000;
/** Bytes of a message beside its payload: subject and headers. */
const ENVELOPE_BYTES = 512;
/** Servers in a cluster that a new stream is kept on. */
const REPLICAS = 3;
/** The server's codes: no stream of this name, and one with other settings. */
const STREAM_NOT_FOUND = 10_059;
const STREAM_EXISTS = 10_058;
const NS_PER_MS = 1_000_000;

/** JetStream at `address`. */
export function natsEngine(
  address: EngineAddress,
  readCredentials: () => Promise<Credentials>
): Engine {
  const { stream } = address;

  async function open(): Promise<{
    connection: NatsConnection;
    manager: JetStreamManager;
    info: StreamInfo;
  }> {
    const connection = await connect({
      servers: address.hosts,
      name: 'ipynb-telemetry',
      // A new connection looks at the stream before it goes on; the client's own way would not.
      reconnect: false,
      timeout: ANSWER_MS,
      pingInterval: 5_000,
      maxPingOut: 2,
      ...(address.tls ? { tls: {} } : {}),
      ...loginOf(await readCredentials())
    });
    try {
      const manager = await jetstreamManager(connection, {
        checkAPI: false,
        timeout: ANSWER_MS
      });
      const info = await ensureStream(connection, manager, stream);
      return { connection, manager, info };
    } catch (error) {
      await connection.close();
      throw error;
    }
  }

  return {
    async publisher(): Promise<Publisher> {
      const { connection, manager, info } = await open();
      const client = jetstream(connection, {
        checkAPI: false,
        timeout: ANSWER_MS
      });
      return {
        facts: factsOf(connection, info),
        ended: connection
          .closed()
          .then(error => error?.message ?? 'the connection was closed'),
        async publish({ id, course, payload }) {
          const subject = `${stream}.${partitionOf(course)}`;
          const { seq } = await client.publish(subject, payload, {
            msgID: id,
            expect: { streamName: stream }
          });
          return { id, place: String(seq) };
        },
        async holds({ id, place }) {
          if (info.state.last_seq < Number(place)) {
            return 'gone';
          }
          const found = await manager.streams.getMessage(stream, {
            seq: Number(place)
          });
          return found === null
            ? 'unknown'
            : readMessage(found.data).id === id
              ? 'held'
              : 'gone';
        },
        close: () => connection.close()
      };
    },

    async subscriber(share: Share): Promise<Subscriber> {
      const { connection, manager, info } = await open();
      try {
        const waiting = new Map<number, number>();
        const readers = await Promise.all(
          partitionsOf(share).map(async partition => {
            const name = `relay-${partition}`;
            const { num_pending: pending } = await manager.consumers.add(
              stream,
              {
                durable_name: name,
                filter_subject: `${stream}.${partition}`,
                ack_policy: AckPolicy.Explicit,
                ack_wait: ACK_WAIT_MS * NS_PER_MS,
                max_ack_pending: 1_000
              }
            );
            waiting.set(partition, pending);
            const consumer = await manager
              .jetstream()
              .consumers.get(stream, name);
            const messages = await consumer.consume({
              max_bytes: Math.max(
                8 * 1024 * 1024,
                2 * factsOf(connection, info).maxBytes
              ),
              expires: 5_000,
              idle_heartbeat: 1_000
            });
            return { partition, messages };
          })
        );
        return {
          waiting: () => [...waiting.values()].reduce((a, b) => a + b, 0),
          async run(take) {
            let reason = `the connection to ${connection.getServer()} ended`;
            const end = (why: string): void => {
              reason = why;
              void connection.close();
            };
            const over = connection.closed().then(error => {
              reason = error ? error.message : reason;
            });
            for (const { partition, messages } of readers) {
              void watch(messages, end);
              void (async () => {
                for await (const message of messages) {
                  waiting.set(partition, message.info.pending);
                  await take({
                    payload: message.data,
                    done: () => quietly(() => message.ack()),
                    again: afterMs => quietly(() => message.nak(afterMs))
                  });
                }
              })().catch((error: Error) => end(error.message));
            }
            await over;
            return reason;
          },
          close: () => connection.close()
        };
      } catch (error) {
        await connection.close();
        throw error;
      }
    }
  };
}

/** Answers a message; over a connection that has ended nothing is answered, and it comes again. */
function quietly(answer: () => void): void {
  try {
    answer();
  } catch {
    // The message comes again with the next connection, and is recognised.
  }
}

/** Ends the connection when the server went silent or the consumer is gone; the next one makes it anew. */
async function watch(
  messages: ConsumerMessages,
  end: (reason: string) => void
): Promise<void> {
  for await (const { type } of messages.status()) {
    if (
      type === 'heartbeats_missed' ||
      type === 'consumer_not_found' ||
      type === 'consumer_deleted' ||
      type === 'stream_not_found' ||
      type === 'no_responders'
    ) {
      end(`the stream's consumer does not answer (${type})`);
    }
  }
}

/** The stream, made where it is missing. @throws Error that says what is wrong with one that is there. */
async function ensureStream(
  connection: NatsConnection,
  manager: JetStreamManager,
  name: string
): Promise<StreamInfo> {
  let info: StreamInfo;
  try {
    info = await manager.streams.info(name);
  } catch (error) {
    if (codeOf(error) !== STREAM_NOT_FOUND) {
      throw error;
    }
    info = await makeStream(connection, manager, name);
  }
  const problem = problemOf(info.config, name);
  if (problem !== null) {
    throw new Error(`stream ${name}: ${problem}`);
  }
  return info;
}

async function makeStream(
  connection: NatsConnection,
  manager: JetStreamManager,
  name: string
): Promise<StreamInfo> {
  try {
    return await manager.streams.add({
      name,
      subjects: [`${name}.*`],
      storage: StorageType.File,
      // What a consumer has on its own disk leaves the stream; nothing else ever does.
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      num_replicas: isClustered(connection) ? REPLICAS : 1,
      duplicate_window: DUPLICATE_WINDOW_MS * NS_PER_MS
    });
  } catch (error) {
    if (codeOf(error) === STREAM_EXISTS) {
      // Another door was faster.
      return manager.streams.info(name);
    }
    throw error;
  }
}

function problemOf(config: StreamConfig, name: string): string | null {
  const subjects = config.subjects ?? [];
  if (![`${name}.*`, `${name}.>`].some(each => subjects.includes(each))) {
    return `expected the subject ${name}.*, got ${subjects.join(', ') || 'none'}. Add it, or name another stream behind the address.`;
  }
  if (config.retention === RetentionPolicy.Interest) {
    return 'expected retention "workqueue" or "limits", got "interest", which drops what comes while no consumer is known.';
  }
  return null;
}

function factsOf(connection: NatsConnection, info: StreamInfo): StreamFacts {
  const { config, created } = info;
  const durable = config.storage === StorageType.File;
  const limits = [
    config.max_age > 0 ? 'an age' : '',
    config.discard === DiscardPolicy.Old &&
    Math.max(config.max_msgs, config.max_bytes) > 0
      ? 'a size'
      : ''
  ].filter(Boolean);
  return {
    incarnation: `nats ${config.name} ${created}`,
    replicated: durable && config.num_replicas >= REPLICAS,
    keeper: isClustered(connection)
      ? null
      : (connection.info?.server_id ?? null),
    description: [
      `JetStream ${connection.info?.version ?? ''}, stream ${config.name}`,
      `${config.num_replicas} replicas${durable ? '' : ' in memory'}`,
      ...(limits.length > 0
        ? [`drops messages past ${limits.join(' and ')}`]
        : [])
    ].join(', '),
    maxBytes: Math.min(
      connection.info!.max_payload - ENVELOPE_BYTES,
      config.max_msg_size > 0 ? config.max_msg_size - ENVELOPE_BYTES : Infinity
    )
  };
}

function codeOf(error: unknown): number | undefined {
  return error instanceof JetStreamApiError ? error.code : undefined;
}

function isClustered(connection: NatsConnection): boolean {
  return typeof connection.info?.cluster === 'string';
}

function partitionsOf({ index, count }: Share): number[] {
  return Array.from({ length: PARTITIONS }, (_, p) => p).filter(
    partition => partition % count === index
  );
}

function loginOf(credentials: Credentials): NodeConnectionOptions {
  switch (credentials.kind) {
    case 'none':
      return {};
    case 'creds':
      return { authenticator: credsAuthenticator(credentials.content) };
    case 'password':
      return { user: credentials.user, pass: credentials.password };
    case 'token':
      return { token: credentials.token };
  }
}
