/**
 * A made-up class in the middle of a lesson, as the events its notebooks would send:
 * some are through, some are at it, some are stuck, some have left. Same seed, same class.
 */

const MINUTE = 60_000;

/** Made up; any likeness is an accident. */
const STUDENTS = [
  'ADA-KOWALSKA',
  'AMARA-OKAFOR',
  'ANNA-LEE-SMITH',
  'BJORN-HALVORSEN',
  'CARLOS-IBANEZ',
  'CHIARA-ROMANO',
  'DMITRI-VOLKOV',
  'ELIF-AYDIN',
  'FATIMA-ZAHRA',
  'GRETA-LINDQVIST',
  'HANA-NOVAKOVA',
  'IBRAHIM-DIALLO',
  'JOSE-MARTINEZ',
  'JUN-TANAKA',
  'KWAME-MENSAH',
  'LEILA-HADDAD',
  'MATEO-SILVA',
  'MEI-CHEN',
  "NIAMH-O'NEILL",
  'OMAR-FAROUK',
  'PRIYA-SHARMA',
  'RUTH-GOLDBERG',
  'SAMUEL-VAN DIJK',
  'TOMASZ-WOJCIK',
  'YUKI-NAKAMURA'
];

/** Exercises in the lesson's order; `hard` is what it takes off the chance to pass. */
const EXERCISES = [
  { nb: '03-functions', ex: 'greet', hard: 0.05 },
  { nb: '03-functions', ex: 'rectangle_area', hard: 0.15 },
  { nb: '03-functions', ex: 'is_leap_year', hard: 0.45 },
  { nb: '03-functions', ex: 'count_words', hard: 0.35 },
  { nb: '04-lists', ex: 'mean', hard: 0.3 },
  { nb: '04-lists', ex: 'flatten', hard: 0.6 }
];

const ERRORS = [
  'AssertionError',
  'AssertionError',
  'AssertionError',
  'TypeError',
  'NameError',
  'IndexError',
  'SyntaxError'
];

/**
 * The lesson's events up to `now`, in order of time.
 *
 * @param {{now?: number, seed?: number, minutes?: number}} [options]
 *   `now` in ms since 1970; the lesson began `minutes` before it.
 * @returns {object[]} events as `POST /batch/` takes them
 */
export function sampleClass({ now = Date.now(), seed = 7, minutes = 48 } = {}) {
  const random = mulberry32(seed);
  const events = STUDENTS.flatMap((student, i) =>
    lesson({
      student,
      random,
      from: now - (minutes - 6 * random()) * MINUTE,
      // A few pack up early; one has only opened the notebook.
      until: i % 9 === 4 ? now - (18 + 9 * random()) * MINUTE : now,
      opensOnly: student === 'RUTH-GOLDBERG',
      able: 0.05 + 0.8 * random()
    })
  );
  return events.sort((a, b) => (a.timestamp < b.timestamp ? -1 : 1));
}

function lesson({ student, random, from, until, opensOnly, able }) {
  const events = [];
  let session = null;
  let at = from;
  const add = (event, properties) =>
    events.push({
      event,
      distinct_id: student,
      uuid: uuid(random),
      timestamp: new Date(at).toISOString(),
      properties: {
        ...properties,
        nb: session.nb,
        sess: session.sess,
        student,
        v: '0.1.0',
        src: 'kernel',
        seq: (session.seq += 1)
      }
    });
  const open = nb => {
    session = { nb, sess: token(random), seq: 0, runs: 0 };
    add('start', {
      client: 'kernel',
      kernel: 'ipykernel 7.4.0',
      language: 'python 3.11.7'
    });
    run('setup', null);
  };
  const run = (cellId, err) =>
    add('cell', {
      cell_id: cellId,
      cell_num: (session.runs += 1),
      code: null,
      status: err === null ? 'ok' : 'error',
      ms: Math.round(5 + 300 * random()),
      err,
      count: session.runs,
      lines: 1 + Math.floor(9 * random())
    });
  const wait = seconds => {
    at += seconds * 1000 * (0.4 + 1.8 * random());
    return at < until;
  };

  open(EXERCISES[0].nb);
  if (opensOnly) {
    return events;
  }
  for (const { nb, ex, hard } of EXERCISES) {
    if (nb !== session.nb) {
      open(nb);
    }
    const chance = Math.max(0.07, Math.min(0.97, able + 0.35 - hard));
    // Reading and first thoughts, then tries with runs of one's own between them.
    if (!wait(100 + 240 * hard)) {
      return events;
    }
    for (let attempt = 1; ; attempt += 1) {
      const slip =
        random() < 0.25 ? ERRORS[3 + Math.floor(4 * random())] : null;
      run(ex, slip);
      if (!wait(45)) {
        return events;
      }
      const ok = random() < chance;
      const err = ok ? null : ERRORS[Math.floor(ERRORS.length * random())];
      add('test', {
        ex,
        ok,
        try: attempt,
        ms: Math.round(2 + 40 * random()),
        err,
        cell_id: ex
      });
      run(`${ex}-test`, err);
      if (!wait(ok ? 30 : 75)) {
        return events;
      }
      if (ok || (attempt > 3 && random() < 0.12)) {
        break;
      }
    }
  }
  return events;
}

/** Small seeded generator of numbers from 0 up to 1. */
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function token(random) {
  const letters = '23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
  return Array.from(
    { length: 8 },
    () => letters[Math.floor(random() * letters.length)]
  ).join('');
}

function uuid(random) {
  const hex = n =>
    Array.from({ length: n }, () =>
      Math.floor(random() * 16).toString(16)
    ).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}
