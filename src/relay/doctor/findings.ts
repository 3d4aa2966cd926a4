/** What the doctor finds, and how it is told to people. */

/** How much a finding matters: nothing to do, worth a look, or the relay cannot do its work. */
export type Level = 'ok' | 'warn' | 'problem';

/** One thing that was looked at. */
export interface Finding {
  level: Level;
  /** What was looked at, in one or two words. */
  about: string;
  /** What was found. */
  found: string;
  /** What to do; left out where there is nothing to do. */
  todo?: string;
}

/** Makes findings about one thing. */
export function about(name: string): {
  ok: (found: string) => Finding;
  warn: (found: string, todo: string) => Finding;
  problem: (found: string, todo: string) => Finding;
} {
  return {
    ok: found => ({ level: 'ok', about: name, found }),
    warn: (found, todo) => ({ level: 'warn', about: name, found, todo }),
    problem: (found, todo) => ({ level: 'problem', about: name, found, todo })
  };
}

const COLOURS: Readonly<Record<Level, string>> = {
  ok: '32',
  warn: '33',
  problem: '31'
};

/** The findings as lines, and a last one that counts them. */
export function linesOf(
  findings: readonly Finding[],
  colour: boolean
): string[] {
  const paint = (level: Level, text: string): string =>
    colour ? `\u001b[${COLOURS[level]}m${text}\u001b[0m` : text;
  const width = Math.max(...findings.map(finding => finding.about.length));
  const lines = findings.flatMap(({ level, about: name, found, todo }) => [
    `${paint(level, level.padEnd(7))}  ${name.padEnd(width)}  ${found}`,
    ...(todo === undefined ? [] : [`${' '.repeat(width + 11)}${todo}`])
  ]);
  const count = (level: Level): number =>
    findings.filter(finding => finding.level === level).length;
  const [problems, warnings] = [count('problem'), count('warn')];
  return [
    ...lines,
    '',
    problems + warnings === 0
      ? 'Everything is as it should be.'
      : `${counted(problems, 'problem')}, ${counted(warnings, 'warning')}.`
  ];
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

/** A number of bytes for people. */
export function bytesOf(count: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
