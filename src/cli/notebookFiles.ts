/** Which notebook files the arguments name. */
import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The files that `given` names, each once, in order. Folders give the notebooks in them where
 * `recursive`, else themselves, which nothing can be done to; hidden folders (such as
 * `.ipynb_checkpoints`), `node_modules` and links to folders are passed over.
 */
export async function findNotebooks(
  given: readonly string[],
  recursive: boolean
): Promise<string[]> {
  const found = new Map<string, string>();
  for (const path of given) {
    const inside =
      recursive && (await isFolder(path)) ? await notebooksIn(path) : [path];
    // A folder without any is named all the same, so that a misspelt one is noticed.
    for (const file of inside.length > 0 ? inside : [path]) {
      const real = await realpath(file).catch(() => file);
      if (!found.has(real)) {
        found.set(real, file);
      }
    }
  }
  return [...found.values()];
}

async function notebooksIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  const files: string[] = [];
  for (const entry of entries) {
    const path = join(folder, entry.name);
    if (entry.name.startsWith('.') || entry.name === 'node_modules') {
      continue;
    }
    if (entry.isDirectory()) {
      files.push(...(await notebooksIn(path)));
    } else if (/\.ipynb$/i.test(entry.name)) {
      files.push(path);
    }
  }
  return files;
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isDirectory() ?? false;
}
