/** Course keys: minted, told from other text, and compared by hash only. */
import { createHash, timingSafeEqual } from 'node:crypto';
import { customAlphabet } from 'nanoid';

const BASE62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const random = customAlphabet(BASE62, 32);
const randomId = customAlphabet(BASE62, 8);

/** What every course key begins with. */
export const KEY_PREFIX = 'nbt_';
/** Length of a course key. */
export const KEY_LENGTH = KEY_PREFIX.length + 32;

const KEY = /^nbt_[0-9A-Za-z]{32}$/;

/** A new course key: 190 bits from the system's source of randomness. */
export function mintKey(): string {
  return KEY_PREFIX + random();
}

/** A new id for a key, safe to show. */
export function mintKeyId(): string {
  return `k_${randomId()}`;
}

/** Whether the text has the form of a course key. */
export function isKey(text: string): boolean {
  return KEY.test(text);
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
