"""Writes the setup cell that an exercise notebook begins with."""

from __future__ import annotations

import keyword
import os
import re

PACKAGE_NAME = "ipynb-telemetry"

# Id of the cell where the notebook format has ids (4.5 and later).
SETUP_CELL_ID = "ipynb-telemetry-setup"

_CELL = '''\
#@title Enter Your Name (REQUIRED)
try:
    try:
        from {module} import setup_telemetry
    except ImportError:
        import importlib, subprocess, sys
        # pip install {spec} -q
        subprocess.run([sys.executable, "-m", "pip", "install", {spec}, "-q"], \
check=True, timeout=120)
        importlib.invalidate_caches()
        from {module} import setup_telemetry
except (Exception, KeyboardInterrupt) as _error:
    _reason = f"{{type(_error).__name__}}: {{_error}}"

    def setup_telemetry(notebook_id):
        """Without the package: the notebook works as usual, and nothing is sent."""
        import builtins

        names = {{
            "STUDENT_NAME": "UNKNOWN",
            "_cell": lambda cell_id, code_preview="": None,
            "tracked_test": lambda name: name if not isinstance(name, str) else lambda test: test,
            "_telemetry_capture": lambda event, props=None: None,
        }}
        for name, value in names.items():
            if not hasattr(builtins, name):
                setattr(builtins, name, value)
        print(f"ipynb-telemetry is not available ({{_reason}}). Go on working: nothing is sent.")
        return {{
            "student_name": builtins.STUDENT_NAME,
            "session_id": None,
            "_cell": builtins._cell,
            "tracked_test": builtins.tracked_test,
            "_capture": builtins._telemetry_capture,
            "version": None,
        }}

_telemetry = setup_telemetry({notebook_id})
'''

# What is written as an escape: it ends a line, has no form of its own, or changes how the text
# around it is shown. A list, and not str.isprintable(), because each Python knows another version
# of Unicode, and the same id must give the same cell everywhere (src/notebooks/pythonText.ts).
_UNSEEN = re.compile(
    "[\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufeff\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U0010ffff]"
)


def get_telemetry_setup_cell(notebook_id: str) -> str:
    """Source of a cell that asks for the student's name and begins a session.

    Where the package is missing the cell installs it with pip; where that fails it prints
    one line, and ``_cell``, ``@tracked_test`` and ``_telemetry_capture`` do nothing.

    What it installs is the requirement in the environment variable
    TELEMETRY_PACKAGE_SPEC, by default ``ipynb-telemetry`` from PyPI.
    TELEMETRY_PACKAGE_NAME names another distribution, for a fork: it is then the default
    of the requirement, and the module's name with ``-`` and ``.`` as ``_``.

    `notebook_id` may contain anything. ValueError if a variable is not usable.
    """
    name = os.environ.get("TELEMETRY_PACKAGE_NAME", "").strip() or PACKAGE_NAME
    module = re.sub(r"[-.]", "_", name)
    if not (module.isidentifier() and module.isascii()):
        raise ValueError(f"TELEMETRY_PACKAGE_NAME: expected a package's name, got {name!r}")
    if keyword.iskeyword(module):
        raise ValueError(
            "TELEMETRY_PACKAGE_NAME: expected a package's name, "
            f"and {name!r} is a keyword of Python"
        )
    spec = os.environ.get("TELEMETRY_PACKAGE_SPEC", "").strip() or name
    if spec.startswith("-"):
        raise ValueError(f"TELEMETRY_PACKAGE_SPEC: expected a requirement, got {spec!r}")
    return _CELL.format(module=module, spec=_literal(spec), notebook_id=_literal(str(notebook_id)))


def get_telemetry_setup_cell_node(notebook_id: str) -> dict[str, object]:
    """The whole cell for nbformat 4.5 or later, for programs that build a notebook.

    Its metadata says that it is a setup cell, so that ``ipynb-telemetry notebooks`` and the
    extension recognise it. ``nbformat.from_dict`` makes it a node of nbformat's.
    """
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": SETUP_CELL_ID,
        "metadata": {"ipynb_telemetry": {"notebook": str(notebook_id), "setup": True}},
        "outputs": [],
        "source": get_telemetry_setup_cell(notebook_id),
    }


def _literal(text: str) -> str:
    """A Python literal in double quotes on one line, whatever `text` contains."""
    import json

    return _UNSEEN.sub(
        lambda found: found[0].encode("unicode-escape", "backslashreplace").decode(),
        json.dumps(text, ensure_ascii=False),
    )
