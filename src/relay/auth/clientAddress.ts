/** The address that a request comes from, for limits and nothing else: it is never logged and never kept. */
import type { IncomingMessage } from 'node:http';
import { isIPv6 } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';

/**
 * A function that finds the address behind the proxies that are trusted. What a client that is
 * none of them writes into `X-Forwarded-For` counts for nothing.
 *
 * @param trusted addresses and CIDR ranges. @throws TypeError for anything else.
 */
export function clientAddressOf(
  trusted: readonly string[]
): (request: IncomingMessage) => string {
  if (trusted.length === 0) {
    return request => networkOf(request.socket.remoteAddress ?? '');
  }
  const trust = proxyAddr.compile([...trusted]);
  return request => networkOf(proxyAddr(request, trust));
}

/**
 * The address as limits count it. Whoever has an IPv6 address has 2^64 of them (RFC 4291, 2.5.1),
 * so they count together.
 */
export function networkOf(address: string): string {
  const v4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (v4 !== undefined || !isIPv6(address)) {
    return v4 ?? address.slice(0, 64);
  }
  const [left = '', right] = address.split('%')[0]!.split('::');
  const before = left === '' ? [] : left.split(':');
  const after = right === undefined || right === '' ? [] : right.split(':');
  const missing = right === undefined ? 0 : 8 - before.length - after.length;
  return [...before, ...Array<string>(missing).fill('0'), ...after]
    .slice(0, 4)
    .map(group => Number.parseInt(group, 16).toString(16))
    .join(':');
}
