/** The setup cell that an exercise notebook begins with: the same text as Python's `get_telemetry_setup_cell`. */
import { pythonLiteral, strip } from './pythonText.js';

/** Name of the distribution that the cell imports and installs unless told otherwise. */
export const PACKAGE_NAME = 'ipynb-telemetry';

/** First line of the cell. */
export const TITLE = '#@title Enter Your Name (REQUIRED)';

/** Key of our things in the metadata of notebooks and cells. */
export const METADATA_KEY = 'ipynb_telemetry';

/** Which package the cell installs. */
export interface PackageOptions {
  /** What pip installs, such as `ipynb-telemetry==1.2` or a git address; the package's name by default. */
  packageSpec?: string | undefined;
  /** Another distribution, for a fork; its module is the name with `-` and `.` as `_`. `ipynb-telemetry` by default. */
  packageName?: string | undefined;
}

/** What Python cannot import, as its grammar has these words (`keyword.kwlist`). */
const KEYWORDS: ReadonlySet<string> = new Set(
  (
    'False None True and as assert async await break class continue def del elif else except ' +
    'finally for from global if import in is lambda nonlocal not or pass raise return try while ' +
    'with yield'
  ).split(' ')
);

/** Options that no setup cell can be made from; the message says what was expected. */
export class SetupCellError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'SetupCellError';
  }
}

/**
 * Source of the cell that asks for the student's name and begins a session.
 *
 * @param notebookId may contain anything.
 * @throws {@link SetupCellError} for a package that cannot be one.
 */
export function setupCellSource(
  notebookId: string,
  options: PackageOptions = {}
): string {
  const name = strip(options.packageName ?? '') || PACKAGE_NAME;
  const module = name.replace(/[-.]/g, '_');
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(module)) {
    throw new SetupCellError(
      `packageName: expected a package's name, got ${JSON.stringify(name)}.`
    );
  }
  if (KEYWORDS.has(module)) {
    throw new SetupCellError(
      `packageName: expected a package's name, and ${JSON.stringify(name)} is a keyword of Python.`
    );
  }
  const spec = strip(options.packageSpec ?? '') || name;
  if (spec.startsWith('-')) {
    throw new SetupCellError(
      `packageSpec: expected a requirement, got ${JSON.stringify(spec)}.`
    );
  }
  return `\
${TITLE}
try:
    try:
        from ${module} import setup_telemetry
    except ImportError:
        import importlib, subprocess, sys
        # pip install ${pythonLiteral(spec)} -q
        subprocess.run([sys.executable, "-m", "pip", "install", ${pythonLiteral(spec)}, "-q"], check=True, timeout=120)
        importlib.invalidate_caches()
        from ${module} import setup_telemetry
except (Exception, KeyboardInterrupt) as _error:
    _reason = f"{type(_error).__name__}: {_error}"

    def setup_telemetry(notebook_id):
        """Without the package: the notebook works as usual, and nothing is sent."""
        import builtins

        names = {
            "STUDENT_NAME": "UNKNOWN",
            "_cell": lambda cell_id, code_preview="": None,
            "tracked_test": lambda name: name if not isinstance(name, str) else lambda test: test,
            "_telemetry_capture": lambda event, props=None: None,
        }
        for name, value in names.items():
            if not hasattr(builtins, name):
                setattr(builtins, name, value)
        print(f"ipynb-telemetry is not available ({_reason}). Go on working: nothing is sent.")
        return {
            "student_name": builtins.STUDENT_NAME,
            "session_id": None,
            "_cell": builtins._cell,
            "tracked_test": builtins.tracked_test,
            "_capture": builtins._telemetry_capture,
            "version": None,
        }

_telemetry = setup_telemetry(${pythonLiteral(notebookId)})
`;
}

/** The cell as nbformat 4 has it, for programs that build a whole notebook. */
export interface SetupCellNode {
  cell_type: 'code';
  execution_count: null;
  id: string;
  metadata: { ipynb_telemetry: SetupTag };
  outputs: [];
  source: string;
}

/** How a setup cell is recognised. */
export interface SetupTag {
  notebook: string;
  setup: true;
}

/** Id of the cell where the format has ids (nbformat 4.5 and later). */
export const SETUP_CELL_ID = 'ipynb-telemetry-setup';

/** The whole cell for nbformat 4.5 or later. @throws {@link SetupCellError} like {@link setupCellSource}. */
export function setupCellNode(
  notebookId: string,
  options: PackageOptions = {}
): SetupCellNode {
  return {
    cell_type: 'code',
    execution_count: null,
    id: SETUP_CELL_ID,
    metadata: { [METADATA_KEY]: { notebook: notebookId, setup: true } },
    outputs: [],
    source: setupCellSource(notebookId, options)
  };
}

/** Whether two sources are one cell: tools take a final line end away, and some write those of Windows. */
export function isSameSource(one: string, other: string): boolean {
  const plain = (source: string): string =>
    source.replaceAll('\r\n', '\n').trimEnd();
  return plain(one) === plain(other);
}
