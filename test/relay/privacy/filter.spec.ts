/** The rules by which a course keeps an event's properties, and what is told of those that go. */
import fc from 'fast-check';
import type { Properties, WireEvent } from '../../../src/events/index.js';
import { reduce } from '../../../src/relay/door/setAside.js';
import { filterEvent } from '../../../src/relay/privacy/filter.js';
import { hidesMembers } from '../../../src/relay/privacy/hidden.js';
import { compileRules } from '../../../src/relay/privacy/rules.js';
import { cellEvent } from '../support/testRelay.js';

type Settings = Parameters<typeof compileRules>[0];

function filtered(
  event: WireEvent,
  settings: Settings
): { properties: Properties; dropped: string[]; changed: boolean } {
  const dropped: string[] = [];
  const before = JSON.stringify(event);
  const { event: kept, changed } = filterEvent(
    event,
    compileRules(settings),
    name => dropped.push(name)
  );
  expect(JSON.stringify(event)).toBe(before);
  expect(changed).toBe(kept !== event);
  return { properties: kept.properties, dropped, changed };
}

const extra = { source: 'x = 1', $set: { email: 'a@b.example' } };

it.each<[string, Settings, string[]]>([
  ['outcomes', { level: 'outcomes' }, ['source', '$set']],
  ['code', { level: 'code' }, ['source', '$set']],
  ['full', { level: 'full' }, []],
  ['outcomes, all', { level: 'outcomes', properties: 'all' }, []],
  ['outcomes, a list', { level: 'outcomes', properties: ['source'] }, ['$set']],
  ['full, a list', { level: 'full', properties: ['source'] }, ['$set']]
])(
  'of an event of the contract, %s drops what is not allowed',
  (_name, settings, expected) => {
    const clean = cellEvent(1).properties;
    const { properties, dropped } = filtered(cellEvent(1, extra), settings);
    expect(dropped).toEqual(expected);
    const rest = Object.fromEntries(
      Object.entries(extra).filter(([name]) => !expected.includes(name))
    );
    expect(properties).toEqual({ ...clean, ...rest });
  }
);

it.each<[string, Settings, string[]]>([
  ['outcomes', { level: 'outcomes' }, []],
  ['full', { level: 'full' }, []],
  ['a list', { level: 'full', properties: ['answer'] }, ['hint']]
])(
  'of a custom event, %s drops what is not listed',
  (_name, settings, gone) => {
    const event = {
      ...cellEvent(1),
      event: 'poll',
      properties: { nb: 'intro', answer: 'forty-two', hint: 'a' }
    };
    expect(filtered(event, settings).dropped).toEqual(gone);
  }
);

it('a clean event is handed back as it is', () => {
  expect(filtered(cellEvent(1), { level: 'outcomes' }).changed).toBe(false);
  expect(
    filtered(cellEvent(1, { code: 'x', junk: 1 }), { level: 'full' }).changed
  ).toBe(false);
});

it("keeps clients' bookkeeping only where it is as short as that is", () => {
  const { properties, dropped } = filtered(
    cellEvent(1, {
      $lib: 'web',
      $lib_version: { deep: 'CANARY' },
      $process_person_profile: false
    }),
    { level: 'outcomes' }
  );
  expect(properties).toMatchObject({
    $lib: 'web',
    $process_person_profile: false
  });
  expect(dropped).toEqual(['$lib_version']);
});

it('names that are no names are counted without being said', () => {
  const { dropped } = filtered(
    cellEvent(1, { 'JANE DOE said': 1, ['x'.repeat(65)]: 2, plain: 3 }),
    { level: 'outcomes' }
  );
  expect(dropped).toEqual(['(another name)', '(another name)', 'plain']);
});

it('a member called __proto__ is dropped like any other, and changes no prototype', () => {
  const properties = JSON.parse(
    '{"nb":"a","sess":"b","__proto__":{"polluted":"CANARY"}}'
  ) as Properties;
  const result = filtered(
    { event: 'start', distinct_id: 'A', properties },
    { level: 'outcomes' }
  );
  expect(Object.keys(result.properties)).toEqual(['nb', 'sess']);
  expect(result.properties['polluted']).toBeUndefined();
});

describe('property: a canary in what is not declared', () => {
  const canary = 'CANARY-7f3a';
  const value = fc.oneof(
    fc.constant(canary),
    fc.constant({ deep: [canary] }),
    fc.constant([canary, 1]),
    fc.string().map(text => `${text}${canary}`)
  );
  const names = fc
    .string({ minLength: 1, maxLength: 12 })
    .map(name => `u_${name}`);
  const unknown = fc.dictionary(names, value, { minKeys: 1, maxKeys: 4 });
  const rules = compileRules({ level: 'outcomes' });

  it('passes neither the filter nor the reduction of what is set aside', () => {
    fc.assert(
      fc.property(
        unknown,
        fc.constantFrom('start', 'end', 'cell', 'test', 'focus', 'consent'),
        (more, name) => {
          const event = { ...cellEvent(1, more), event: name };
          const { event: kept } = filterEvent(event, rules, () => undefined);
          expect(JSON.stringify(kept)).not.toContain(canary);
          expect(JSON.stringify(reduce(event, rules))).not.toContain(canary);
        }
      )
    );
  });

  it('nor does a type of error that is a word of the student', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z][a-z]{1,12}$/), word => {
        fc.pre(
          !/(Error|Exception|Warning|Interrupt|Exit|Iteration|Timeout|Failure|Empty|Full|Clamped|Inexact|Overflow|Rounded|Subnormal|Underflow|Failed|Skipped)$/.test(
            word
          )
        );
        const { event } = filterEvent(
          cellEvent(1, { err: word, status: 'error' }),
          rules,
          () => undefined
        );
        expect(event.properties['err']).toBe('Error');
      })
    );
  });
});

describe('text that says more than its value', () => {
  it.each([
    ['{"a":1,"a":2}', true],
    ['{"a":{"b":"x"},"a":{"b":"x"}}', true],
    ['{"a":"\\"","b":["\\\\","{"]}', false],
    ['[{"a":"x"},{"a":"x"}]', false],
    ['{"__proto__":1,"__proto__":2}', true]
  ])('%s: %s', (text, expected) => {
    expect(hidesMembers(Buffer.from(text), JSON.parse(text))).toBe(expected);
  });

  it('is never suspected of plain JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), value => {
        const text = JSON.stringify(value, null, 1);
        expect(hidesMembers(Buffer.from(text), JSON.parse(text))).toBe(false);
      })
    );
  });

  it('is found wherever a member is doubled', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string({ minLength: 1 }), fc.jsonValue(), {
          minKeys: 1
        }),
        fc.jsonValue(),
        (object, hidden) => {
          const [first] = Object.keys(object);
          const doubled = `{${JSON.stringify(first)}:${JSON.stringify(hidden)},${JSON.stringify(object).slice(1)}`;
          expect(hidesMembers(Buffer.from(doubled), JSON.parse(doubled))).toBe(
            true
          );
        }
      )
    );
  });
});
