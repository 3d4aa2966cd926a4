/** Addresses to which no event is ever sent: those where clouds hand out credentials to whoever asks from within. */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';

const REFUSED = new BlockList();
// Link-local (RFC 3927, RFC 4291 2.5.6), where most clouds have their metadata service …
REFUSED.addSubnet('169.254.0.0', 16, 'ipv4');
REFUSED.addSubnet('fe80::', 10, 'ipv6');
// … and where AWS (IPv6), Alibaba, Oracle and Azure have one besides.
REFUSED.addAddress('fd00:ec2::254', 'ipv6');
REFUSED.addAddress('100.100.100.200', 'ipv4');
REFUSED.addAddress('192.0.0.192', 'ipv4');
REFUSED.addAddress('168.63.129.16', 'ipv4');

/** Raised for a destination that is no place for events. */
export class RefusedAddressError extends Error {
  constructor() {
    super(
      "the destination is a link-local address or a cloud's metadata service, to which nothing is sent"
    );
    this.name = 'RefusedAddressError';
  }
}

/** Whether a host, as an address has it, is such a place by itself; names are not looked up. */
export function isRefusedHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  const version = isIP(host);
  return version > 0 && REFUSED.check(host, version === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Looks a name up, since it may stand for such a place.
 *
 * @param resolve the look-up; the system's by default.
 * @throws RefusedAddressError if it does; an error of the look-up is left to the connection.
 */
export async function refuseLinkLocal(
  hostname: string,
  resolve: (name: string) => Promise<readonly { address: string }[]> = name =>
    lookup(name, { all: true })
): Promise<void> {
  const found =
    isIP(hostname.replace(/^\[|\]$/g, '')) > 0
      ? [{ address: hostname }]
      : await resolve(hostname).catch(() => []);
  if (found.some(({ address }) => isRefusedHost(address))) {
    throw new RefusedAddressError();
  }
}
