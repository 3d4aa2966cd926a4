/** Inserts, updates, removes and checks a notebook's setup cell: text in, text out, and every other byte as it was. */
import { refuseLanguage } from './language.js';
import { bagOf, readNotebook, type Notebook } from './notebook.js';
import { isMisplaced, setupPosition } from './placement.js';
import { findSetupCells, type SetupCell } from './recognise.js';
import { refuse, type Refusal } from './refusal.js';
import {
  isSameSource,
  METADATA_KEY,
  setupCellSource,
  type PackageOptions
} from './setupCell.js';
import { withCell, without, withUpdate } from './splice.js';

/** What the setup cell is to be. */
export interface SetupOptions extends PackageOptions {
  /**
   * Notebook id. By default the one of the setup cell that is there, else the one in the
   * notebook's metadata (`ipynb_telemetry.notebook`), else `fallbackId`.
   */
  id?: string | undefined;
  /** The id where nothing else gives one, such as the one of the file's name. */
  fallbackId?: string | undefined;
  /** Language of notebooks that declare none; without it the code is looked at. */
  language?: string | undefined;
}

/**
 * How a notebook stands: `ok` has its setup cell; `missing` has none; `outdated` has one with
 * another text or id, or one that is not marked; `misplaced` has code before it; `doubled` has
 * several.
 */
export type SetupState =
  'ok' | 'missing' | 'outdated' | 'misplaced' | 'doubled';

/** How a notebook stands. */
export interface Checked {
  ok: true;
  state: SetupState;
  /** The notebook id that it has, or would get. */
  id: string | null;
  /** The setup cell's position, from 1. */
  cell: number | null;
  /** What is to be done, as a sentence; null for `ok`. */
  reason: string | null;
}

/** What became of a notebook. */
export interface Edited extends Checked {
  /** The notebook now; the text that was given where nothing is to be changed. */
  text: string;
  changed: boolean;
}

/** Adds the setup cell; a notebook that has one stays as it is. @throws SetupCellError for options that give no cell. */
export function insertSetupCell(
  text: string,
  options: SetupOptions = {}
): Edited | Refusal {
  const opened = open(text, options);
  if (!opened.ok) {
    return opened;
  }
  const { notebook, setups, id } = opened;
  if (setups.length > 0) {
    return unchanged(opened, options);
  }
  const refused = refuseLanguage(notebook, options.language);
  if (refused) {
    return refused;
  }
  if (id === null) {
    return NO_ID;
  }
  const source = setupCellSource(id, options);
  const index = setupPosition(notebook.cells);
  return changed(withCell(notebook, index, id, source), {
    ...options,
    id
  });
}

/** Makes the setup cell that is there the present one, in its place. @throws SetupCellError as above. */
export function updateSetupCell(
  text: string,
  options: SetupOptions = {}
): Edited | Refusal {
  const opened = open(text, options);
  if (!opened.ok) {
    return opened;
  }
  const { notebook, setups, id } = opened;
  if (setups.length === 0 || stateOf(opened, options).state === 'ok') {
    return unchanged(opened, options);
  }
  const refused = refuseOther(notebook, options) ?? refuseOwn(setups);
  if (refused) {
    return refused;
  }
  if (id === null) {
    return NO_ID;
  }
  let next = text;
  let single = opened;
  // From the end, so that the ones before keep their places.
  for (const { index } of setups.slice(1).reverse()) {
    next = without(single.notebook, index);
    const again = open(next, options);
    if (!again.ok) {
      return again;
    }
    single = again;
  }
  next = withUpdate(
    single.notebook,
    single.setups[0]!,
    id,
    setupCellSource(id, options)
  );
  return next === text
    ? unchanged(opened, options)
    : changed(next, { ...options, id });
}

/** Takes the setup cell away; what `insertSetupCell` was given comes back byte for byte. */
export function removeSetupCell(text: string): Edited | Refusal {
  let rest = text;
  for (;;) {
    const opened = open(rest, {});
    if (!opened.ok) {
      return opened;
    }
    const [first] = opened.setups;
    if (first === undefined) {
      const nothing = { ok: true, state: 'missing', id: opened.id } as const;
      return {
        ...nothing,
        cell: null,
        reason: null,
        text: rest,
        changed: rest !== text
      };
    }
    const refused = refuseOwn(opened.setups);
    if (refused) {
      return refused;
    }
    rest = without(opened.notebook, first.index);
  }
}

/** Tells how a notebook stands. @throws SetupCellError as above. */
export function checkSetupCell(
  text: string,
  options: SetupOptions = {}
): Checked | Refusal {
  const opened = open(text, options);
  if (!opened.ok) {
    return opened;
  }
  const refused =
    opened.setups.length > 0
      ? refuseOther(opened.notebook, options)
      : refuseLanguage(opened.notebook, options.language);
  return refused ?? stateOf(opened, options);
}

interface Opened {
  ok: true;
  notebook: Notebook;
  setups: readonly SetupCell[];
  id: string | null;
}

const NO_ID = refuse(
  'no-id',
  'it has no notebook id, and none can be derived; give one with --id'
);

function open(text: string, options: SetupOptions): Opened | Refusal {
  const reading = readNotebook(text);
  if (!reading.ok) {
    return reading;
  }
  const { notebook } = reading;
  const setups = findSetupCells(notebook.cells);
  const named = bagOf(notebook.metadata[METADATA_KEY])['notebook'];
  const id =
    options.id ??
    setups.find(setup => setup.id !== undefined)?.id ??
    (typeof named === 'string' && named !== '' ? named : options.fallbackId);
  return { ok: true, notebook, setups, id: id ?? null };
}

function stateOf(
  { notebook, setups, id }: Opened,
  options: SetupOptions
): Checked {
  const [setup] = setups;
  const answer = (state: SetupState, reason: string | null): Checked => ({
    ok: true,
    state,
    id,
    cell: setup === undefined ? null : setup.index + 1,
    reason
  });
  if (setup === undefined) {
    return answer('missing', 'it has no setup cell; insert adds one');
  }
  if (setups.length > 1) {
    const cells = setups.map(({ index }) => index + 1).join(' and ');
    return answer(
      'doubled',
      `cells ${cells} are setup cells; update leaves the first one`
    );
  }
  const difference = differenceOf(setup, id, options);
  if (difference !== null) {
    return answer('outdated', difference);
  }
  if (isMisplaced(notebook.cells, setup.index)) {
    return answer(
      'misplaced',
      'code stands before its setup cell; move the cell up, or remove and insert it'
    );
  }
  return answer('ok', null);
}

/** In what the setup cell is not as it should be; null if in nothing. */
function differenceOf(
  { cell, kind, tagged, id: has }: SetupCell,
  id: string | null,
  options: SetupOptions
): string | null {
  if (id === null || has !== id) {
    return `its setup cell has ${has === undefined ? 'no id' : `the id ${JSON.stringify(has)}`}; update changes it${
      id === null ? '' : ` to ${JSON.stringify(id)}`
    }`;
  }
  if (kind === 'own') {
    // It works, and whoever wrote it looks after it.
    return null;
  }
  if (!isSameSource(cell.source, setupCellSource(id, options))) {
    return 'its setup cell has another text; update replaces it';
  }
  return tagged
    ? null
    : 'its setup cell is not marked as one in its metadata; update marks it';
}

/** The setup cell itself is Python: only a declaration speaks against it. */
function refuseOther(
  notebook: Notebook,
  { language = 'python' }: SetupOptions
): Refusal | null {
  return refuseLanguage(notebook, language);
}

function refuseOwn(setups: readonly SetupCell[]): Refusal | null {
  const own = setups.find(({ kind }) => kind === 'own');
  return own === undefined
    ? null
    : refuse(
        'own-code',
        `cell ${own.index + 1} calls setup_telemetry among other code; change it by hand`
      );
}

function unchanged(opened: Opened, options: SetupOptions): Edited {
  return {
    ...stateOf(opened, options),
    text: opened.notebook.text,
    changed: false
  };
}

function changed(text: string, options: SetupOptions): Edited | Refusal {
  const opened = open(text, options);
  return opened.ok
    ? { ...stateOf(opened, options), text, changed: true }
    : opened;
}
