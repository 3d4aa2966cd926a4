/** Where a shared log is: `nats://host[:port][,host…][/stream]`, or the same with `kafka` and a topic. */

/** A shared log's address; never with credentials. */
export interface EngineAddress {
  protocol: 'nats' | 'kafka';
  /** Whether the connection must be encrypted; else it is where the server asks for it. */
  tls: boolean;
  /** `host:port`, in the order given. */
  hosts: string[];
  /** The stream's or the topic's name. */
  stream: string;
}

/** Name of the stream or topic where the address gives none. */
export const DEFAULT_STREAM = 'telemetry';

const PORTS = { nats: 4222, kafka: 9092 } as const;
const FORM =
  /^(nats|kafka)(\+tls)?:\/\/([^/@?#]+)(?:\/([A-Za-z0-9_-]{1,64}))?\/?$/;
const HOST = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/;

/** The address that `text` means; undefined where it is none, or holds credentials. */
export function parseAddress(text: string): EngineAddress | undefined {
  const found = FORM.exec(text.trim());
  if (!found) {
    return undefined;
  }
  const protocol = found[1] as EngineAddress['protocol'];
  const hosts: string[] = [];
  for (const given of found[3]!.split(',')) {
    const host = HOST.exec(given.trim());
    const port = Number(host?.[2] ?? PORTS[protocol]);
    if (!host || port < 1 || port > 65_535) {
      return undefined;
    }
    hosts.push(`${host[1]!}:${port}`);
  }
  return {
    protocol,
    tls: found[2] !== undefined,
    hosts,
    stream: found[4] ?? DEFAULT_STREAM
  };
}

/** The address as it is written; the same for every spelling of it. */
export function formatAddress(address: EngineAddress): string {
  const { protocol, tls, hosts, stream } = address;
  return `${protocol}${tls ? '+tls' : ''}://${hosts.join(',')}/${stream}`;
}
