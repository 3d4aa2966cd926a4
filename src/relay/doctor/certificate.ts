/** Looks at the certificate that the relay speaks TLS with. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { about, type Finding } from './findings.js';

const tls = about('certificate');

const DAY_MS = 86_400_000;
/** From here on somebody should renew it, in days. */
const SOON_DAYS = 21;

/** Reads the file. @param now in ms since 1970. */
export async function checkCertificate(
  path: string,
  now: number
): Promise<Finding> {
  try {
    return judgeCertificate(
      new X509Certificate(await readFile(path)).validTo,
      now
    );
  } catch (error) {
    return tls.problem(
      `${path} cannot be read as a certificate: ${(error as Error).message}`,
      'Name a file in PEM format with --tls-cert.'
    );
  }
}

/** What its last day amounts to. */
export function judgeCertificate(validTo: string, now: number): Finding {
  const days = Math.floor((Date.parse(validTo) - now) / DAY_MS);
  const todo = 'Renew it, and restart the relay.';
  const until = `valid until ${new Date(validTo).toISOString().slice(0, 10)}`;
  return days < 0
    ? tls.problem(`expired: it was ${until}`, todo)
    : days < SOON_DAYS
      ? tls.warn(`${until}, ${days} days from now`, todo)
      : tls.ok(until);
}
