/** Every option of the relay: one table behind flags, environment, file, help texts and docs/configuration.md. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import {
  address,
  addressOrPath,
  addressList,
  choice,
  destination,
  engineAddress,
  integer,
  path,
  projectKey,
  share,
  text,
  type Kind
} from './kinds.js';

/** Complete configuration of a relay. */
export interface RelayConfig {
  host: string;
  port: number;
  data: string;
  /** Null: the address that the relay listens on. */
  'public-url': string | null;
  /** Without a slash at its end; null: the path of `public-url`. */
  prefix: string | null;
  'hub-api-url': string | null;
  'hub-token': string | null;
  /** A path, without a slash at its end, where the Hub has the relay's own host. */
  'hub-url': string | null;
  'hub-service': string;
  /** Null: `service-` and the service's name. */
  'hub-client-id': string | null;
  'hub-admins': 'nothing' | 'operator';
  'tls-cert': string | null;
  'tls-key': string | null;
  'trusted-proxies': readonly string[];
  'posthog-host': string;
  'posthog-key': string | null;
  'duplicate-window-days': number;
  'dead-letter-bytes': number;
  'log-engine': 'segments' | 'lmdb';
  'segment-bytes': number;
  /** Null: no bound. */
  'log-max-bytes': number | null;
  'log-max-age-days': number | null;
  'disk-reserve-bytes': number;
  'body-limit-bytes': number;
  'decompressed-limit-bytes': number;
  'header-timeout-seconds': number;
  'body-timeout-seconds': number;
  /** The shared log that this door forwards to. */
  forward: string | null;
  'forward-keep-hours': number;
  'forward-safe': 'auto' | 'yes' | 'no';
  /** The shared log that this relay reads. */
  consume: string | null;
  'consume-share': string;
  'engine-credentials': string | null;
  'address-rate': number;
  'key-rate': number;
  /** Folder of posthog-js's scripts. */
  'posthog-js': string | null;
  'log-level': 'debug' | 'info' | 'warn' | 'error' | 'silent';
  metrics: 'off' | 'local' | 'open';
  'metrics-courses': 'no' | 'yes';
}

/** Name of an option: its flag without dashes, its TOML key, and in capitals its variable. */
export type OptionName = keyof RelayConfig;

/** One option. */
export interface Option<T> {
  kind: Kind<NonNullable<T>>;
  /** Value where none is given; computed at start. */
  default: () => T;
  /** The default in words, where it is not the value itself. */
  defaultText?: string;
  /** One sentence. */
  meaning: string;
  /** Never printed. */
  secret?: true;
  /** No flag: whoever lists processes would see it. */
  flagless?: true;
}

const MIB = 1024 * 1024;

/** The table. */
export const OPTIONS: { readonly [N in OptionName]: Option<RelayConfig[N]> } = {
  host: {
    kind: text('a host name or an IP address', 'HOST'),
    default: () => '127.0.0.1',
    meaning:
      'Address to listen on; 0.0.0.0 listens on every network of the machine.'
  },
  port: {
    kind: integer(0, 65_535, 'PORT'),
    default: () => 7345,
    meaning: 'Port to listen on; 0 takes a free one.'
  },
  data: {
    kind: text('a folder', 'FOLDER'),
    default: dataHome,
    defaultText: '~/.local/share/ipynb-telemetry',
    meaning: 'Folder of everything that is kept; made if need be.'
  },
  'public-url': {
    kind: address('https://hub.example.org/telemetry'),
    default: () => null,
    defaultText: 'the address listened on',
    meaning:
      'Address under which browsers reach the relay behind a proxy; its path is the prefix of every route.'
  },
  prefix: {
    kind: path('/services/telemetry'),
    default: () => null,
    defaultText: 'the path of `public-url`',
    meaning:
      'Path below which a proxy passes requests on; the prefix of every route.'
  },
  'hub-api-url': {
    kind: address('http://127.0.0.1:8081/hub/api'),
    default: () => null,
    defaultText: 'none: no JupyterHub',
    meaning:
      "JupyterHub's API, which is asked who students and instructors are."
  },
  'hub-token': {
    kind: text('the API token of a service', 'TOKEN'),
    default: () => null,
    defaultText: 'none: nobody logs in by the Hub',
    meaning:
      "The relay's API token as a service of that Hub; no flag takes it.",
    secret: true,
    flagless: true
  },
  'hub-url': {
    kind: addressOrPath('https://hub.example.org'),
    default: () => null,
    defaultText: 'none: nobody logs in by the Hub',
    meaning: 'Address under which browsers reach that Hub, without its /hub.'
  },
  'hub-service': {
    kind: text('the name of a service', 'NAME'),
    default: () => 'telemetry',
    meaning: "The relay's name among that Hub's services."
  },
  'hub-client-id': {
    kind: text('the id of an OAuth client', 'ID'),
    default: () => null,
    defaultText: 'service- and the name of the service',
    meaning: 'Id as which the relay logs people in by the Hub.'
  },
  'hub-admins': {
    kind: choice(['nothing', 'operator'], 'ROLE'),
    default: () => 'nothing',
    meaning:
      "What being an administrator of the Hub means here; operator: all courses and all of the page's rights."
  },
  'tls-cert': {
    kind: text('a file', 'FILE'),
    default: () => null,
    defaultText: 'none: plain HTTP',
    meaning:
      'Certificate in PEM, with those between it and the root; read again when it changes.'
  },
  'tls-key': {
    kind: text('a file', 'FILE'),
    default: () => null,
    defaultText: 'none: plain HTTP',
    meaning: "The certificate's key in PEM."
  },
  'trusted-proxies': {
    kind: addressList(),
    default: () => [],
    defaultText: 'none',
    meaning:
      'Proxies that are believed what they say of the client in X-Forwarded-For.'
  },
  'posthog-host': {
    kind: destination('https://eu.i.posthog.com'),
    default: () => 'https://us.i.posthog.com',
    meaning: 'PostHog for the courses that name none of their own.'
  },
  'posthog-key': {
    kind: projectKey(),
    default: () => null,
    defaultText: 'none: nothing is sent to PostHog',
    meaning: 'Project key of that PostHog; better given by variable or file.',
    secret: true
  },
  'duplicate-window-days': {
    kind: integer(1, 90, 'DAYS'),
    default: () => 7,
    meaning:
      'How long the door remembers ids, so that an event that is sent again counts once.'
  },
  'dead-letter-bytes': {
    kind: integer(64 * 1024, 64 * 1024 * MIB, 'BYTES'),
    default: () => 256 * MIB,
    meaning:
      'Largest size of the file of events that were set aside; beyond it the oldest go, and are counted.'
  },
  'log-engine': {
    kind: choice(['segments', 'lmdb'], 'ENGINE'),
    default: () => 'segments',
    meaning:
      'How the event log is stored; lmdb is there for comparison and as a fallback.'
  },
  'segment-bytes': {
    kind: integer(64 * 1024, 1024 * MIB, 'BYTES'),
    default: () => 16 * MIB,
    meaning: 'Size at which the event log begins a new file.'
  },
  'log-max-bytes': {
    kind: integer(MIB, MIB ** 3, 'BYTES'),
    default: () => null,
    defaultText: 'no bound',
    meaning:
      'Size at which the event log removes its oldest files, once no destination needs them.'
  },
  'log-max-age-days': {
    kind: integer(1, 36_500, 'DAYS'),
    default: () => null,
    defaultText: 'no bound',
    meaning:
      'Age at which the event log removes its files, once no destination needs them.'
  },
  'disk-reserve-bytes': {
    kind: integer(0, MIB ** 3, 'BYTES'),
    default: () => 256 * MIB,
    meaning:
      'Space that is left free on the disk: with less, events are refused until there is more.'
  },
  'body-limit-bytes': {
    kind: integer(1024, 100 * MIB, 'BYTES'),
    default: () => 20 * MIB,
    meaning: 'Largest request body as it is received.'
  },
  'decompressed-limit-bytes': {
    kind: integer(1024, 100 * MIB, 'BYTES'),
    default: () => 100 * MIB,
    meaning: 'Largest request body after decompression.'
  },
  'header-timeout-seconds': {
    kind: integer(1, 120, 'SECONDS'),
    default: () => 20,
    meaning: "How long a request's headers may take to arrive."
  },
  'body-timeout-seconds': {
    kind: integer(1, 600, 'SECONDS'),
    default: () => 30,
    meaning: 'How long a request body may take to arrive.'
  },
  forward: {
    kind: engineAddress(),
    default: () => null,
    defaultText: 'none: this relay is the only one',
    meaning:
      'Shared log to which this door forwards what it has taken; it then feeds no destination by itself, unless it also consumes.'
  },
  'forward-keep-hours': {
    kind: integer(0, 8_760, 'HOURS'),
    default: () => 24,
    meaning:
      'How long a door keeps what the shared log has taken but may still lose in a power cut; see forward-safe.'
  },
  'forward-safe': {
    kind: choice(['auto', 'yes', 'no'], 'WHETHER'),
    default: () => 'auto',
    meaning:
      'Whether the shared log keeps safe what it took: auto asks it for three replicas; yes says that its servers flush before they acknowledge; no keeps the hours in any case.'
  },
  consume: {
    kind: engineAddress(),
    default: () => null,
    defaultText: 'none: only what comes to its own door',
    meaning:
      'Shared log whose events this relay takes, and feeds its destinations with.'
  },
  'consume-share': {
    kind: share(),
    default: () => '1/1',
    meaning:
      'Which part of the courses this consumer takes, where there are several.'
  },
  'engine-credentials': {
    kind: text('a file', 'FILE'),
    default: () => null,
    defaultText: 'none: the shared log asks for nothing',
    meaning:
      'File with the credentials for the shared log: a NATS .creds file, or JSON with user and password, or with token.'
  },
  'address-rate': {
    kind: integer(0, 1_000_000, 'RATE'),
    default: () => 1000,
    meaning:
      'Requests a second of one address to bring events in, averaged over ten seconds; 0 for no limit.'
  },
  'key-rate': {
    kind: integer(0, 1_000_000, 'RATE'),
    default: () => 2000,
    meaning: 'The same for one key.'
  },
  'posthog-js': {
    kind: text('a folder', 'FOLDER'),
    default: () => null,
    defaultText: 'none: pages bring posthog-js along',
    meaning:
      'The folder dist of the package posthog-js, served at /static/ to pages that load posthog-js from its host.'
  },
  'log-level': {
    kind: choice(['debug', 'info', 'warn', 'error', 'silent'], 'LEVEL'),
    default: () => 'info',
    meaning: 'What the relay writes about itself to standard error.'
  },
  metrics: {
    kind: choice(['off', 'local', 'open'], 'WHO'),
    default: () => 'local',
    meaning:
      'Who may read /metrics: nobody, programs on this machine and whoever has a key or login, or everybody.'
  },
  'metrics-courses': {
    kind: choice(['no', 'yes'], 'YES/NO'),
    default: () => 'no',
    meaning: 'Whether the metrics count events by course.'
  }
};

/** Names in the order of the documentation. */
export const OPTION_NAMES = Object.keys(OPTIONS) as OptionName[];

/** Prefix of all variables. */
export const ENV_PREFIX = 'IPYNB_TELEMETRY_';

/** The variable of an option. */
export function variableOf(option: string): string {
  return ENV_PREFIX + option.replaceAll('-', '_').toUpperCase();
}

function dataHome(): string {
  const base = process.env['XDG_DATA_HOME'];
  return join(
    base !== undefined && base.startsWith('/')
      ? base
      : join(homedir(), '.local', 'share'),
    'ipynb-telemetry'
  );
}
