/** `doctor`: says what is wrong with a relay or its surroundings, and what to do. */
import { examine } from '../relay/doctor/doctor.js';
import { linesOf } from '../relay/doctor/findings.js';
import { JSON_OPTION, PLACE_OPTIONS, type Command } from './command.js';

export const doctorCommand: Command = {
  name: 'doctor',
  summary:
    'Check configuration, data folder, log, clock and destinations, and say what to do',
  args: [],
  options: {
    offline: { meaning: 'Ask no destination over the network' },
    ...PLACE_OPTIONS,
    ...JSON_OPTION
  },
  examples: [
    'doctor',
    'doctor --data /srv/telemetry',
    'doctor --offline --json'
  ],
  async run({ options, env, print }) {
    const { data, config, offline, json } = options;
    const findings = await examine({
      flags: { data, config },
      env,
      offline: offline === true
    });
    if (json === true) {
      print(JSON.stringify({ findings }));
    } else {
      const colour =
        process.stdout.isTTY === true && (env['NO_COLOR'] ?? '') === '';
      linesOf(findings, colour).forEach(print);
    }
    return findings.some(({ level }) => level === 'problem') ? 1 : 0;
  }
};
