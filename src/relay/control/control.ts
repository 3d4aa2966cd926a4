/** What commands may ask of the running relay, and the lines in which both speak. */

/**
 * One thing that a command can ask for.
 *
 * @param args what the command sent; check it, it comes from another process.
 * @param progress sends a line to the command while the work goes on.
 * @param signal aborts when the command went away.
 * @returns what the command gets, as JSON.
 * @throws Error whose message tells a person what to do; the command shows it.
 */
export type Operation = (
  args: unknown,
  progress: (line: object) => void,
  signal: AbortSignal
) => Promise<unknown>;

/** Operations by name. */
export type Operations = Readonly<Record<string, Operation>>;

/** A line of the answer; the last one is a result or an error. */
export type ControlLine =
  { progress: object } | { result: unknown } | { error: string };
