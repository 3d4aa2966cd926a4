/** Finds a name in a text, however it is spelled, in time that grows with the text alone. */

/** Where a name stands: from, and before which character. */
export type Span = readonly [from: number, to: number];

/** What may stand between the parts of a name: JOHN-DOE is also john.doe and John Doe. */
const SEPARATOR = /[\s._-]/u;
const SEPARATORS = /[\s._-]+/u;
/** Stands for every separator among folded characters; Unicode gives it to no character. */
const IS_SEPARATOR = 0xffff;
const UNKNOWN = 0;

/** What a UTF-16 unit counts as, by unit: filled in as units come. */
const folded = new Uint16Array(0x10000);

/**
 * A function that finds all places of `name`, in any case of its letters and with any separators
 * where it has some.
 *
 * Knuth, Morris and Pratt's search: names and texts are a client's to choose, and with a regular
 * expression a client could choose them so that nothing else gets done.
 */
export function finderOf(name: string): (text: string) => Span[] {
  const parts = name.split(SEPARATORS).filter(Boolean);
  const skips = parts.length > 1;
  const needle = [...unitsOf(parts.join('') || name)].map(fold);
  const back = fallbacksOf(needle);
  return text => {
    const spans: Span[] = [];
    let found = 0;
    for (let at = 0; at < text.length; at += 1) {
      const unit = fold(text.charCodeAt(at));
      if (skips && unit === IS_SEPARATOR) {
        continue;
      }
      while (found > 0 && unit !== needle[found]) {
        found = back[found - 1]!;
      }
      found += unit === needle[found] ? 1 : 0;
      if (found === needle.length) {
        spans.push([startOf(text, at, found, skips), at + 1]);
        found = 0;
      }
    }
    return spans;
  };
}

/** Where the match begins whose last of `units` characters stands at `end`. */
function startOf(
  text: string,
  end: number,
  units: number,
  skips: boolean
): number {
  let at = end + 1;
  for (let left = units; left > 0;) {
    at -= 1;
    if (!skips || fold(text.charCodeAt(at)) !== IS_SEPARATOR) {
      left -= 1;
    }
  }
  return at;
}

/** For each length of what was found so far: how much of it is a beginning of the name again. */
function fallbacksOf(needle: readonly number[]): number[] {
  const back = needle.map(() => 0);
  let length = 0;
  for (let at = 1; at < needle.length; at += 1) {
    while (length > 0 && needle[at] !== needle[length]) {
      length = back[length - 1]!;
    }
    length += needle[at] === needle[length] ? 1 : 0;
    back[at] = length;
  }
  return back;
}

function* unitsOf(text: string): Generator<number> {
  for (let at = 0; at < text.length; at += 1) {
    yield text.charCodeAt(at);
  }
}

/** The unit without its case, where that is one unit. */
function fold(unit: number): number {
  let value = folded[unit]!;
  if (value === UNKNOWN) {
    const character = String.fromCharCode(unit);
    // By way of the upper case: some letters have two lower ones.
    const upper = single(character.toUpperCase(), character);
    value = SEPARATOR.test(character)
      ? IS_SEPARATOR
      : upper.toLowerCase().charCodeAt(0);
    folded[unit] = value;
  }
  return value;
}

function single(text: string, otherwise: string): string {
  return text.length === 1 ? text : otherwise;
}
