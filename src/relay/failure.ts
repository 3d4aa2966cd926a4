/** What the relay's log says of an error: which it is and where it came from, and nothing that came with a request. */
import { isNativeError } from 'node:util/types';

/** Errors that the language itself throws: their messages repeat the values that they are about. */
const LANGUAGE_ERRORS: ReadonlySet<string> = new Set([
  'AggregateError',
  'EvalError',
  'RangeError',
  'ReferenceError',
  'SyntaxError',
  'TypeError',
  'URIError'
]);
/** How the system and the relay name errors. */
const CODE = /^[A-Za-z][A-Za-z0-9_]{0,59}$/;
const MAX_FRAMES = 12;

/** An error that nobody expected: its class, its code and the places in the program that it came through. */
export function traceOf(error: unknown): string {
  if (!isNativeError(error)) {
    return `a ${typeof error} was thrown`;
  }
  const { code } = error as { code?: unknown };
  const named = typeof code === 'string' && CODE.test(code) ? ` (${code})` : '';
  return [classOf(error) + named, ...framesOf(error)].join('\n');
}

/** The cause of a known error: its message where the relay or the system wrote it, else its class. */
export function causeOf(error: unknown): string {
  if (!isNativeError(error)) {
    return `a ${typeof error} was thrown`;
  }
  return LANGUAGE_ERRORS.has(classOf(error)) ? classOf(error) : error.message;
}

function classOf(error: Error): string {
  return error.constructor.name;
}

/** The stack's lines after the message, which may have lines of that form itself; none where it is not clear where it ends. */
function framesOf(error: Error): string[] {
  const { name, stack = '', message } = error;
  const { code } = error as { code?: unknown };
  const header = [name, classOf(error), `${name} [${String(code)}]`]
    .map(kind => (message === '' ? `${kind}\n` : `${kind}: ${message}`))
    .find(text => stack.startsWith(text));
  return header === undefined
    ? []
    : stack
        .slice(header.length)
        .split('\n')
        .filter(line => /^ +at /.test(line))
        .slice(0, MAX_FRAMES);
}
