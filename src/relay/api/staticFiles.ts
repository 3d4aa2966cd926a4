/** The page's files, read once: what is not among them cannot be asked for. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';

/** A file as it is served. */
export interface StaticFile {
  type: string;
  bytes: Buffer;
}

/** Files by their path below the folder, with slashes. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2'
};

/** Reads the files of a folder of which a browser can make something; none where there is no folder. */
export async function readStaticFiles(folder: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  const entries = await readdir(folder, {
    recursive: true,
    withFileTypes: true
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') {
      return [];
    }
    throw error;
  });
  for (const entry of entries) {
    const type = TYPES[extname(entry.name)];
    if (entry.isFile() && type !== undefined) {
      const path = join(entry.parentPath, entry.name);
      files.set(relative(folder, path).split(sep).join('/'), {
        type,
        bytes: await readFile(path)
      });
    }
  }
  return files;
}
