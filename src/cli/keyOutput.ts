/** Hands a new key over: on standard output, or into a file that only its owner can read. */
import { open, unlink, type FileHandle } from 'node:fs/promises';
import type { MadeKey } from '../relay/courses/editCourses.js';
import { CommandError, type Invocation } from './command.js';

export const KEY_FILE_OPTION = {
  'key-file': {
    value: 'FILE',
    meaning: 'Write the key into this new file instead of printing it'
  }
} as const;

/** A key that was just made, and how to say so. */
export interface Made extends MadeKey {
  said: string;
  json: object;
}

/**
 * Makes a key and hands it over. The file is made first: a key that could not be handed over
 * would be lost, since it is kept nowhere else.
 */
export async function handOver(
  { options, print }: Invocation,
  make: () => Promise<Made>
): Promise<void> {
  const path = options['key-file'];
  const file = typeof path === 'string' ? await createFile(path) : undefined;
  let made: Made;
  try {
    made = await make();
    await file?.writeFile(`${made.secret}\n`);
  } catch (error) {
    if (file) {
      await unlink(path as string);
    }
    throw error;
  } finally {
    await file?.close();
  }
  const { key, secret, said, json } = made;
  if (options['json'] === true) {
    const where = file ? { keyFile: path } : { key: secret };
    print(JSON.stringify({ ...json, keyId: key.id, ...where }));
    return;
  }
  print(said);
  if (file) {
    print(`Its key ${key.id} is in ${String(path)}.`);
  } else {
    print(`Key ${key.id}, shown this once:`);
    print('');
    print(`  ${secret}`);
    print('');
    print(
      key.kind === 'write'
        ? 'Give it to notebooks as TELEMETRY_API_KEY.'
        : "Whoever has it enters it on the page's login, or sends it as Authorization: Bearer."
    );
  }
}

async function createFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new CommandError(
      code === 'EEXIST'
        ? `--key-file: expected a new file, and ${path} exists.`
        : `--key-file: ${message}.`
    );
  }
}
