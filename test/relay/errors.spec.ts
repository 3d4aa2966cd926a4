/** The answers' codes: each documented with its status, and nothing documented that is not answered. */
import { readFileSync } from 'node:fs';
import { ERRORS, RelayError, type ErrorCode } from '../../src/relay/errors.js';

const docs = readFileSync(
  new URL('../../docs/relay.md', import.meta.url),
  'utf8'
);
const documented = [
  ...docs.matchAll(/^\| (\d{3}) +\| `([a-z0-9_]+)` +\|/gm)
].map(([, status, code]) => [code, Number(status)]);

it('docs/relay.md lists every code with its status, and no other', () => {
  expect(Object.fromEntries(documented)).toEqual(
    Object.fromEntries(
      Object.entries(ERRORS).map(([code, { status }]) => [code, status])
    )
  );
  expect(documented).toHaveLength(Object.keys(ERRORS).length);
});

it.each(Object.keys(ERRORS) as ErrorCode[])(
  '%s says what was expected or what to do, in a sentence',
  code => {
    const { status, message } = ERRORS[code];
    expect(message).toMatch(/^[a-z].*\.$/s);
    expect(message).toMatch(/expected|Send|Events go to/);
    // Clients throw events away at these, or send them twice.
    expect([202, 204, 429]).not.toContain(status);
    expect(new RelayError(code).body()).toMatchObject({
      code,
      error: expect.stringMatching(/^[A-Z]/) as string
    });
  }
);

it('fills in details, and leaves braces of its own alone', () => {
  const error = new RelayError('body_too_large', { limit: 10, given: 11 });
  expect(error.message).toContain('expected at most 10 bytes, got 11');
  expect(new RelayError('empty_body').message).toContain('{"api_key": "nbt_…"');
});
