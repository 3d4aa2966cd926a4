/** Decompresses lz-string's base64 form, which old browser clients send, and stops at a limit: the library itself would unfold a few kilobytes to gigabytes. */

/** Raised where the text would become longer than was allowed. */
export class Lz64TooLongError extends Error {}

const ALPHABET =
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const VALUES = new Int8Array(128).fill(-1);
[...ALPHABET].forEach((letter, value) => {
  VALUES[letter.charCodeAt(0)] = value;
});

/** Codes with a meaning of their own: a new character of 8 or of 16 bits follows, or the end is reached. */
const NEW_8 = 0;
const NEW_16 = 1;
const END = 2;

/**
 * The text behind `base64`; undefined where it is not what lz-string's `compressToBase64` writes.
 *
 * @param limit most UTF-16 units of the result.
 * @throws Lz64TooLongError beyond them.
 */
export function decompressLz64(
  base64: string,
  limit: number
): string | undefined {
  const bits = new BitReader(base64);
  const words: string[] = ['', '', ''];
  const out: string[] = [];
  let length = 0;
  let width = 2;
  // Words until codes become one bit wider.
  let room = 1;
  let last: string | undefined;

  function add(word: string): void {
    words.push(word);
    room -= 1;
    if (room === 0) {
      room = 2 ** width;
      width += 1;
    }
  }

  for (;;) {
    const code = bits.read(width);
    if (code === undefined || code === END) {
      return code === END ? out.join('') : undefined;
    }
    let word: string;
    if (code === NEW_8 || code === NEW_16) {
      const unit = bits.read(code === NEW_8 ? 8 : 16);
      if (unit === undefined) {
        return undefined;
      }
      word = String.fromCharCode(unit);
      add(word);
    } else if (code < words.length) {
      word = words[code]!;
    } else if (code === words.length && last !== undefined) {
      word = last + last[0]!;
    } else {
      return undefined;
    }
    length += word.length;
    if (length > limit) {
      throw new Lz64TooLongError();
    }
    out.push(word);
    if (last !== undefined) {
      add(last + word[0]!);
    }
    last = word;
  }
}

/** Reads numbers whose lowest bit comes first from text of six bits a letter, highest bit first. */
class BitReader {
  #at = 0;
  #value = 0;
  #left = 0;

  constructor(private readonly text: string) {}

  /** The number of the next `width` bits; undefined where they are not there. */
  read(width: number): number | undefined {
    let number = 0;
    for (let bit = 0; bit < width; bit += 1) {
      if (this.#left === 0) {
        const code = this.text.charCodeAt(this.#at);
        const value = code < 128 ? VALUES[code]! : -1;
        if (value < 0) {
          return undefined;
        }
        this.#at += 1;
        this.#value = value;
        this.#left = 6;
      }
      this.#left -= 1;
      number += ((this.#value >> this.#left) & 1) * 2 ** bit;
    }
    return number;
  }
}
