/** lz-string's base64 read back with a limit, against the library itself. */
import fc from 'fast-check';
import lzString from 'lz-string';
import {
  decompressLz64,
  Lz64TooLongError
} from '../../../src/relay/door/lz64.js';

const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 300 }),
  fc.json(),
  fc.string({ maxLength: 10 }).map(part => part.repeat(50))
);

it('gives back what the library compressed, up to the limit and not beyond', () => {
  fc.assert(
    fc.property(text, original => {
      const packed = lzString.compressToBase64(original);
      expect(decompressLz64(packed, original.length)).toBe(original);
      if (original.length > 0) {
        expect(() => decompressLz64(packed, original.length - 1)).toThrow(
          Lz64TooLongError
        );
      }
    })
  );
});

it('halves of characters survive', () => {
  const halves = 'a\ud83d\udc00\udc00b\ud83d';
  const packed = lzString.compressToBase64(halves);
  expect(decompressLz64(packed, 100)).toBe(halves);
});

it('whatever else comes is told or read, within the limit', () => {
  const letters = fc.constantFrom(
    ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=é'
  );
  fc.assert(
    fc.property(fc.array(letters, { maxLength: 200 }), given => {
      let result: string | undefined;
      try {
        result = decompressLz64(given.join(''), 1000);
      } catch (error) {
        expect(error).toBeInstanceOf(Lz64TooLongError);
      }
      expect((result ?? '').length).toBeLessThanOrEqual(1000);
    }),
    { numRuns: 2000 }
  );
});
