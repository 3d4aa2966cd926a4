/** Course keys: minted, told from other text, and compared by hash only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { customAlphabet } from 'nanoid';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const random = customAlphabet(BASE62, 32);
const randomId = customAlphabet(BASE62, 8);

/** What a key is for: students' side writes, all others read. */
export const KEY_KINDS = [
  'write',
  'instructor',
  'assistant',
  'display'
] as const;
export type KeyKind = (typeof KEY_KINDS)[number];

/** What keys begin with: leaked ones are found, and blanked, by it. */
export const KEY_PREFIXES: Record<KeyKind, string> = {
  write: 'nbt_',
  instructor: 'nbi_',
  assistant: 'nba_',
  display: 'nbd_'
};
/** Length of every key. */
export const KEY_LENGTH = 4 + 32;

const ANY_KEY = /^nb([tiad])_[0-9A-Za-z]{32}$/;

/** A new key: 190 bits from the system's source of randomness. */
export function mintKey(kind: KeyKind = 'write'): string {
  return KEY_PREFIXES[kind] + random();
}

/** A new id for a key, safe to show. */
export function mintKeyId(): string {
  return `k_${randomId()}`;
}

/** Whether the text has the form of a write key. */
export function isKey(text: string): boolean {
  return kindOf(text) === 'write';
}

/** The kind of key of which the text has the form; undefined where it is none. */
export function kindOf(text: string): KeyKind | undefined {
  const letter = ANY_KEY.exec(text)?.[1];
  return KEY_KINDS.find(kind => KEY_PREFIXES[kind] === `nb${letter}_`);
}

/** SHA-256 in hexadecimal: the only form in which secrets are kept. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/** Compares two hashes in constant time. */
export function sameHash(a: string, b: string): boolean {
  const left = Buffer.from(a, 'hex');
  const right = Buffer.from(b, 'hex');
  return left.length === right.length && timingSafeEqual(left, right);
}
