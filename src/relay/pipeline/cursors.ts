/** The folder of cursors: one file a sink, under the sink's name, which outlives keys and versions. */
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { formerNameOf, type Destination } from '../destinations.js';
import { flushFolder } from '../log/disk.js';
import { openCursor, type Cursor } from './cursor.js';

/** All cursors of a data folder. */
export interface Cursors {
  /**
   * The sink's cursor.
   *
   * @param host where its destination is: a cursor that was kept for another one counts as none,
   *   for what has arrived there has not arrived here.
   */
  open(name: string, host?: string): Promise<Cursor>;
  /**
   * Takes over the places that an earlier version kept under names made of the key: nothing is
   * sent again because the relay became a newer one. Only the first call does so.
   */
  adopt(destinations: readonly Destination[]): Promise<void>;
  /** The furthest place of any cursor, at least 1. */
  furthest(): Promise<number>;
}

/** The cursors in `folder`, which need not exist yet. */
export async function openCursors(folder: string): Promise<Cursors> {
  const fileOf = (name: string): string => join(folder, `${name}.json`);
  const names = async (): Promise<string[]> =>
    (await readdir(folder).catch(() => []))
      .filter(name => name.endsWith('.json'))
      .map(name => name.slice(0, -'.json'.length));
  // Looked for at the start alone: what a course that comes later finds is another one's place.
  const former = new Set(
    (await names()).filter(name => /^posthog-[0-9a-f]{8}$/.test(name))
  );

  return {
    open: (name, host) => openCursor(fileOf(name), host),
    async adopt(destinations) {
      const present = new Set(await names());
      const adopted = new Set<string>();
      for (const { name, host, apiKey } of destinations) {
        const old = apiKey === null ? '' : formerNameOf({ host, apiKey });
        if (former.has(old)) {
          const { place } = await openCursor(fileOf(old));
          if (!present.has(name) && place && place.host === undefined) {
            const cursor = await openCursor(fileOf(name), host);
            await cursor.move(place);
          }
          adopted.add(old);
        }
      }
      const current = new Set(destinations.map(({ name }) => name));
      former.clear();
      for (const old of adopted) {
        if (!current.has(old)) {
          await unlink(fileOf(old));
          await flushFolder(folder);
        }
      }
    },
    async furthest() {
      const places = await Promise.all(
        (await names()).map(async name => {
          const { place } = await openCursor(fileOf(name));
          return place?.seq ?? 1;
        })
      );
      return Math.max(1, ...places);
    }
  };
}
