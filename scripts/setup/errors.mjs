/** Errors that a person at the terminal can act on; they are shown without a stack. */

/** Something is missing or wrong; `message` says what, `hint` what to do. */
export class SetupError extends Error {
  /**
   * @param {string} message what is missing or wrong, one sentence
   * @param {string} [hint] what to do about it; may have several lines
   */
  constructor(message, hint) {
    super(message);
    this.name = 'SetupError';
    this.hint = hint;
  }
}

/** A command ended with a failure; `output` is all it said. */
export class CommandError extends Error {
  /**
   * @param {string} command as a person would type it
   * @param {string} how `exit code 1` or `signal SIGKILL`
   * @param {string} output standard output and error
   */
  constructor(command, how, output) {
    super(`\`${command}\` failed (${how})`);
    this.name = 'CommandError';
    this.output = output;
  }
}

/** Thrown out of whatever is under way when the user has asked to stop. */
export class Stopped extends Error {
  constructor() {
    super('stopped');
    this.name = 'Stopped';
  }
}

/**
 * What to print for an error that ends the program.
 * @param {unknown} error
 * @param {number} [lines] how many of a command's last lines to show
 * @returns {string}
 */
export function explain(error, lines = 40) {
  if (error instanceof SetupError) {
    return error.hint ? `${error.message}\n${error.hint}` : error.message;
  }
  if (error instanceof CommandError) {
    const said = error.output.trimEnd().split('\n').slice(-lines).join('\n');
    return said ? `${error.message}:\n${said}` : error.message;
  }
  if (error instanceof Error) {
    // What this program throws by itself explains itself; anything else is a mistake in it.
    return error.explained ? error.message : (error.stack ?? error.message);
  }
  return String(error);
}
