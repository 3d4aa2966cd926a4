/** Reads a script's command line; a mistake becomes one sentence that points to `--help`. */
import { parseArgs } from 'node:util';
import { SetupError } from './errors.mjs';

/**
 * @param {readonly string[]} args the command line after the script's name
 * @param {import('node:util').ParseArgsConfig['options']} options
 * @param {string} command how the user calls the script
 * @returns {Record<string, any>} the values by option name
 * @throws {SetupError} for an unknown option, a missing value or a stray word
 */
export function readOptions(args, options, command) {
  try {
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    // Node's message goes on with advice about `--` that does not fit here.
    const [sentence] = error.message.split('. ');
    throw new SetupError(
      `${sentence}.`.replace('..', '.'),
      `See \`${command} -- --help\`.`
    );
  }
}

/**
 * @param {string | undefined} text as typed
 * @param {string} option its name, for the message
 * @returns {number | undefined}
 * @throws {SetupError} unless it is a port, 0 to 65535
 */
export function readPort(text, option) {
  if (text === undefined) {
    return undefined;
  }
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) {
    throw new SetupError(
      `${option} takes a port from 0 to 65535, got \`${text}\`.`
    );
  }
  return port;
}
