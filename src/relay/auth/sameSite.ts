/** Whether a request that changes something was made by a page of this relay, not by another site through a visitor's browser. */
import type { IncomingHttpHeaders } from 'node:http';

/**
 * Judges by what browsers say and pages cannot forge: `Sec-Fetch-Site`, and `Origin`, which has to
 * be the host that was asked or the relay's public one. A request with neither is none of a
 * browser of today, and is refused.
 */
export function isOwnPage(
  headers: IncomingHttpHeaders,
  publicUrl: string | null
): boolean {
  const { origin, host } = headers;
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'same-origin') {
    return false;
  }
  if (origin === undefined) {
    return site === 'same-origin';
  }
  if (!URL.canParse(origin)) {
    return false;
  }
  const from = new URL(origin);
  return (
    from.host === host ||
    (publicUrl !== null && from.origin === new URL(publicUrl).origin)
  );
}
