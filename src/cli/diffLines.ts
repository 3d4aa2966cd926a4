/** What changed between two texts, in lines as `diff` shows them. */

/** Longest line that is shown, in characters; a notebook may hold megabytes on one. */
const WIDTH = 120;

/** The lines between the first difference and the last one, `-` before and `+` after; none if the texts are equal. */
export function diffLines(before: string, after: string): string[] {
  if (before === after) {
    return [];
  }
  const [old, now] = [before.split(/\r\n|\n|\r/), after.split(/\r\n|\n|\r/)];
  const short = Math.min(old.length, now.length);
  let same = 0;
  while (same < short && old[same] === now[same]) {
    same += 1;
  }
  let tail = 0;
  while (
    tail < short - same &&
    old[old.length - 1 - tail] === now[now.length - 1 - tail]
  ) {
    tail += 1;
  }
  return [
    `@@ line ${same + 1} @@`,
    ...old.slice(same, old.length - tail).map(line => `-${clipped(line)}`),
    ...now.slice(same, now.length - tail).map(line => `+${clipped(line)}`)
  ];
}

function clipped(line: string): string {
  return line.length <= WIDTH ? line : `${line.slice(0, WIDTH)}…`;
}
