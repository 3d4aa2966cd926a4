/** A name is found however it is spelled, and no name and no text takes long. */
import fc from 'fast-check';
import { judge } from '../../../src/relay/door/judge.js';
import { letterOf, reduce } from '../../../src/relay/door/setAside.js';
import { clockOf } from '../../../src/relay/door/clock.js';
import { finderOf } from '../../../src/relay/privacy/finder.js';
import {
  scrubberFor,
  type Pseudonymizer
} from '../../../src/relay/privacy/pseudonyms.js';
import { compileRules } from '../../../src/relay/privacy/rules.js';
import { cellEvent } from '../support/testRelay.js';

const pseudonyms: Pseudonymizer = {
  keyId: 'pk_1',
  of: name => `p_${name.length}`
};

const found = (name: string, text: string): string[] =>
  finderOf(name)(text).map(([from, to]) => text.slice(from, to));

it.each([
  ['JOHN-DOE', 'of john.doe, John Doe and JOHN__DOE', 3],
  ['JOHN-DOE', 'johndoe', 1],
  ['JOHNDOE', 'john doe', 0],
  ['-ada.', 'Ada ada-ADA', 3],
  ['aab', 'aaab aabaab', 3],
  ['...', 'wait ... there', 1],
  ['ÅSA-ŐZ', 'åsa őz', 1],
  ['ΟΔΥΣΣΕΥΣ', 'οδυσσευς', 1],
  ['İnci', 'of İNCİ', 1],
  ['😀-x', 'a😀 X', 1]
])('%s in %s', (name, text, count) => {
  expect(found(name, text)).toHaveLength(count);
});

it('property: finds what a regular expression of its parts finds', () => {
  const letters = fc.string({
    unit: fc.constantFrom('a', 'B', 'b', '-', ' ', '.'),
    maxLength: 12
  });
  fc.assert(
    fc.property(letters, letters, letters, (name, before, after) => {
      const parts = name.split(/[\s._-]+/u).filter(Boolean);
      // Separators within a part, and overlapping beginnings, are the search's own.
      fc.pre(parts.length > 0);
      const text = `${before}${name.toLowerCase()}${after}`;
      const spans = finderOf(name)(text);
      const rest = spans.reduceRight(
        (left, [from, to]) => left.slice(0, from) + '|' + left.slice(to),
        text
      );
      const pattern = new RegExp(parts.join('[\\s._-]*'), 'iu');
      expect(spans.length).toBeGreaterThan(0);
      expect(pattern.test(rest)).toBe(false);
    })
  );
});

it('looks at each character of a text a few times, whatever the names', () => {
  const long = 'a'.repeat(190);
  const properties: Record<string, unknown> = { text: 'a'.repeat(400_000) };
  for (const [at, name] of ['user', 'email', 'name', 'alias'].entries()) {
    properties[name] = `${'a'.repeat(at)}b${long}`;
  }
  // Dots before another character, over which an expression for the end of a text goes again and again.
  properties['username'] = `${'.'.repeat(300_000)}x`;
  properties['user_id'] = `(${'['.repeat(40_000)}`;
  const event = { ...cellEvent(1), event: 'poll', properties };
  const began = process.cpuUsage().user;
  const { clean } = scrubberFor([event], pseudonyms);
  expect(clean(properties['text'])).toBe(properties['text']);
  // With expressions it takes minutes; the bound is one that a busy machine keeps, too.
  expect(process.cpuUsage().user - began).toBeLessThan(5_000_000);
});

it('a name is not looked for in the pseudonym of another one', () => {
  const { clean } = scrubberFor(
    [{ distinct_id: 'ADA-LOVELACE', properties: { user: 'p_12' } }],
    pseudonyms
  );
  expect(clean('by Ada Lovelace and p_12')).toBe('by p_12 and p_4');
});

it('an event on which the relay fails is set aside, and the others are kept', () => {
  const broken: Pseudonymizer = {
    keyId: 'pk_1',
    of(name) {
      if (name.startsWith('EVE')) {
        throw new SyntaxError(`bad: ${name}`);
      }
      return pseudonyms.of(name);
    }
  };
  const privacy = compileRules({ level: 'full', pseudonyms: broken });
  const events = ['ADA', 'EVE', 'BOB'].map((student, n) => ({
    ...cellEvent(n, { student }),
    distinct_id: student
  }));
  const { kept, setAside, rewrite } = judge(events, {
    course: 'demo',
    privacy,
    events: ['cell'],
    clock: clockOf(undefined, Date.now()),
    bytes: 1_000,
    remember: () => true
  });
  expect(kept).toHaveLength(2);
  expect(rewrite).toBe(true);
  expect(setAside).toMatchObject([{ index: 1, field: 'event' }]);
  expect(setAside[0]!.message).toContain('SyntaxError');
  const letter = letterOf(setAside[0]!, 'demo', privacy, 'now');
  expect(letter.event).toBeNull();
  expect(JSON.stringify(letter)).not.toContain('EVE');
});

it('an id that is none is not kept in a letter, as it may be a name', () => {
  const rules = compileRules({ level: 'full', pseudonyms });
  const letter = (uuid: unknown): unknown =>
    (
      reduce({ ...cellEvent(1), distinct_id: 'ada', uuid }, rules) as {
        uuid: unknown;
      }
    ).uuid;
  expect(letter('of Zebediah')).toBe('(text of 11 characters)');
  expect(letter(cellEvent(1).uuid)).toBe(cellEvent(1).uuid);
});
