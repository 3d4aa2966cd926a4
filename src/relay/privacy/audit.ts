/** The audit log: who saw, exported, deleted or re-identified a student's data, or changed what guards them. Lines are only ever added. */
import { constants } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { locked, writeFileWhole } from '../files.js';
import { flushFolder } from '../log/disk.js';

/** What can be noted. */
export const AUDIT_ACTIONS = [
  'seen',
  'shown',
  'exported',
  'forget_requested',
  'forgotten',
  'forget_checked',
  'reidentified',
  'key_rotated',
  'key_added',
  'key_revoked',
  'settings_changed',
  'retention'
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** One line, as it is kept. */
export interface AuditEntry {
  /** ISO 8601 UTC. */
  at: string;
  /** A principal's id, or `cli:USER` for a command on the relay's own machine. */
  who: string;
  action: AuditAction;
  course: string | null;
  /** The student as a keyed hash, so that deleting a student need not change what is written here. */
  subject?: string;
  /** Counts and settings; never a name, a secret or a student's words. */
  details?: Readonly<Record<string, string | number | boolean | null>>;
}

/** What is given for a line. */
export type AuditNote = Omit<AuditEntry, 'at'>;

/** The open audit log. */
export interface Audit {
  /** Adds a line; resolves once it is on disk. */
  write(note: AuditNote): Promise<void>;
  /** Notes that somebody saw a course's students: once a day for each of them and course. */
  saw(who: string, course: string): Promise<void>;
}

/**
 * The audit log in `file`. Nothing is held open, so commands may add to it beside a running relay.
 */
export function openAudit(file: string, now: () => number = Date.now): Audit {
  const seen = new Set<string>();
  let day = '';
  let tail: Promise<void> = Promise.resolve();

  function write(note: AuditNote): Promise<void> {
    const entry: AuditEntry = { at: new Date(now()).toISOString(), ...note };
    const done = tail.then(() => locked(file, () => append(file, entry)));
    tail = done.catch(() => undefined);
    return done;
  }

  return {
    write,
    async saw(who, course) {
      const today = new Date(now()).toISOString().slice(0, 10);
      if (today !== day) {
        day = today;
        seen.clear();
      }
      const key = JSON.stringify([who, course]);
      if (!seen.has(key)) {
        seen.add(key);
        try {
          await write({ who, action: 'seen', course });
        } catch (error) {
          seen.delete(key);
          throw error;
        }
      }
    }
  };
}

/** All lines from `since` (ISO 8601) on, in order. A line that a crash has torn is left out. */
export async function readAudit(
  file: string,
  since = ''
): Promise<AuditEntry[]> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
      return [];
    }
    throw error;
  }
  return text.split('\n').flatMap(line => {
    const entry = parse(line);
    return entry && entry.at >= since ? [entry] : [];
  });
}

/** Removes the lines before `before` (ISO 8601): the only way in which any ever go. Returns how many there were. */
export function pruneAudit(file: string, before: string): Promise<number> {
  return locked(file, async () => {
    const all = await readAudit(file);
    const kept = all.filter(({ at }) => at >= before);
    if (kept.length < all.length) {
      await writeFileWhole(
        file,
        kept.map(entry => `${JSON.stringify(entry)}\n`).join('')
      );
    }
    return all.length - kept.length;
  });
}

/** Who calls a command on this machine. */
export function localPrincipal(env: NodeJS.ProcessEnv): string {
  return `cli:${(env['USER'] ?? env['LOGNAME'] ?? 'unknown').slice(0, 64)}`;
}

async function append(file: string, entry: AuditEntry): Promise<void> {
  const handle = await open(
    file,
    constants.O_RDWR | constants.O_APPEND | constants.O_CREAT,
    0o600
  );
  try {
    const { size } = await handle.stat();
    const torn = size > 0 && !(await endsLine(handle, size));
    await handle.appendFile(`${torn ? '\n' : ''}${JSON.stringify(entry)}\n`);
    await handle.datasync();
    if (size === 0) {
      await flushFolder(dirname(file));
    }
  } finally {
    await handle.close();
  }
}

async function endsLine(
  handle: Awaited<ReturnType<typeof open>>,
  size: number
): Promise<boolean> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] === 0x0a;
}

function parse(line: string): AuditEntry | undefined {
  try {
    const value = JSON.parse(line) as Partial<AuditEntry> | null;
    return typeof value?.at === 'string' && typeof value.action === 'string'
      ? (value as AuditEntry)
      : undefined;
  } catch {
    return undefined;
  }
}
