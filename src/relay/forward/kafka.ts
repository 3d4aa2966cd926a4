/** A shared log behind Kafka's protocol: one topic, courses as keys, one consumer group. */
import {
  Admin,
  Consumer,
  Producer,
  type BaseOptions,
  type Message as KafkaMessage,
  type MessagesStream
} from '@platformatic/kafka';
import type { EngineAddress } from './address.js';
import { Arrivals } from './arrivals.js';
import type { Credentials } from './credentials.js';
import type {
  Delivery,
  Engine,
  Publisher,
  Receipt,
  StreamFacts,
  Subscriber
} from './engine.js';
import type { Message } from './message.js';
import { PARTITIONS } from './partition.js';

/** How long a broker may take for an answer, in ms. */
const ANSWER_MS = 5_000;
/** Name of the consumers' group. */
const GROUP = 'ipynb-telemetry-relay';
/** Brokers that a new topic is kept on, and how many of them must have a message before it counts. */
const REPLICAS = 3;
const IN_SYNC = 2;
/** What a batch may be larger than its messages, in bytes. */
const ENVELOPE_BYTES = 4_096;
/** Where the topic does not tell: the brokers' default. */
const DEFAULT_MAX_BYTES = 1_048_588;
/** How long a topic that the relay makes keeps messages, in ms: consumers must not be away longer. */
const RETENTION_MS = 30 * 86_400_000;
/** Kafka's number for a topic among things that have settings, and for the end of a partition. */
const TOPIC = 2;
const LATEST = -1n;

/** What the client tells when a broker is gone. */
const BROKEN = ['client:broker:disconnect', 'client:broker:failed'] as const;

interface Waiting {
  message: Message;
  resolve: (receipt: Receipt) => void;
  reject: (error: Error) => void;
}

/** Brokers at `address`. */
export function kafkaEngine(
  address: EngineAddress,
  readCredentials: () => Promise<Credentials>
): Engine {
  const { stream: topic } = address;

  async function options(): Promise<BaseOptions> {
    return {
      clientId: 'ipynb-telemetry',
      bootstrapBrokers: address.hosts,
      timeout: ANSWER_MS,
      connectTimeout: ANSWER_MS,
      // The forwarder tries again itself, and looks at the topic before it does.
      retries: 1,
      ...(address.tls ? { tls: {} } : {}),
      ...loginOf(await readCredentials())
    };
  }

  async function withAdmin<T>(work: (admin: Admin) => Promise<T>): Promise<T> {
    const admin = new Admin(await options());
    try {
      return await work(admin);
    } finally {
      await admin.close();
    }
  }

  return {
    async publisher(): Promise<Publisher> {
      const facts = await withAdmin(admin => ensureTopic(admin, topic));
      const producer = new Producer<string, Buffer, string, string>({
        ...(await options()),
        acks: -1,
        idempotent: true,
        autocreateTopics: false,
        serializers: {
          key: text => Buffer.from(text ?? ''),
          value: bytes => bytes,
          headerKey: text => Buffer.from(text ?? ''),
          headerValue: text => Buffer.from(text ?? '')
        }
      });
      let queue: Waiting[] = [];
      let sending: Promise<void> | undefined;
      let end: (reason: string) => void = () => undefined;
      const ended = new Promise<string>(resolve => (end = resolve));
      for (const event of BROKEN) {
        producer.on(event, () => end('a broker closed the connection'));
      }
      try {
        // By itself it would connect with the first message, and not notice a broker that came back empty.
        await producer.connectToBrokers();
      } catch (error) {
        await producer.close();
        throw error;
      }

      /** One request at a time, or the broker could not keep the order; what comes meanwhile is the next one. */
      async function send(): Promise<void> {
        while (queue.length > 0) {
          const group = groupOf(queue, facts.maxBytes);
          queue = queue.slice(group.length);
          try {
            const { offsets = [] } = await producer.send({
              messages: group.map(({ message: { id, course, payload } }) => ({
                topic,
                key: course,
                value: payload,
                headers: { id }
              }))
            });
            const place = offsets
              .map(({ partition, offset }) => `${partition}:${offset}`)
              .join(' ');
            group.forEach(({ message: { id }, resolve }) =>
              resolve({ id, place })
            );
          } catch (error) {
            [...group, ...queue].forEach(({ reject }) =>
              reject(error as Error)
            );
            queue = [];
          }
        }
        sending = undefined;
      }

      return {
        facts,
        ended,
        publish: message =>
          new Promise((resolve, reject) => {
            queue.push({ message, resolve, reject });
            sending ??= Promise.resolve().then(send);
          }),
        // Kafka takes nothing out when it is read, so an end before the place means a loss. One that
        // has grown past it again cannot be told from one that lost nothing.
        holds: ({ place }) =>
          withAdmin(async admin => {
            const ends = await endsOf(admin, topic);
            return place.split(' ').every(each => {
              const [partition, offset] = each.split(':');
              return (ends.get(Number(partition)) ?? 0n) > BigInt(offset ?? 0);
            })
              ? 'held'
              : 'gone';
          }),
        async close() {
          end('the connection was closed');
          await sending;
          await producer.close();
        }
      };
    },

    async subscriber(): Promise<Subscriber> {
      await withAdmin(admin => ensureTopic(admin, topic));
      const consumer = new Consumer<Buffer, Buffer, Buffer, Buffer>({
        ...(await options()),
        groupId: GROUP,
        autocommit: false,
        sessionTimeout: 10_000,
        heartbeatInterval: 2_000
      });
      let stream: MessagesStream<Buffer, Buffer, Buffer, Buffer> | undefined;
      let closed: Promise<void> | undefined;
      return {
        waiting: () => null,
        async run(take) {
          const arrivals = new Arrivals();
          try {
            stream = await consumer.consume({
              topics: [topic],
              mode: 'committed',
              fallbackMode: 'earliest'
            });
            for await (const message of stream) {
              await take(deliveryOf(message, arrivals, take));
            }
            return 'the connection to the brokers ended';
          } finally {
            arrivals.stop();
          }
        },
        close() {
          closed ??= (async () => {
            await stream?.close();
            await consumer.close();
          })();
          return closed;
        }
      };
    }
  };
}

/** A message and what becomes of it: a partition's place moves only past what arrived without a gap. */
function deliveryOf(
  message: KafkaMessage<Buffer, Buffer, Buffer, Buffer>,
  arrivals: Arrivals,
  take: (delivery: Delivery) => Promise<void>
): Delivery {
  const arrived = arrivals.begin(message.partition, () => message.commit());
  const delivery: Delivery = {
    payload: message.value,
    done: arrived,
    // Kafka delivers nothing twice by itself.
    again: afterMs => arrivals.later(afterMs, () => void take(delivery))
  };
  return delivery;
}

/** The topic, made where it is missing. */
async function ensureTopic(admin: Admin, topic: string): Promise<StreamFacts> {
  const { brokers } = await admin.metadata({ topics: [] });
  if (!(await admin.listTopics()).includes(topic)) {
    const wide = brokers.size >= REPLICAS;
    await admin
      .createTopics({
        topics: [topic],
        partitions: PARTITIONS,
        replicas: wide ? REPLICAS : 1,
        configs: [
          { name: 'retention.ms', value: String(RETENTION_MS) },
          ...(wide
            ? [{ name: 'min.insync.replicas', value: String(IN_SYNC) }]
            : [])
        ]
      })
      .catch(async (error: unknown) => {
        // Another door may have been faster.
        if (!(await admin.listTopics()).includes(topic)) {
          throw error;
        }
      });
  }
  const metadata = await admin.metadata({ topics: [topic], forceUpdate: true });
  const found = metadata.topics.get(topic);
  if (!found) {
    throw new Error(`topic ${topic} is not known to the brokers yet`);
  }
  const settings = await settingsOf(admin, topic);
  const replicas = Math.min(
    ...found.partitions.map(partition => partition.replicas.length)
  );
  const inSync = Number(settings.get('min.insync.replicas') ?? 1);
  const maxBytes = Number(
    settings.get('max.message.bytes') ?? DEFAULT_MAX_BYTES
  );
  return {
    incarnation: `kafka ${metadata.id} ${topic} ${found.id}`,
    replicated: replicas >= REPLICAS && inSync >= IN_SYNC,
    keeper: null,
    description: `Kafka, topic ${topic}, ${replicas} replicas, ${inSync} of them in sync`,
    maxBytes: maxBytes - ENVELOPE_BYTES
  };
}

/** The topic's settings; none where the broker does not show them. */
async function settingsOf(
  admin: Admin,
  topic: string
): Promise<Map<string, string>> {
  const described = await admin
    .describeConfigs({
      resources: [{ resourceType: TOPIC, resourceName: topic }]
    })
    .catch(() => []);
  return new Map(
    described.flatMap(({ configs }) =>
      configs.map(({ name, value }): [string, string] => [name, value ?? ''])
    )
  );
}

/** Where each partition ends: the offset that the next message gets. */
async function endsOf(
  admin: Admin,
  topic: string
): Promise<Map<number, bigint>> {
  const { topics } = await admin.metadata({ topics: [topic] });
  const count = topics.get(topic)?.partitions.length ?? 0;
  const [found] = await admin.listOffsets({
    topics: [
      {
        name: topic,
        partitions: Array.from({ length: count }, (_, partitionIndex) => ({
          partitionIndex,
          timestamp: LATEST
        }))
      }
    ]
  });
  return new Map(
    (found?.partitions ?? []).map(({ partitionIndex, offset }) => [
      partitionIndex,
      offset
    ])
  );
}

/** The first of the queue, as many as a batch takes. */
function groupOf(queue: readonly Waiting[], maxBytes: number): Waiting[] {
  let bytes = 0;
  const tooMuch = queue.findIndex(({ message }, index) => {
    bytes += message.payload.length + 256;
    return index > 0 && bytes > maxBytes;
  });
  return queue.slice(0, tooMuch < 0 ? queue.length : tooMuch);
}

function loginOf(credentials: Credentials): Pick<BaseOptions, 'sasl'> {
  switch (credentials.kind) {
    case 'none':
      return {};
    case 'password': {
      const { user: username, password, mechanism = 'PLAIN' } = credentials;
      return { sasl: { mechanism, username, password } };
    }
    case 'token':
      return {
        sasl: { mechanism: 'OAUTHBEARER', token: credentials.token }
      };
    case 'creds':
      throw new Error(
        'engine-credentials: expected JSON with user and password for Kafka, got a .creds file of NATS.'
      );
  }
}
