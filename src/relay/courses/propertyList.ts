/** The event properties that a course keeps, as people write them: names, `default` or `all`. */
import type { PropertiesSetting } from './courseFile.js';

/** What a property in such a list may be called. */
export const PROPERTY_NAME = /^[A-Za-z_$][\w$.-]{0,63}$/;
/** Most names in a list. */
export const MAX_PROPERTIES = 500;

/** What the setting may be, for messages. */
export const EXPECTED_PROPERTIES = `default, all, or up to ${MAX_PROPERTIES} names of letters, digits, _, $, dot and dash, 64 characters at most`;

/**
 * The setting that `text` means.
 *
 * @param text `default`, `all`, or names with commas between them.
 * @throws RangeError that says what was expected.
 */
export function readProperties(text: string): PropertiesSetting {
  const words = text.split(',').map(word => word.trim());
  const [first] = words;
  if (words.length === 1 && (first === 'default' || first === 'all')) {
    return first;
  }
  const names = [...new Set(words)].sort();
  if (names.includes('default') || names.includes('all') || !isList(names)) {
    throw new RangeError(
      `properties: expected ${EXPECTED_PROPERTIES}, got ${JSON.stringify(text)}`
    );
  }
  return names;
}

/** Whether `value` is such a setting as it is kept. */
export function isPropertySetting(value: unknown): value is PropertiesSetting {
  return value === 'default' || value === 'all' || isList(value);
}

function isList(value: unknown): value is string[] {
  return (
    Array.isArray(value) &&
    value.length > 0 &&
    value.length <= MAX_PROPERTIES &&
    value.every(name => typeof name === 'string' && PROPERTY_NAME.test(name))
  );
}
