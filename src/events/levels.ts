/** Privacy levels: what of an event's properties may leave, applied alike by clients and relay. */
import type { PrivacyLevel, Properties } from './types.js';

/** Longest source that any level sends, in characters. */
export const MAX_CODE_CHARS = 500;
/** Longest error text that any level sends, in characters. */
export const MAX_ERR_CHARS = 200;

/** Longest name of an error's type. */
const MAX_TYPE_CHARS = 100;

/** Types that do not end in a word that says error. */
const KNOWN_TYPES = [
  // Python's own, and its standard library's
  'ExceptionGroup',
  'BaseExceptionGroup',
  'Empty',
  'Full',
  'Clamped',
  'DivisionByZero',
  'FloatOperation',
  'Inexact',
  'InvalidOperation',
  'Overflow',
  'Rounded',
  'Subnormal',
  'Underflow',
  // pytest's
  'Failed',
  'Skipped'
];

const TYPE = `(?:[A-Za-z_]\\w*\\.)*(?:(?:[A-Z]\\w*)?(?:Error|Exception|Warning|Interrupt|Exit|Iteration|Timeout|Failure)|${KNOWN_TYPES.join('|')})`;
const LEADING_TYPE = new RegExp(`^(${TYPE})(?::|\\s*$)`);

/**
 * The error's type out of `Type` or `Type: message`; `Error` where no type can be told
 * for sure, so that no word of a message slips through. A type is known by its form: the name of
 * a class that ends in a word such as `Error`, or one of those known to have another name.
 */
export function errorType(err: string): string {
  const type = LEADING_TYPE.exec(err)?.[1];
  return type === undefined || type.length > MAX_TYPE_CHARS ? 'Error' : type;
}

/**
 * Properties of `event` as `level` allows them.
 *
 * Returns the very same object where nothing has to change, so that a caller can
 * tell by identity whether it may keep the bytes it received.
 */
export function applyLevel(
  event: string,
  properties: Properties,
  level: PrivacyLevel
): Properties {
  if (event !== 'cell' && event !== 'test') {
    return properties;
  }
  const changes: Properties = {};
  const { code, err } = properties;
  if (typeof code === 'string') {
    if (level === 'outcomes') {
      changes['code'] = null;
    } else if (code.length > MAX_CODE_CHARS) {
      changes['code'] = code.slice(0, MAX_CODE_CHARS);
    }
  }
  if (typeof err === 'string') {
    const allowed =
      level === 'outcomes' ? errorType(err) : err.slice(0, MAX_ERR_CHARS);
    if (allowed !== err) {
      changes['err'] = allowed;
    }
  }
  return Object.keys(changes).length === 0
    ? properties
    : { ...properties, ...changes };
}
