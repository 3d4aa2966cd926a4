/** What is said of each notebook, and of all of them together. */
import type { Checked, Edited, Refusal } from '../notebooks/index.js';
import type { Invocation } from './command.js';
import { diffLines } from './diffLines.js';

/** What a command does to a notebook that it changes; `checked` changes none. */
export type NotebookOutcome = 'inserted' | 'updated' | 'removed' | 'checked';

/** One notebook, for programs. */
export interface NotebookResult {
  file: string;
  /** What became of it. */
  result: NotebookOutcome | 'unchanged' | 'refused';
  /** How it stands now; null where it was refused. */
  state: Checked['state'] | null;
  id: string | null;
  cell: number | null;
  reason: string | null;
  /** Kind and place of a refusal. */
  code?: Refusal['code'];
  line?: number;
  column?: number;
}

/** Says what became of each notebook as it comes, and sums up at the end. */
export interface NotebookReport {
  readonly results: readonly NotebookResult[];
  add(file: string, result: Edited | Refusal, before: string): void;
  end(): void;
}

/**
 * @param filtering the notebook itself goes to standard output, so what is said goes elsewhere.
 */
export function createReport(
  { options, print, warn }: Invocation,
  did: NotebookOutcome,
  filtering: boolean
): NotebookReport {
  const results: NotebookResult[] = [];
  const dryRun = options['dry-run'] === true;
  const json = options['json'] === true;
  const recursive = options['recursive'] === true;
  const say = filtering && did !== 'checked' && !dryRun ? warn : print;
  return {
    results,
    add(file, result, before) {
      const entry = resultOf(file, result, did, recursive);
      results.push(entry);
      if (json) {
        return;
      }
      say(`${file}: ${sentenceOf(entry, dryRun)}`);
      if (dryRun && result.ok) {
        diffLines(before, result.text).forEach(say);
      }
    },
    end() {
      const warnings = sharedIds(results, did);
      if (json) {
        const counts = countsOf(results, did);
        print(JSON.stringify({ dryRun, results, counts, warnings }));
        return;
      }
      warnings.forEach(line => warn(`warning: ${line}`));
      if (!filtering) {
        say(summaryOf(results, did, dryRun));
      }
    }
  };
}

/** 0: every notebook is as it should be; 1: something is left to do; 2: one was refused. */
export function exitCode(
  results: readonly NotebookResult[],
  did: NotebookOutcome
): number {
  if (results.some(({ result }) => result === 'refused')) {
    return 2;
  }
  const wanted = did === 'removed' ? 'missing' : 'ok';
  return results.every(({ state }) => state === wanted) ? 0 : 1;
}

function resultOf(
  file: string,
  result: Edited | Refusal,
  did: NotebookOutcome,
  recursive: boolean
): NotebookResult {
  if (!result.ok) {
    const { code, line, column } = result;
    const reason =
      code !== 'folder'
        ? result.reason
        : recursive
          ? 'there is no notebook in it'
          : 'it is a folder; --recursive looks into folders';
    return {
      file,
      result: 'refused',
      state: null,
      id: null,
      cell: null,
      reason,
      code,
      ...(line === undefined ? {} : { line, column: column! })
    };
  }
  const { state, id, cell, reason } = result;
  const changed = did === 'checked' || result.changed;
  return { file, result: changed ? did : 'unchanged', state, id, cell, reason };
}

function sentenceOf(
  { result, state, id, cell, reason }: NotebookResult,
  dryRun: boolean
): string {
  const left = reason === null ? '' : `${state}: ${reason}`;
  switch (result) {
    case 'refused':
      return `refused: ${reason}`;
    case 'checked':
      return left || 'ok';
    case 'unchanged':
      return left || (state === 'missing' ? 'has no setup cell' : 'unchanged');
    case 'removed':
      return dryRun ? 'would be removed' : 'removed';
    default: {
      const what = dryRun ? `would be ${result}` : result;
      const as = result === 'inserted' ? `as cell ${cell}` : `in cell ${cell}`;
      return `${what} ${as}, with the id ${JSON.stringify(id)}${left && `; ${left}`}`;
    }
  }
}

/** How many notebooks came to what: for `check` by state, else by result. */
function countsOf(
  results: readonly NotebookResult[],
  did: NotebookOutcome
): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { result, state } of results) {
    const key = did === 'checked' && result !== 'refused' ? state! : result;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}

function summaryOf(
  results: readonly NotebookResult[],
  did: NotebookOutcome,
  dryRun: boolean
): string {
  const total = results.length;
  const parts = Object.entries(countsOf(results, did)).map(
    ([what, count]) => `${count} ${what}`
  );
  return `${total} ${total === 1 ? 'notebook' : 'notebooks'}: ${parts.join(', ')}${
    dryRun ? ' (nothing was written)' : ''
  }.`;
}

/** Notebooks that would be counted as one. */
function sharedIds(
  results: readonly NotebookResult[],
  did: NotebookOutcome
): string[] {
  const files = new Map<string, string[]>();
  for (const { file, id } of did === 'removed' ? [] : results) {
    if (id !== null) {
      files.set(id, [...(files.get(id) ?? []), file]);
    }
  }
  return [...files]
    .filter(([, sharing]) => sharing.length > 1)
    .map(
      ([id, sharing]) =>
        `${sharing.join(' and ')} have the same id ${JSON.stringify(id)}, so they count as one notebook; with --id "{folder}/{stem}" each gets its own`
    );
}
