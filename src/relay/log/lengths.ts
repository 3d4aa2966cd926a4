/** Notes how long finished segments are: a segment that later ends early, at a record's end even, is then known to be damaged. */
import { join } from 'node:path';
import type { Disk } from './disk.js';

/** Name of the note. */
export const LENGTHS_NAME = 'lengths.json';
/** Name of a note that is being written. */
export const NEW_LENGTHS_NAME = 'lengths.tmp';

/** Bytes of finished segments by their first number. */
export type Lengths = ReadonlyMap<number, number>;

/** The note in `folder`; empty where there is none that can be understood: it only adds to what segments say themselves. */
export async function readLengths(
  disk: Disk,
  folder: string
): Promise<Lengths> {
  try {
    const file = await disk.open(join(folder, LENGTHS_NAME), 'read');
    try {
      const bytes = Buffer.alloc(await file.size());
      await file.read(bytes, 0);
      const noted = JSON.parse(bytes.toString()) as Record<string, unknown>;
      return new Map(
        Object.entries(noted).flatMap(([seq, length]): [number, number][] =>
          typeof length === 'number' ? [[Number(seq), length]] : []
        )
      );
    } finally {
      await file.close();
    }
  } catch {
    return new Map();
  }
}

/** Replaces the note as a whole, durably. */
export async function writeLengths(
  disk: Disk,
  folder: string,
  lengths: Lengths
): Promise<void> {
  const temporary = join(folder, NEW_LENGTHS_NAME);
  await disk.remove(temporary).catch(() => undefined);
  const file = await disk.create(temporary);
  try {
    const text = JSON.stringify(Object.fromEntries(lengths));
    await file.write([Buffer.from(`${text}\n`)], 0);
    await file.flush();
    await file.close();
    await disk.rename(temporary, join(folder, LENGTHS_NAME));
  } catch (error) {
    await file.close().catch(() => undefined);
    await disk.remove(temporary).catch(() => undefined);
    throw error;
  }
  await disk.flushFolder(folder);
}

/** Takes the note away, durably: for what is about to change lengths on purpose. */
export async function removeLengths(disk: Disk, folder: string): Promise<void> {
  await disk.remove(join(folder, LENGTHS_NAME)).catch(() => undefined);
  await disk.flushFolder(folder);
}
