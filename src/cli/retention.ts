/** `retention run`: removes what is older than the courses' notices say. */
import type { RetentionDone } from '../relay/privacy/retention.js';
import { JSON_OPTION, PLACE_OPTIONS, type Command } from './command.js';
import { atDesk } from './desk.js';

export const retentionRunCommand: Command = {
  name: 'retention run',
  summary:
    "Remove events that are older than their course's retention-days; a running relay does so once a day",
  args: [],
  options: {
    'dry-run': { meaning: 'Only count what would go' },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: ['retention run --dry-run', 'retention run --json'],
  async run(invocation) {
    const { options, print } = invocation;
    const dryRun = options['dry-run'] === true;
    const { courses } = await atDesk<RetentionDone>(
      invocation,
      'retention-run',
      { dryRun },
      (desk, who) => desk.retain(dryRun, who)
    );
    if (options['json'] === true) {
      print(JSON.stringify({ dryRun, courses }));
      return;
    }
    if (courses.length === 0) {
      print('No course says how long its data are kept.');
    }
    for (const { course, days, events, letters, from, to } of courses) {
      print(
        `${course}: ${events} events${from === null ? '' : ` of ${from} to ${to}`} and ${letters} set aside are older than ${days} days${events + letters === 0 ? '' : dryRun ? ' and would go' : ' and are gone'}.`
      );
    }
  }
};
