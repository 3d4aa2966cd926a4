/** Why a notebook is left as it is. */
import { printParseErrorCode, visit } from 'jsonc-parser';

/** What is wrong, for programs. */
export type RefusalCode =
  /** Not UTF-8. */
  | 'not-text'
  | 'not-json'
  | 'not-a-notebook'
  /** A version of the notebook format that is not known here. */
  | 'unsupported-format'
  | 'other-language'
  /** The notebook declares no language, and its code does not tell. */
  | 'unknown-language'
  /** Its setup cell holds code of somebody's own. */
  | 'own-code'
  /** No notebook id is given, and none can be derived. */
  | 'no-id'
  /** The file cannot be read or replaced. */
  | 'file'
  | 'folder';

/** A notebook that was left untouched, and why. */
export interface Refusal {
  ok: false;
  code: RefusalCode;
  /** A sentence for people, without the file's name; it says where and what to do. */
  reason: string;
  /** Line and column from 1, where a place in the file is meant. */
  line?: number;
  column?: number;
}

/** A refusal, with the place `offset` in `text` where there is one. */
export function refuse(
  code: RefusalCode,
  reason: string,
  at?: { text: string; offset: number }
): Refusal {
  if (at === undefined) {
    return { ok: false, code, reason };
  }
  const { line, column } = lineAndColumn(at.text, at.offset);
  return {
    ok: false,
    code,
    reason: `line ${line}, column ${column}: ${reason}`,
    line,
    column
  };
}

/** Line and column from 1 of an offset; columns count characters. */
export function lineAndColumn(
  text: string,
  offset: number
): { line: number; column: number } {
  const before = text.slice(text.startsWith('\ufeff') ? 1 : 0, offset);
  const lines = before.split(/\r\n|\n|\r/);
  return { line: lines.length, column: [...lines.at(-1)!].length + 1 };
}

/** By the names of jsonc-parser's errors. */
const PROBLEMS: Readonly<Record<string, string>> = {
  InvalidSymbol:
    'expected a JSON value, got something else (NaN and Infinity are none)',
  InvalidNumberFormat: 'expected a number',
  PropertyNameExpected: 'expected a name in double quotes',
  ValueExpected: 'expected a value',
  ColonExpected: 'expected a colon',
  CommaExpected: 'expected a comma',
  CloseBraceExpected: 'expected a closing brace',
  CloseBracketExpected: 'expected a closing bracket',
  EndOfFileExpected: 'expected the end of the file',
  InvalidCommentToken: 'JSON has no comments',
  UnexpectedEndOfComment: 'JSON has no comments',
  UnexpectedEndOfString: 'the string has no end on its line',
  UnexpectedEndOfNumber: 'the number breaks off',
  InvalidUnicode: 'expected four hexadecimal digits after \\u',
  InvalidEscapeCharacter: 'there is no such escape in JSON',
  InvalidCharacter: 'a control character stands in a string as it is'
};

/** Says where text that `JSON.parse` does not accept stops being JSON. `start` is where it begins. */
export function refuseBroken(text: string, start: number): Refusal {
  if (text.slice(start).trim() === '') {
    return refuse('not-json', 'the file is empty');
  }
  if (/^(<<<<<<<|=======|>>>>>>>)/m.test(text)) {
    const offset = text.search(/^(<<<<<<<|=======|>>>>>>>)/m);
    return refuse('not-json', 'a merge conflict is unresolved', {
      text,
      offset
    });
  }
  let first: { name: string; offset: number } | undefined;
  try {
    visit(
      text.slice(start),
      {
        onError(code, offset) {
          first = { name: printParseErrorCode(code), offset: offset + start };
          throw new Stop();
        }
      },
      { disallowComments: true, allowTrailingComma: false }
    );
  } catch {
    // The first error is enough; or it is nested too deeply to look for one.
  }
  return first === undefined
    ? refuse('not-json', 'the file is not JSON')
    : refuse('not-json', PROBLEMS[first.name] ?? 'this is not JSON', {
        text,
        offset: first.offset
      });
}

class Stop extends Error {}
