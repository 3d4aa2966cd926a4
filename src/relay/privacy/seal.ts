/** Texts that are kept for a while and read by the relay alone: encrypted with a key of its own. */
import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  randomBytes
} from 'node:crypto';

const ALGORITHM = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;

/** The text under `secret`, base64: IV, tag, ciphertext. */
export function seal(secret: Buffer, text: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(ALGORITHM, keyOf(secret), iv);
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64');
}

/** What was sealed. @throws Error if it was sealed with another secret, or changed. */
export function unseal(secret: Buffer, sealed: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  const iv = bytes.subarray(0, IV_BYTES);
  const text = bytes.subarray(IV_BYTES + TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, keyOf(secret), iv, {
    authTagLength: TAG_BYTES
  });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(text), decipher.final()]).toString(
    'utf8'
  );
}

/** A key for nothing else, though the secret serves for hashes, too. */
function keyOf(secret: Buffer): Buffer {
  return createHmac('sha256', secret).update('seal').digest();
}
