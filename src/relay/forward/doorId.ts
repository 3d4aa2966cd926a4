/** The random id of a door: the same for as long as its data folder lives, so that its message ids are. */
import { randomBytes } from 'node:crypto';
import { readIfThere, writeFileWhole } from '../files.js';

const DOOR_ID = /^d[0-9a-f]{16}$/;

/**
 * The id in `file`; made where there is none.
 *
 * @throws Error if the file holds something else: another id would publish everything anew.
 */
export async function openDoorId(file: string): Promise<string> {
  const text = await readIfThere(file);
  if (text === undefined) {
    const id = `d${randomBytes(8).toString('hex')}`;
    await writeFileWhole(file, `${id}\n`);
    return id;
  }
  const id = text.trim();
  if (!DOOR_ID.test(id)) {
    throw new Error(
      `${file}: expected the id of this door (d and 16 hexadecimal digits), got ${JSON.stringify(id.slice(0, 40))}. Restore it from a backup, or remove the file to let the door take a new one.`
    );
  }
  return id;
}
