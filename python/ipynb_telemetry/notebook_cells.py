"""Writes the setup cell that an exercise notebook begins with."""

from __future__ import annotations

import os
import re

PACKAGE_NAME = "ipynb-telemetry"

_CELL = '''\
#@title Enter Your Name (REQUIRED)
try:
    try:
        from {module} import setup_telemetry
    except ImportError:
        import importlib, subprocess, sys
        # pip install "{comment}" -q
        subprocess.run([sys.executable, "-m", "pip", "install", {spec}, "-q"], check=True)
        importlib.invalidate_caches()
        from {module} import setup_telemetry
except Exception as _error:
    _reason = f"{{type(_error).__name__}}: {{_error}}"

    def setup_telemetry(notebook_id):
        """Without the package: the notebook works as usual, and nothing is sent."""
        import builtins

        for name, value in (
            ("STUDENT_NAME", "UNKNOWN"),
            ("_cell", lambda cell_id, code_preview="": None),
            ("tracked_test", lambda name: lambda test: test),
            ("_telemetry_capture", lambda event, props=None: None),
        ):
            if not hasattr(builtins, name):
                setattr(builtins, name, value)
        print(f"ipynb-telemetry is not available ({{_reason}}). Go on working: nothing is sent.")

_telemetry = setup_telemetry({notebook_id})
'''


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
    spec = os.environ.get("TELEMETRY_PACKAGE_SPEC", "").strip() or name
    if spec.startswith("-"):
        raise ValueError(f"TELEMETRY_PACKAGE_SPEC: expected a requirement, got {spec!r}")
    return _CELL.format(
        module=module,
        comment=" ".join(spec.split()),
        spec=_literal(spec),
        notebook_id=_literal(str(notebook_id)),
    )


def _literal(text: str) -> str:
    """A Python literal in double quotes on one line, whatever `text` contains."""
    import json

    escaped = json.dumps(text, ensure_ascii=False)
    # JSON leaves a few characters as they are that end a line or cannot be seen.
    return "".join(
        char if char.isprintable() else char.encode("unicode-escape", "backslashreplace").decode()
        for char in escaped
    )
