/** A verified student stands wherever an event may name whom it is about. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { asStudent } from '../../../src/relay/hub/asStudent.js';
import { normalizeEvent } from '../../../src/relay/wire/shapes.js';

describe('an event of a verified student', () => {
  it('is left as it is where it says so already', () => {
    const event = {
      event: 'cell',
      distinct_id: 'ada',
      properties: { student: 'ada', ms: 1 }
    };
    expect(asStudent(event, 'ada')).toBe(event);
  });

  it('claims nobody else afterwards', () => {
    expect(
      asStudent(
        {
          event: '$identify',
          distinct_id: 'grace',
          $distinct_id: 'grace',
          timestamp: '2026-01-01T00:00:00Z',
          properties: {
            student: 'grace',
            distinct_id: 'grace',
            $distinct_id: 'grace',
            $anon_distinct_id: 'grace',
            $set: { colour: 'blue' }
          }
        },
        'ada'
      )
    ).toEqual({
      event: '$identify',
      distinct_id: 'ada',
      timestamp: '2026-01-01T00:00:00Z',
      properties: { student: 'ada', $set: { colour: 'blue' } }
    });
  });

  it('cannot be made one with somebody else, and keeps an alias of its own otherwise', () => {
    const event = (name: string): unknown => ({
      event: name,
      distinct_id: 'ada',
      properties: { student: 'ada', alias: 'grace' }
    });
    for (const name of ['$create_alias', '$merge_dangerously']) {
      expect(asStudent(event(name), 'ada')).toEqual({
        event: name,
        distinct_id: 'ada',
        properties: { student: 'ada' }
      });
    }
    expect(asStudent(event('cell'), 'ada')).toEqual(event('cell'));
  });

  it('is not invented where there is none', () => {
    for (const raw of [null, 7, 'text', ['x']]) {
      expect(asStudent(raw, 'ada')).toBe(raw);
    }
  });

  it('is the student’s for whatever a client sends', () => {
    const id = fc.constantFrom('grace', '', null, 7);
    const names = fc.dictionary(
      fc.constantFrom(
        'student',
        'distinct_id',
        '$distinct_id',
        'x',
        '__proto__'
      ),
      id
    );
    fc.assert(
      fc.property(
        names,
        fc.option(fc.oneof(names, fc.constant('text')), { nil: undefined }),
        (members, properties) => {
          const event = normalizeEvent(
            asStudent({ event: 'cell', ...members, properties }, 'ada')
          ) as { distinct_id: unknown; properties: Record<string, unknown> };
          expect(event.distinct_id).toBe('ada');
          if (typeof event.properties === 'object') {
            expect(event.properties['student']).toBe('ada');
            expect(event.properties).not.toHaveProperty('distinct_id');
            expect(event.properties).not.toHaveProperty('$distinct_id');
          }
        }
      ),
      { seed: 7, numRuns: 300 }
    );
  });
});
