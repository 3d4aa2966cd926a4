/** What a notebook says of itself: whether it is to be recorded, its id, and whether a setup cell will call. */

/** A notebook as far as its marks go. */
export interface NotebookFacts {
  metadata: unknown;
  cells: Iterable<{ source: string; metadata: unknown }>;
}

/** What the marks say. */
export interface Marking {
  /** The notebook asks to be recorded. */
  marked: boolean;
  /** Notebook id, 200 characters at most; null where the file's name has to do. */
  id: string | null;
  /** There is a cell that begins a session of the kernel package. */
  hasSetup: boolean;
}

/** How a setup cell is known by its source. */
export const SETUP_CALL = 'setup_telemetry(';

const LITERAL_ID =
  /setup_telemetry\(\s*(?:notebook_id\s*=\s*)?(["'])((?:(?!\1)[^\\\n]|\\.)+)\1/;
const LONGEST_ID = 200;

/** Reads the marks of a notebook. */
export function readMarking({ metadata, cells }: NotebookFacts): Marking {
  const ours = bag(bag(metadata)['ipynb_telemetry']);
  let setupId: string | null = null;
  let hasSetup = false;
  for (const cell of cells) {
    const setup = bag(bag(cell.metadata)['ipynb_telemetry'])['setup'];
    if (setup || cell.source.includes(SETUP_CALL)) {
      hasSetup = true;
      setupId =
        text(setup) ?? text(bag(setup)['notebook']) ?? literalId(cell.source);
      break;
    }
  }
  const id = text(ours['notebook']) ?? setupId;
  return {
    marked: Object.keys(ours).length > 0 || hasSetup,
    id: id?.slice(0, LONGEST_ID) ?? null,
    hasSetup
  };
}

function literalId(source: string): string | null {
  const found = LITERAL_ID.exec(source)?.[2];
  return (
    found?.replace(
      /\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))/g,
      (_all, u?: string, x?: string, plain?: string) =>
        plain ?? String.fromCharCode(parseInt(u ?? x ?? '', 16))
    ) ?? null
  );
}

/** The notebook's id where it names none: its file's name, without folder and ending. */
export function stem(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return name.replace(/\.ipynb$/i, '').slice(0, LONGEST_ID) || 'notebook';
}

function bag(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null
    ? (value as Record<string, unknown>)
    : {};
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
