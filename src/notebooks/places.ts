/** Where the parts of a notebook stand in its text. The text must be JSON that `JSON.parse` accepts. */

/** A stretch of the text: `text.slice(start, end)`. */
export interface Place {
  start: number;
  end: number;
}

/** A value; `members` or `items` where it is an object or array that was looked into. */
export interface ValuePlace extends Place {
  members?: MemberPlace[];
  items?: ValuePlace[];
}

/** A member of an object. */
export interface MemberPlace {
  name: string;
  key: Place;
  value: ValuePlace;
}

/** Names of members that are looked into: what is in outputs and attachments stays unread. */
const OPENED = new Set(['cells', 'worksheets', 'metadata']);
/** Root, worksheets, one of them, its cells, a cell, its metadata. */
const DEEPEST = 6;

const STRUCTURE = /["{}[\]]/g;
const SCALAR = /[^\s,\]}]+/y;
const BLANK = /[ \t\r\n]*/y;

/**
 * The places of a notebook's cells and of what they consist of.
 *
 * It walks by searching for quotes and brackets, which takes less time than parsing.
 *
 * @param start where the JSON begins: 1 after a byte order mark.
 */
export function outline(text: string, start: number): ValuePlace {
  return readValue(text, skipBlanks(text, start), 1);
}

/** The last member called `name`, which is the one that counts for every JSON parser in use. */
export function member(
  value: ValuePlace,
  name: string
): MemberPlace | undefined {
  return value.members?.filter(each => each.name === name).at(-1);
}

/** Reads the value at `pos`, and what is in it down to `DEEPEST` levels. */
function readValue(text: string, pos: number, depth: number): ValuePlace {
  const open = text[pos];
  if ((open !== '{' && open !== '[') || depth > DEEPEST) {
    return { start: pos, end: skipValue(text, pos) };
  }
  const place: ValuePlace = { start: pos, end: pos };
  const close = open === '{' ? '}' : ']';
  const members: MemberPlace[] = [];
  const items: ValuePlace[] = [];
  pos = skipBlanks(text, pos + 1);
  while (text[pos] !== close) {
    let value: ValuePlace;
    if (open === '{') {
      const key = { start: pos, end: skipString(text, pos) };
      const name = JSON.parse(text.slice(key.start, key.end)) as string;
      // Past the colon.
      pos = skipBlanks(text, skipBlanks(text, key.end) + 1);
      value = OPENED.has(name)
        ? readValue(text, pos, depth + 1)
        : { start: pos, end: skipValue(text, pos) };
      members.push({ name, key, value });
    } else {
      value = readValue(text, pos, depth + 1);
      items.push(value);
    }
    pos = skipBlanks(text, value.end);
    if (text[pos] === ',') {
      pos = skipBlanks(text, pos + 1);
    }
  }
  place.end = pos + 1;
  if (open === '{') {
    place.members = members;
  } else {
    place.items = items;
  }
  return place;
}

/** The end of the value at `pos`. */
function skipValue(text: string, pos: number): number {
  const first = text[pos];
  if (first === '"') {
    return skipString(text, pos);
  }
  if (first !== '{' && first !== '[') {
    SCALAR.lastIndex = pos;
    SCALAR.test(text);
    return SCALAR.lastIndex;
  }
  let depth = 0;
  do {
    STRUCTURE.lastIndex = pos;
    const found = STRUCTURE.exec(text)!;
    pos = found.index;
    if (found[0] === '"') {
      pos = skipString(text, pos);
    } else {
      depth += found[0] === '{' || found[0] === '[' ? 1 : -1;
      pos += 1;
    }
  } while (depth > 0);
  return pos;
}

/** The end of the string whose quote stands at `pos`. */
function skipString(text: string, pos: number): number {
  for (;;) {
    pos = text.indexOf('"', pos + 1);
    let before = pos - 1;
    while (text.charCodeAt(before) === 0x5c) {
      before -= 1;
    }
    // An even number of backslashes escapes one another, and not the quote.
    if ((pos - before) % 2 === 1) {
      return pos + 1;
    }
  }
}

function skipBlanks(text: string, pos: number): number {
  BLANK.lastIndex = pos;
  BLANK.test(text);
  return BLANK.lastIndex;
}
