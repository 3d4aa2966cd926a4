/** The notice says what the contract and the course's settings say, and nothing else. */
import { SELECTABLE_EVENTS } from '../../src/events/collection.js';
import { CommonProperties, EVENT_PROPERTIES } from '../../src/events/schema.js';
import type { ConsentState } from '../../src/lab/consent.js';
import {
  answersOf,
  eventWords,
  levelsUpTo,
  levelWords,
  noticeOf,
  type Notice
} from '../../src/lab/notice.js';
import { course, SETTINGS, trans } from './courses.js';

/** Every word of a notice. */
const textOf = (notice: Notice): string =>
  [
    notice.title,
    notice.summary,
    ...notice.parts.flatMap(part => [
      part.heading,
      ...part.paragraphs,
      ...part.list.flatMap(({ term, details }) => [term, details])
    ])
  ].join('\n');

describe('words', () => {
  const words = eventWords('code', trans);

  it('are there for every event a course can select', () => {
    expect(Object.keys(words).sort()).toEqual([...SELECTABLE_EVENTS].sort());
  });

  it.each(SELECTABLE_EVENTS)('are there for each property of %s', name => {
    const own = Object.keys(EVENT_PROPERTIES[name].properties).filter(
      property => !(property in CommonProperties)
    );
    expect(Object.keys(words[name].properties).sort()).toEqual(own.sort());
    for (const said of [
      words[name].what,
      ...Object.values(words[name].properties)
    ]) {
      expect(said.length).toBeGreaterThan(2);
    }
  });

  it('tell the levels apart', () => {
    const said = levelsUpTo('full').map(level => levelWords(level, trans));
    expect(new Set(said).size).toBe(3);
    expect(levelsUpTo('code')).toEqual(['outcomes', 'code']);
    expect(levelsUpTo('outcomes')).toEqual(['outcomes']);
  });
});

describe('a notice', () => {
  it('names the events of the course, and no other', () => {
    for (const name of SELECTABLE_EVENTS) {
      const { what } = eventWords('outcomes', trans)[name];
      const only = textOf(
        noticeOf(course({ events: [name] }), 'outcomes', trans)
      );
      const without = textOf(
        noticeOf(
          course({ events: SELECTABLE_EVENTS.filter(one => one !== name) }),
          'outcomes',
          trans
        )
      );
      expect(only).toContain(what);
      expect(without).not.toContain(what);
    }
  });

  it('names receiver, retention, contact, version and the course’s own words', () => {
    const text = textOf(
      noticeOf(
        course({
          notice: {
            ...SETTINGS.notice,
            text: 'First.\n\nSecond <b>not bold</b>.'
          }
        }),
        'code',
        trans
      )
    );
    for (const part of [
      'Intro to Python',
      'Example University',
      '365 days',
      'help@example.org',
      'version 2',
      'First.',
      'Second <b>not bold</b>.'
    ]) {
      expect(text).toContain(part);
    }
  });

  it('says so where the course states nothing', () => {
    const text = textOf(
      noticeOf(
        course({
          title: '',
          course: '',
          notice: {
            version: 1,
            receiver: '',
            retention_days: null,
            contact: null,
            text: null
          }
        }),
        'outcomes',
        trans
      )
    );
    expect(text).toContain('not stated by the course');
    expect(text).toContain('no time limit');
    expect(text).toContain('your instructors');
    expect(text).not.toMatch(/null|undefined|%\d/);
  });

  it('promises that code stays only where it does', () => {
    const at = (level: 'outcomes' | 'code') =>
      textOf(noticeOf(course(), level, trans));
    expect(at('outcomes')).toContain('no code');
    expect(at('outcomes')).toContain('Your code, outputs');
    expect(at('code')).toContain('your code (500 characters)');
    expect(at('code')).not.toContain('Your code, outputs');
  });

  it('tells pseudonyms from names, and who can stop', () => {
    const say = (change: object, policy = {}) =>
      textOf(noticeOf(course(change, policy), 'outcomes', trans));
    expect(say({ identity: 'pseudonyms' })).toContain('pseudonym');
    expect(say({ identity: 'names' })).toContain('Your name is stored');
    expect(say({})).toContain('pause or stop');
    expect(say({}, { mandatory: true })).not.toContain('pause or stop');
    expect(say({ consent: 'opt-in' })).toContain('before you agree');
  });

  it('says so where the recording was stopped', () => {
    const say = (state: ConsentState) =>
      noticeOf(course(), 'code', trans, state).summary;
    expect(say('declined')).toContain('nothing is recorded');
    expect(say('sending')).not.toContain('nothing is recorded');
  });
});

describe('the answers', () => {
  it('say what they do', () => {
    const of = (state: ConsentState, mayStop = true, one = course()) =>
      Object.values(answersOf(one, state, mayStop, trans));
    expect(of('tell')).toEqual(['Decide later', 'Stop recording', 'OK']);
    expect(of('tell', false)).toEqual(['Decide later', null, 'OK']);
    expect(of('sending')).toEqual(['Close', 'Stop recording', 'OK']);
    expect(of('paused')).toEqual([
      'Close',
      'Stop recording',
      'Go on recording'
    ]);
    expect(of('declined')).toEqual(['Close', null, 'Record again']);
    expect(of('ask', true, course({ consent: 'opt-in' }))).toEqual([
      'Decide later',
      'No',
      'I agree'
    ]);
  });
});
