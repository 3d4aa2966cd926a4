/** How a file is written, read off its own text, so that what is added looks like the rest of it. */
import type { MemberPlace, ValuePlace } from './places.js';

/** The way of one JSON printer. */
export interface Style {
  /** Line end; null where everything stands on one line. */
  newline: string | null;
  /** What each level is indented by. */
  unit: string;
  /** Between a name and its value, such as `: `. */
  colon: string;
  /** Between two members; without the line end where each has a line of its own. */
  comma: string;
  /** Inside the braces of an object on one line. */
  pad: string;
  /** Whether characters beyond ASCII are written as escapes. */
  ascii: boolean;
}

/** Style of an object, and the indentation of the line that its closing brace stands on. */
export interface ObjectStyle {
  style: Style;
  indent: string;
}

const NEWLINE = /\r\n|\n|\r/;

/** The indentation that `blanks` ends with: what follows its last line end. */
export function indentOf(blanks: string): string {
  return blanks.slice(
    Math.max(blanks.lastIndexOf('\n'), blanks.lastIndexOf('\r')) + 1
  );
}

/** The first line end in `blanks`; null if it has none. */
export function newlineOf(blanks: string): string | null {
  return NEWLINE.exec(blanks)?.[0] ?? null;
}

/**
 * The style of the object at `place`; null if it has no members to tell by.
 *
 * @param ascii whether the file writes characters beyond ASCII as escapes.
 */
export function styleOf(
  text: string,
  place: ValuePlace,
  ascii: boolean
): ObjectStyle | null {
  const [first, second] = place.members ?? [];
  if (first === undefined) {
    return null;
  }
  const lead = text.slice(place.start + 1, first.key.start);
  const trail = text.slice(place.members!.at(-1)!.value.end, place.end - 1);
  const newline = newlineOf(lead);
  const colon = text.slice(first.key.end, first.value.start);
  const between =
    second === undefined ? '' : text.slice(first.value.end, second.key.start);
  const common = { colon: newlineOf(colon) === null ? colon : ': ', ascii };
  if (newline === null) {
    return {
      style: {
        ...common,
        newline: null,
        unit: '',
        comma: between || (colon.endsWith(' ') ? ', ' : ','),
        pad: lead
      },
      indent: ''
    };
  }
  const inner = indentOf(lead);
  // A brace on the last member's line says nothing of the indentation.
  const outer = newlineOf(trail) === null ? null : indentOf(trail);
  const indented = outer !== null && inner.startsWith(outer);
  const unit = indented
    ? inner.slice(outer.length)
    : (/\t/.exec(inner) ?? ' ')[0]!;
  return {
    style: {
      ...common,
      newline,
      unit,
      // With the blanks that some printers leave at the end of a line.
      comma: /^([^\S\r\n]*,[^\S\r\n]*)[\r\n]/.exec(between)?.[1] ?? ',',
      pad: ''
    },
    indent: indented ? outer : inner.slice(0, inner.length - unit.length)
  };
}

/** Whether a file writes characters beyond ASCII as escapes; undefined if it has none. */
export function usesEscapes(text: string): boolean | undefined {
  if (/[^\0-\x7f]/.test(text.startsWith('\ufeff') ? text.slice(1) : text)) {
    return false;
  }
  // Half a surrogate pair can only be written as an escape, and shows nothing.
  const shows =
    /(?<!\\)(?:\\\\)*\\u(?:(?!00[0-7]|d[89a-f])|d[89ab]..\\ud[c-f])/i.test(
      text
    );
  return shows ? true : undefined;
}

/** Prints `value` as JSON in `style`; `indent` is the indentation of the line that it begins on. */
export function print(value: unknown, style: Style, indent: string): string {
  if (typeof value !== 'object' || value === null) {
    const text = JSON.stringify(value);
    return style.ascii ? escaped(text) : text;
  }
  const inner = indent + style.unit;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const parts = Array.isArray(value)
    ? value.map(item => print(item, style, inner))
    : Object.entries(value).map(
        ([name, item]) =>
          print(name, style, '') + style.colon + print(item, style, inner)
      );
  if (parts.length === 0) {
    return open! + close!;
  }
  if (style.newline === null) {
    const pad = Array.isArray(value) ? '' : style.pad;
    // Where members stand on lines of their own, lines of a source would be torn apart.
    const comma =
      Array.isArray(value) && newlineOf(style.comma) !== null
        ? ', '
        : style.comma;
    return open + pad + parts.join(comma) + pad + close;
  }
  const line = style.newline + inner;
  return (
    open +
    line +
    parts.join(style.comma + line) +
    style.newline +
    indent +
    close
  );
}

/** What stands between two neighbours of an object or array: comma and blanks. */
export function separatorOf(
  text: string,
  neighbours: readonly { start: number; end: number }[],
  otherwise: string
): string {
  const [first, second] = neighbours;
  return first !== undefined && second !== undefined
    ? text.slice(first.end, second.start)
    : otherwise;
}

/** A member as one place, from its name to its value's end. */
export function wholeMember({ key, value }: MemberPlace): {
  start: number;
  end: number;
} {
  return { start: key.start, end: value.end };
}

function escaped(json: string): string {
  return json.replace(
    /[\x80-\uffff]/g,
    unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
  );
}
