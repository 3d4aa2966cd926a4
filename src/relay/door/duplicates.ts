/** The door's memory of ids: tells an event that was sent again from a new one, for some days and in bounded memory. */
import { createHash, randomBytes } from 'node:crypto';
import { UuidTable } from './uuidTable.js';

/** How much is remembered. */
export interface DuplicateWindowOptions {
  /** How long an id is remembered at least, as long as `maxIds` is not reached. */
  days: number;
  /** How many of the latest ids are remembered at least; at most twice as many. 2 million by default. */
  maxIds?: number;
}

/** The ids that arrived lately, per course. */
export interface DuplicateWindow {
  /** Remembers an id; false if it is remembered already. */
  add(course: string, uuid: string, nowMs: number): boolean;
  /** Forgets an id whose event could not be kept. */
  remove(course: string, uuid: string): void;
  /** Ids remembered, and the memory they take. */
  status(): { ids: number; bytes: number };
}

const DAY_MS = 86_400_000;

/** Four words of 32 bits. */
interface Salt {
  a: number;
  b: number;
  c: number;
  d: number;
}

/** Answer of whoever is asked for an id by its words. */
type Ask = (a: number, b: number, c: number, d: number) => boolean;

/**
 * Two tables follow each other: the older one is dropped once the younger has lived for the
 * whole window, or is full. Looking up costs two probes, forgetting costs nothing.
 */
export function createDuplicateWindow({
  days,
  maxIds = 2_000_000
}: DuplicateWindowOptions): DuplicateWindow {
  const salt = randomBytes(16);
  const salts = new Map<string, Salt>();
  let young = new UuidTable();
  let old = new UuidTable();
  let youngSince: number | undefined;

  /** Courses do not share ids; the salt keeps one course's clients from aiming at another's. */
  function saltOf(course: string): Salt {
    let salted = salts.get(course);
    if (!salted) {
      const hash = createHash('sha256').update(salt).update(course).digest();
      salted = {
        a: hash.readUInt32LE(0),
        b: hash.readUInt32LE(4),
        c: hash.readUInt32LE(8),
        d: hash.readUInt32LE(12)
      };
      salts.set(course, salted);
    }
    return salted;
  }

  function about(course: string, uuid: string, ask: Ask): boolean {
    const salted = saltOf(course);
    const a = (wordAt(uuid, 0, 4) ^ salted.a) >>> 0;
    const b = (wordAt(uuid, 9, 14) ^ salted.b) >>> 0;
    const c = (wordAt(uuid, 19, 24) ^ salted.c) >>> 0;
    const d = (wordAt(uuid, 28, 32) ^ salted.d) >>> 0;
    // All zero would mean a free slot.
    return ask(a, b, c, (a | b | c | d) === 0 ? 1 : d);
  }

  const remember: Ask = (a, b, c, d) =>
    !(old.size > 0 && old.has(a, b, c, d)) && young.add(a, b, c, d);
  const forget: Ask = (a, b, c, d) =>
    young.delete(a, b, c, d) || old.delete(a, b, c, d);

  return {
    add(course, uuid, nowMs) {
      youngSince ??= nowMs;
      if (young.size >= maxIds || nowMs - youngSince >= days * DAY_MS) {
        old = young;
        young = new UuidTable();
        youngSince = nowMs;
      }
      return about(course, uuid, remember);
    },
    remove(course, uuid) {
      about(course, uuid, forget);
    },
    status: () => ({
      ids: young.size + old.size,
      bytes: young.bytes + old.bytes
    })
  };
}

/** Value of the hexadecimal digit with this character code. */
function digit(code: number): number {
  // 0–9 end in 0–9; a–f and A–F end in 1–6 and have bit 6 set.
  return (code & 15) + (code >> 6) * 9;
}

/** Four hexadecimal digits from `at` on. */
function halfAt(text: string, at: number): number {
  return (
    (digit(text.charCodeAt(at)) << 12) |
    (digit(text.charCodeAt(at + 1)) << 8) |
    (digit(text.charCodeAt(at + 2)) << 4) |
    digit(text.charCodeAt(at + 3))
  );
}

/** The word of two groups of four digits. */
function wordAt(text: string, high: number, low: number): number {
  return (halfAt(text, high) << 16) | halfAt(text, low);
}
