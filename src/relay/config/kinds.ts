/** Kinds of option values: how each is read from text or TOML, and what is expected of it. */
import { isRefusedHost } from '../../sinks/index.js';
import { formatAddress, parseAddress } from '../forward/address.js';
import { PARTITIONS } from '../forward/partition.js';
import { isIP } from 'node:net';

/** Reads a value as it stands in a flag, a variable (always text) or TOML. */
export interface Kind<T> {
  /** Completes "expected …". */
  expected: string;
  /** Placeholder in help texts. */
  placeholder: string;
  /** Undefined where the value cannot be taken. */
  read(given: unknown): T | undefined;
}

/** Text that is not empty. */
export function text(expected: string, placeholder: string): Kind<string> {
  return {
    expected,
    placeholder,
    read: given =>
      typeof given === 'string' && given.trim() !== ''
        ? given.trim()
        : undefined
  };
}

/** A whole number between two bounds, both included. */
export function integer(
  min: number,
  max: number,
  placeholder: string
): Kind<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    placeholder,
    read: given => {
      const value =
        typeof given === 'string' && /^\d+$/.test(given.trim())
          ? Number(given)
          : typeof given === 'bigint'
            ? Number(given)
            : given;
      return Number.isSafeInteger(value) &&
        (value as number) >= min &&
        (value as number) <= max
        ? (value as number)
        : undefined;
    }
  };
}

/** One of a few words. */
export function choice<const T extends string>(
  words: readonly T[],
  placeholder: string
): Kind<T> {
  return {
    expected: words.join(', '),
    placeholder,
    read: given => words.find(word => word === given)
  };
}

/** An address of a service: http or https, without credentials, query or fragment; no slash at its end. */
export function address(example: string): Kind<string> {
  return {
    expected: `an address such as ${example}`,
    placeholder: 'URL',
    read: given => {
      if (typeof given !== 'string' || !URL.canParse(given.trim())) {
        return undefined;
      }
      const url = new URL(given.trim());
      return /^https?:$/.test(url.protocol) &&
        url.username + url.password + url.search + url.hash === ''
        ? url.href.replace(/\/+$/, '')
        : undefined;
    }
  };
}

/** An address to which events are sent on: as `address`, but no place where clouds keep credentials. */
export function destination(example: string): Kind<string> {
  const any = address(example);
  return {
    ...any,
    expected: `${any.expected}, and no link-local one`,
    read: given => {
      const read = any.read(given);
      return read === undefined || isRefusedHost(new URL(read).hostname)
        ? undefined
        : read;
    }
  };
}

/** A shared log's servers and its stream or topic; credentials have a file of their own. */
export function engineAddress(): Kind<string> {
  return {
    expected:
      'an address such as nats://host:4222,host2:4222/telemetry or kafka://host:9092/telemetry, without credentials',
    placeholder: 'URL',
    read: given => {
      const address =
        typeof given === 'string' ? parseAddress(given) : undefined;
      return address && formatAddress(address);
    }
  };
}

/** Addresses and ranges, with commas between them or as a TOML list. */
export function addressList(): Kind<readonly string[]> {
  return {
    expected: 'IP addresses and ranges such as 10.0.0.1,192.168.0.0/16',
    placeholder: 'LIST',
    read: given => {
      const list: unknown[] = Array.isArray(given)
        ? given
        : typeof given === 'string'
          ? given.split(',').map(part => part.trim())
          : [undefined];
      return list.every(isAddressOrRange) ? list : undefined;
    }
  };
}

/** One consumer's part of the courses. */
export function share(): Kind<string> {
  return {
    expected: `a part and a number of parts up to ${PARTITIONS}, such as 1/2`,
    placeholder: 'PART/PARTS',
    read: given => {
      const found = /^(\d)\/(\d)$/.exec(
        typeof given === 'string' ? given.trim() : ''
      );
      const [part, parts] = [Number(found?.[1]), Number(found?.[2])];
      return part >= 1 && part <= parts && parts <= PARTITIONS
        ? `${part}/${parts}`
        : undefined;
    }
  };
}

function isAddressOrRange(given: unknown): given is string {
  if (typeof given !== 'string') {
    return false;
  }
  const [address = '', bits, ...more] = given.split('/');
  const version = isIP(address);
  return (
    version > 0 &&
    more.length === 0 &&
    (bits === undefined ||
      (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
  );
}

/** PostHog's project key. A personal key would let everyone read the project, so it is refused. */
export function projectKey(): Kind<string> {
  return {
    expected:
      "PostHog's project key (begins with phc_; not a personal key, which begins with phx_)",
    placeholder: 'KEY',
    read: given =>
      typeof given === 'string' &&
      /^[\x21-\x7e]{1,64}$/.test(given.trim()) &&
      !given.trim().startsWith('phx_')
        ? given.trim()
        : undefined
  };
}

/** A path such as /services/telemetry, without a slash at its end; `/` alone is no prefix. */
export function path(example: string): Kind<string> {
  return {
    expected: `a path such as ${example}`,
    placeholder: 'PATH',
    read: given =>
      typeof given === 'string' && PATH.test(given.trim())
        ? given.trim().replace(/\/+$/, '')
        : undefined
  };
}

/** An address, or a path where it is of the same host as the relay. */
export function addressOrPath(example: string): Kind<string> {
  const url = address(example);
  return {
    expected: `${url.expected}, or a path where the relay is below the same host`,
    placeholder: 'URL',
    read: given => path('/').read(given) ?? url.read(given)
  };
}

const PATH = /^\/(?:[\w.~@:%-]+\/?)*$/;
