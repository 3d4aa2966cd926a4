/** One-time tokens of login links: kept as hashes in links.json, made by the relay or the command line. */
import { randomBytes } from 'node:crypto';
import { hashSecret, sameHash } from '../courses/keys.js';
import { updateJson } from '../files.js';

/** How long an unused link works. */
export const LINK_DAYS = 7;

interface Link {
  sha256: string;
  /** ISO 8601 UTC. */
  expires: string;
}

interface LinkFile {
  links: Link[];
}

/** Makes a token that logs in once. Only its hash is kept. */
export async function mintLinkToken(
  file: string,
  now = new Date()
): Promise<string> {
  const token = randomBytes(24).toString('base64url');
  const expires = new Date(now.getTime() + LINK_DAYS * 86_400_000);
  await updateJson(file, parse, ({ links }) => ({
    links: [
      ...alive(links, now),
      { sha256: hashSecret(token), expires: expires.toISOString() }
    ]
  }));
  return token;
}

/** Whether the token was good; it is not from then on, and that is durable. */
export async function useLinkToken(
  file: string,
  token: string,
  now = new Date()
): Promise<boolean> {
  const hash = hashSecret(token);
  let good = false;
  await updateJson(file, parse, ({ links }) => {
    const rest = alive(links, now);
    const left = rest.filter(link => !sameHash(link.sha256, hash));
    good = left.length < rest.length;
    return good ? { links: left } : undefined;
  });
  return good;
}

function alive(links: readonly Link[], now: Date): Link[] {
  return links.filter(link => Date.parse(link.expires) > now.getTime());
}

/** A file that cannot be read holds nothing worth keeping: new links are made at any time. */
function parse(text: string | undefined): LinkFile {
  try {
    const value = JSON.parse(text ?? '') as Partial<LinkFile> | null;
    return {
      links: Array.isArray(value?.links)
        ? value.links.filter(link => typeof link?.sha256 === 'string')
        : []
    };
  } catch {
    return { links: [] };
  }
}
