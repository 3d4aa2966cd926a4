"""``python -m ipynb_telemetry``: what this install contains and would do, without secrets."""

from __future__ import annotations

import site
import sys
from importlib.util import find_spec
from pathlib import Path

from . import __version__
from .config import Config, resolve, shown
from .state import home, load

_GET_EXTENSION = (
    "    Without it the kernel package reports runs and tests by itself. To get the extension:\n"
    "    pip install ipynb-telemetry, or in a checkout, with Node 20.20 or later:\n"
    "    npm ci && npm run build && pip install ."
)


def describe() -> str:
    """The report as text."""
    extension = find_extension()
    server = find_spec("jupyter_server") is not None
    settings = resolve()
    lines = [f"ipynb-telemetry {__version__}", "", "This install contains:"]
    lines.append("  kernel package: yes")
    needs = "yes" if server else "yes, but jupyter_server is not installed here"
    lines.append(f"  Jupyter server extension: {needs}")
    lines.append(f"  JupyterLab and Notebook extension: {extension or 'no'}")
    if extension is None:
        lines.append(_GET_EXTENSION)
    lines += ["", "Configuration from the environment:"]
    lines.append(f"  address: {shown(settings.host)}")
    lines.append(f"  key: {'set' if settings.api_key else 'not set (TELEMETRY_API_KEY)'}")
    lines.append(f"  name: {_name(settings)}")
    lines.append(f"  level: {settings.level or 'set by the course, else outcomes'}")
    lines.append(f"  consent: {_ANSWERS[settings.answer]}")
    lines.append(f"  name and decisions are kept in: {home()}")
    for line in (settings.remark, settings.trouble):
        if line is not None:
            lines.append(f"  note: {line}")
    return "\n".join(lines)


_ANSWERS = {True: "yes", False: "no, so nothing is sent", None: "the student is told or asked"}


def _name(settings: Config) -> str:
    known = settings.hub_user or settings.student_name or load().student
    return known or "asked for by the setup cell"


def find_extension() -> str | None:
    """The folder of the prebuilt extension, where Jupyter of this Python would find it."""
    try:
        from jupyter_core.paths import jupyter_path

        folders = jupyter_path("labextensions")
    except ImportError:
        roots = [sys.prefix, *([site.USER_BASE] if site.USER_BASE else [])]
        folders = [str(Path(root, "share", "jupyter", "labextensions")) for root in roots]
    found = (Path(folder, "ipynb-telemetry") for folder in folders)
    return next((str(folder) for folder in found if (folder / "package.json").is_file()), None)


if __name__ == "__main__":
    print(describe())
