/** `privacy show`, `privacy export`, `privacy forget`, `privacy jobs`: what is stored of one student. */
import { open } from 'node:fs/promises';
import { csvOf } from '../relay/privacy/csv.js';
import type { Exported, StudentReport } from '../relay/privacy/desk.js';
import type { ForgetJob } from '../relay/privacy/forgetFile.js';
import {
  CommandError,
  JSON_OPTION,
  PLACE_OPTIONS,
  UsageError,
  type Command
} from './command.js';
import { atDesk } from './desk.js';

const COURSE_OPTION = {
  course: { value: 'ID', meaning: 'Only this course; all of them by default' }
} as const;

export const privacyShowCommand: Command = {
  name: 'privacy show',
  summary: 'Show what is stored of a student, given by name or pseudonym',
  args: ['student'],
  options: { ...COURSE_OPTION, ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: [
    'privacy show ADA-LOVELACE',
    'privacy show "Ada Lovelace" --course python-101 --json'
  ],
  async run(invocation) {
    const { options, print } = invocation;
    const ask = askOf(invocation);
    const reports = await atDesk<StudentReport[]>(
      invocation,
      'privacy-show',
      ask,
      (desk, who) => desk.show({ ...ask, who })
    );
    if (options['json'] === true) {
      print(JSON.stringify(reports));
    } else if (reports.length === 0) {
      print('Nothing is stored of this student.');
    } else {
      reports.flatMap(linesOf).forEach(print);
    }
  }
};

export const privacyExportCommand: Command = {
  name: 'privacy export',
  summary: 'Write everything that is stored of a student, for the student',
  args: ['student'],
  options: {
    ...COURSE_OPTION,
    format: {
      value: 'FORMAT',
      meaning: 'json (one object a line; the default) or csv'
    },
    output: {
      value: 'FILE',
      meaning: 'A new file for its owner alone; standard output by default'
    },
    ...PLACE_OPTIONS
  },
  examples: [
    'privacy export ADA-LOVELACE',
    'privacy export ADA-LOVELACE --course python-101 --format csv'
  ],
  async run(invocation) {
    const { options, write, warn } = invocation;
    const ask = askOf(invocation);
    const format = options['format'] ?? 'json';
    if (format !== 'json' && format !== 'csv') {
      throw new UsageError(
        `--format: expected json or csv, got ${JSON.stringify(format)}.`
      );
    }
    const parts: Exported[] = [];
    const take = (part: object): void => void parts.push(part as Exported);
    await atDesk(
      invocation,
      'privacy-export',
      ask,
      (desk, who) => desk.export({ ...ask, who }, take),
      take
    );
    const text =
      format === 'csv'
        ? csvOf(parts)
        : parts.map(part => `${JSON.stringify(part)}\n`).join('');
    const output = options['output'] as string | undefined;
    if (output === undefined) {
      write(text);
    } else {
      await writeNew(output, text);
    }
    const events = parts.filter(({ kind }) => kind === 'event').length;
    warn(`${events} events are exported.`);
  }
};

export const privacyForgetCommand: Command = {
  name: 'privacy forget',
  summary: 'Delete everything that is stored of a student, at PostHog, too',
  args: ['student'],
  options: {
    ...COURSE_OPTION,
    yes: { meaning: 'Delete; without it only what would go is shown' },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'privacy forget ADA-LOVELACE',
    'privacy forget ADA-LOVELACE --yes',
    'privacy forget ADA-LOVELACE --course python-101 --yes --json'
  ],
  async run(invocation) {
    const { options, print, warn } = invocation;
    const ask = askOf(invocation);
    if (options['yes'] !== true) {
      const reports = await atDesk<StudentReport[]>(
        invocation,
        'privacy-show',
        ask,
        (desk, who) => desk.show({ ...ask, who })
      );
      if (options['json'] === true) {
        print(JSON.stringify({ deleted: false, reports }));
      } else {
        reports.flatMap(linesOf).forEach(print);
        warn('Nothing is deleted yet. Say --yes to delete all of this.');
      }
      return;
    }
    const jobs = await atDesk<ForgetJob[]>(
      invocation,
      'privacy-forget',
      ask,
      (desk, who) => desk.forget({ ...ask, who })
    );
    if (options['json'] === true) {
      print(JSON.stringify(jobs.map(shownJob)));
    } else if (jobs.length === 0) {
      print('Nothing is stored of this student.');
    } else {
      jobs.map(lineOfJob).forEach(print);
    }
  }
};

export const privacyJobsCommand: Command = {
  name: 'privacy jobs',
  summary: 'Show how far deletions are, and go on with those that are due',
  args: [],
  options: { ...PLACE_OPTIONS, ...JSON_OPTION },
  examples: ['privacy jobs', 'privacy jobs --json'],
  async run(invocation) {
    const { options, print } = invocation;
    const jobs = await atDesk<ForgetJob[]>(
      invocation,
      'privacy-jobs',
      {},
      async desk => {
        await desk.step();
        return desk.jobs();
      }
    );
    if (options['json'] === true) {
      print(JSON.stringify(jobs.map(shownJob)));
    } else if (jobs.length === 0) {
      print('No student was deleted yet.');
    } else {
      jobs.map(lineOfJob).forEach(print);
    }
  }
};

function askOf({ args, options }: Parameters<Command['run']>[0]): {
  student: string;
  course?: string;
} {
  const course = options['course'] as string | undefined;
  return {
    student: args['student']!,
    ...(course === undefined ? {} : { course })
  };
}

function linesOf(report: StudentReport): string[] {
  const { course, events, letters, first, last, pseudonym } = report;
  return [
    `${course}: ${events} events, ${letters} set aside${first === null ? '' : `, from ${first} to ${last}`}${pseudonym === null ? '' : `; new ones under ${pseudonym}`}`,
    ...Object.entries(report.byName)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, count]) => `  ${name} ${count}`),
    ...report.derived.grid.map(
      ({ notebook, exercise, state, attempts }) =>
        `  ${notebook}, ${exercise}: ${state}, ${attempts} attempts`
    )
  ];
}

/** A job without what only the relay needs. */
function shownJob(job: ForgetJob): Record<string, unknown> {
  const { tags: _t, nameTags: _n, sealedIds: _s, ...shown } = job;
  return shown;
}

const POSTHOG: Record<ForgetJob['posthog'], string> = {
  none: 'no PostHog has them',
  by_hand:
    'PostHog: delete the person by hand, or give the relay a personal key (course set --posthog-project)',
  pending: 'PostHog: to be asked',
  requested: 'PostHog: requested, not confirmed yet',
  confirmed: 'PostHog: confirmed'
};

function lineOfJob(job: ForgetJob): string {
  const { id, course, removed, state, posthog, problem } = job;
  return [
    `${id} ${course}: ${removed.events} events and ${removed.letters} set aside are deleted`,
    POSTHOG[posthog],
    ...(problem === undefined ? [] : [problem]),
    state === 'done'
      ? 'looked at again, and done'
      : job.nextAt === undefined
        ? state
        : `looked at again at ${job.nextAt}`
  ].join('; ');
}

async function writeNew(file: string, text: string): Promise<void> {
  let handle;
  try {
    handle = await open(file, 'wx', 0o600);
  } catch (error) {
    throw new CommandError(
      `--output: expected a new file, and ${file} cannot be made (${(error as NodeJS.ErrnoException).code}).`
    );
  }
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}
