/** Notebook files: read as they are, replaced as a whole or not at all. */
import { randomUUID } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import {
  access,
  open,
  readFile,
  realpath,
  rename,
  stat,
  unlink
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { lineAndColumn, refuse, type Refusal } from './refusal.js';

/** The text of a notebook's bytes, its byte order mark included; or why there is none. */
export function decodeNotebook(
  bytes: Uint8Array
): { ok: true; text: string } | Refusal {
  const [first, second] = bytes;
  if (first === 0xff ? second === 0xfe : first === 0xfe && second === 0xff) {
    return refuse('not-text', 'it is UTF-16; save it as UTF-8');
  }
  try {
    const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return { ok: true, text: decoder.decode(bytes) };
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ===
      'ERR_ENCODING_INVALID_ENCODED_DATA'
      ? refuseBytes(bytes)
      : refuse('not-text', 'it is too large to be read as one text');
  }
}

/** Says where bytes that are not UTF-8 stop being it. */
function refuseBytes(bytes: Uint8Array): Refusal {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const again = new TextEncoder().encode(text);
  let at = 0;
  while (at < bytes.length && again[at] === bytes[at]) {
    at += 1;
  }
  const good = new TextDecoder().decode(bytes.subarray(0, at));
  const { line, column } = lineAndColumn(good, good.length);
  return {
    ...refuse(
      'not-text',
      `line ${line}, column ${column}: it is not UTF-8; save it as UTF-8`
    ),
    line,
    column
  };
}

/**
 * Reads a notebook, lets `edit` decide, and replaces the file if the text is another one then.
 *
 * The file is replaced as a whole: whoever reads it sees the old content or the new one. It keeps
 * its permissions, and where `path` is a link, its target is replaced. A file that somebody else
 * changes meanwhile is left to them.
 *
 * @param options.dryRun decides, and writes nothing.
 * @returns what `edit` returned, or why the file cannot be read or replaced.
 */
export async function editNotebookFile<
  T extends { ok: true; text?: string; changed?: boolean }
>(
  path: string,
  edit: (text: string) => T | Refusal,
  options: { dryRun?: boolean } = {}
): Promise<T | Refusal> {
  const found = await orRefusal(() => read(path));
  if (!found.ok) {
    return found;
  }
  const result = edit(found.text);
  if (!result.ok || result.changed !== true || options.dryRun === true) {
    return result;
  }
  const replaced = await orRefusal(async () => {
    // Renaming would replace a file that is meant not to be written to.
    await access(found.file, constants.W_OK);
    return (await replace(found.file, result.text!, found.before))
      ? { ok: true as const }
      : refuse('file', 'it was changed meanwhile; try again');
  });
  return replaced.ok ? result : replaced;
}

interface Found {
  ok: true;
  /** The file itself, where a link led to it. */
  file: string;
  before: BigIntStats;
  text: string;
}

async function read(path: string): Promise<Found | Refusal> {
  const file = await realpath(path);
  const before = await stat(file, { bigint: true });
  if (before.isDirectory()) {
    return refuse('folder', 'it is a folder');
  }
  if (!before.isFile()) {
    return refuse('file', 'it is no ordinary file');
  }
  const decoded = decodeNotebook(await readFile(file));
  return decoded.ok ? { ok: true, file, before, text: decoded.text } : decoded;
}

/** Failures of the file system are reasons, too. */
async function orRefusal<T>(
  work: () => Promise<T | Refusal>
): Promise<T | Refusal> {
  try {
    return await work();
  } catch (error) {
    return refuse('file', explain(error as NodeJS.ErrnoException));
  }
}

/** Whether `file`, which was `before` when it was read, is `content` now. */
async function replace(
  file: string,
  content: string,
  before: BigIntStats
): Promise<boolean> {
  const temporary = join(dirname(file), `.ipynb-telemetry-${randomUUID()}.tmp`);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      await handle.writeFile(content);
      // Only its owner may give a file away: where that fails, it is ours.
      await handle
        .chown(Number(before.uid), Number(before.gid))
        .catch(() => undefined);
      await handle.chmod(Number(before.mode) & 0o7777);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    const now = await stat(file, { bigint: true });
    if (
      now.ino !== before.ino ||
      now.size !== before.size ||
      now.mtimeNs !== before.mtimeNs
    ) {
      await unlink(temporary);
      return false;
    }
    await rename(temporary, file);
    return true;
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'ELOOP':
      return 'it is a link that leads back to itself';
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return 'it may not be read or written to';
    case 'ERR_FS_FILE_TOO_LARGE':
    case 'ERR_STRING_TOO_LONG':
      return 'it is too large to be read as one text';
    default:
      return message;
  }
}
