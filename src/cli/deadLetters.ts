/** `dead-letters …`: looks at what was set aside, puts it right, and replays or drops it. */
import { readFile, writeFile } from 'node:fs/promises';
import type {
  DeadLetterCounts,
  LetterFilter,
  StoredLetter
} from '../relay/pipeline/deadLetters.js';
import {
  DROP_LETTERS,
  LIST_LETTERS,
  REPLAY_LETTERS
} from '../relay/pipeline/operations.js';
import type {
  LetterOutcome,
  LetterReplay
} from '../relay/pipeline/replayLetters.js';
import { askRelay } from './askRelay.js';
import {
  columns,
  CommandError,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command,
  type CommandOption,
  type Invocation
} from './command.js';

const FILTER_OPTIONS = {
  course: { value: 'COURSE', meaning: 'Of this course alone' },
  stage: {
    value: 'NAME',
    meaning: 'Set aside by this one alone: door, or the name of a destination'
  },
  code: { value: 'CODE', meaning: 'With this code alone, such as refused' },
  since: { value: 'DATE', meaning: 'Set aside at this time or later' },
  all: { meaning: 'Also those that were replayed or dropped' }
} as const satisfies Record<string, CommandOption>;

export const deadLettersListCommand: Command = {
  name: 'dead-letters list',
  summary: 'List the events that were set aside, and why',
  args: [],
  options: { ...FILTER_OPTIONS, ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: [
    'dead-letters list',
    'dead-letters list --course python-101 --stage posthog',
    'dead-letters list --since 2026-11-20 --json'
  ],
  async run(invocation) {
    const { options, print } = invocation;
    const { letters, counts } = await list(invocation, filterOf(options));
    if (options['json'] === true) {
      print(
        JSON.stringify({
          letters: letters.map(({ event: _event, ...letter }) => letter),
          counts
        })
      );
      return;
    }
    if (letters.length > 0) {
      columns(
        letters.map(({ id, at, course, stage, state, code, reason }) => [
          id,
          `${at}  ${course}  ${stage}  ${code}${state === 'open' ? '' : ` (${state})`}  ${reason}`
        ])
      ).forEach(print);
    }
    print(
      `${counts.total} events are set aside, ${counts.settled} were replayed or dropped${counts.evicted > 0 ? `; the file had no room for ${counts.evicted} older ones` : ''}.`
    );
  }
};

export const deadLettersShowCommand: Command = {
  name: 'dead-letters show',
  summary: 'Show an event that was set aside, whole',
  args: ['id'],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['dead-letters show d_0123456789abcdef'],
  async run(invocation) {
    const { args, options, print } = invocation;
    const { letters } = await list(invocation, {
      ids: [args['id']!],
      state: 'all'
    });
    if (!letters[0]) {
      throw new CommandError(
        `expected the id of a dead letter, got ${JSON.stringify(args['id'])}. \`dead-letters list\` shows them.`
      );
    }
    print(
      JSON.stringify(letters[0], null, options['json'] === true ? undefined : 2)
    );
  }
};

export const deadLettersExportCommand: Command = {
  name: 'dead-letters export',
  summary: 'Write events that were set aside into a file, to edit and replay',
  args: ['file'],
  options: { ...FILTER_OPTIONS, ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: [
    'dead-letters export letters.jsonl',
    'dead-letters export letters.jsonl --course python-101 --code missing'
  ],
  async run(invocation) {
    const { args, options, print } = invocation;
    const { letters } = await list(invocation, filterOf(options));
    const file = args['file']!;
    const text = letters.map(letter => `${JSON.stringify(letter)}\n`).join('');
    try {
      await writeFile(file, text, { flag: 'wx', mode: 0o600 });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new CommandError(
        code === 'EEXIST'
          ? `${file} is there already; expected the name of a new file.`
          : `${file} cannot be written (${code}).`
      );
    }
    print(
      options['json'] === true
        ? JSON.stringify({ file, letters: letters.length })
        : `${letters.length} events are in ${file}, one a line. Edit "event", then \`dead-letters replay ${file}\`.`
    );
  }
};

export const deadLettersReplayCommand: Command = {
  name: 'dead-letters replay',
  summary: 'Send events that were set aside where they were going',
  args: [],
  rest: 'id-or-file',
  options: {
    set: {
      value: 'PATH=VALUE',
      many: true,
      meaning:
        'Change a member of the event first; JSON or plain text, nothing takes it out. May be given several times'
    },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'dead-letters replay d_0123456789abcdef',
    'dead-letters replay d_0123456789abcdef --set properties.nb=intro',
    'dead-letters replay letters.jsonl'
  ],
  async run(invocation) {
    const { rest, options, lists, print, warn } = invocation;
    const json = options['json'] === true;
    const changes = (lists['set'] ?? []).map(changeOf);
    const letters: LetterReplay[] = [];
    for (const word of rest) {
      letters.push(...(isId(word) ? [{ id: word }] : await fromFile(word)));
    }
    const outcomes = (await askRelay(
      invocation,
      REPLAY_LETTERS,
      { letters: await changed(letters, changes, invocation) },
      line => {
        const { id, outcome, reason } = line as unknown as LetterOutcome;
        if (!json) {
          warn(`${id}  ${outcome}${reason === null ? '' : `: ${reason}`}`);
        }
      }
    )) as LetterOutcome[];
    const replayed = outcomes.filter(one => one.outcome === 'replayed').length;
    const open = outcomes.filter(
      ({ outcome }) => outcome !== 'replayed' && outcome !== 'settled'
    ).length;
    print(
      json
        ? JSON.stringify({ replayed, open, outcomes })
        : `${replayed} of ${letters.length} events are replayed.`
    );
    return open > 0 ? 1 : 0;
  }
};

export const deadLettersDropCommand: Command = {
  name: 'dead-letters drop',
  summary: 'Give up events that were set aside',
  args: [],
  rest: 'id',
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['dead-letters drop d_0123456789abcdef'],
  async run(invocation) {
    const { rest, options, print } = invocation;
    const letters = rest.map(id => ({ id }));
    const result = (await askRelay(invocation, DROP_LETTERS, {
      letters
    })) as { dropped: number };
    print(
      options['json'] === true
        ? JSON.stringify(result)
        : `${result.dropped} of ${rest.length} events are dropped.`
    );
  }
};

async function list(
  invocation: Invocation,
  filter: LetterFilter
): Promise<{ letters: StoredLetter[]; counts: DeadLetterCounts }> {
  const letters: StoredLetter[] = [];
  const counts = await askRelay(invocation, LIST_LETTERS, filter, line =>
    letters.push(line['letter'] as StoredLetter)
  );
  return { letters, counts: counts as DeadLetterCounts };
}

function filterOf(options: Invocation['options']): LetterFilter {
  const { since } = options;
  const at = typeof since === 'string' ? Date.parse(since) : undefined;
  if (at !== undefined && Number.isNaN(at)) {
    throw new UsageError(
      `--since: expected a date such as 2026-11-21, got ${JSON.stringify(since)}.`
    );
  }
  const given = ['course', 'stage', 'code'].flatMap(name =>
    options[name] === undefined ? [] : [[name, options[name]]]
  );
  return {
    ...Object.fromEntries(given),
    ...(at === undefined ? {} : { since: new Date(at).toISOString() }),
    state: options['all'] === true ? 'all' : 'open'
  };
}

function isId(word: string): boolean {
  return /^d_[0-9a-f]{16}$/.test(word);
}

async function fromFile(file: string): Promise<LetterReplay[]> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new CommandError(
      `expected the id of a dead letter or a file of them, got ${JSON.stringify(file)} (${(error as NodeJS.ErrnoException).code}).`
    );
  });
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') {
      return [];
    }
    try {
      const { id, event } = JSON.parse(line) as LetterReplay;
      if (isId(id) && event !== undefined) {
        return [{ id, event }];
      }
    } catch {
      // Said below.
    }
    throw new CommandError(
      `${file}, line ${index + 1}: expected {"id": "d_…", "event": …} as \`dead-letters export\` writes it. Nothing was replayed.`
    );
  });
}

interface Change {
  path: string[];
  /** Undefined takes the member out. */
  value: unknown;
}

function changeOf(text: string): Change {
  const at = text.indexOf('=');
  const path = text.slice(0, at).split('.');
  const isUnsafe = path.some(name =>
    ['', '__proto__', 'constructor', 'prototype'].includes(name)
  );
  if (at < 1 || isUnsafe) {
    throw new UsageError(
      `--set: expected PATH=VALUE such as properties.nb=intro, got ${JSON.stringify(text)}.`
    );
  }
  return { path, value: valueOf(text.slice(at + 1)) };
}

function valueOf(text: string): unknown {
  if (text === '') {
    return undefined;
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** The letters with the changes made to their events; those without an event are looked up. */
async function changed(
  letters: readonly LetterReplay[],
  changes: readonly Change[],
  invocation: Invocation
): Promise<LetterReplay[]> {
  if (changes.length === 0) {
    return [...letters];
  }
  const ids = letters.map(({ id }) => id);
  const stored = await list(invocation, { ids, state: 'all' });
  const events = new Map(stored.letters.map(({ id, event }) => [id, event]));
  return letters.map(({ id, event = events.get(id) }) => ({
    id,
    event: changes.reduce(withChange, event)
  }));
}

function withChange(event: unknown, { path, value }: Change): unknown {
  const [name, ...rest] = path as [string, ...string[]];
  const object =
    typeof event === 'object' && event !== null && !Array.isArray(event)
      ? (event as Record<string, unknown>)
      : {};
  return {
    ...object,
    [name]:
      rest.length === 0
        ? value
        : withChange(object[name], { path: rest, value })
  };
}
