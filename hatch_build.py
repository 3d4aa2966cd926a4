"""Build hook: adds what Jupyter looks for in its own folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

EXTENSION = "share/jupyter/labextensions/ipynb-telemetry"
SERVER = "etc/jupyter/jupyter_server_config.d/ipynb_telemetry.json"


class JupyterFiles(BuildHookInterface):
    """Adds shared data to the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Without a built extension, the wheel carries the Python package alone and says so."""
        root = Path(self.root, "labextension")
        shared = build_data["shared_data"]
        shared[str(root / "jupyter_server_config.d" / "ipynb_telemetry.json")] = SERVER
        built = root / "static"
        if (built / "package.json").is_file():
            shared[str(built)] = EXTENSION
            shared[str(root / "install.json")] = f"{EXTENSION}/install.json"
        elif version != "editable":
            self.app.display_warning(
                "ipynb-telemetry: labextension/static is not built, so this wheel carries the "
                "kernel package and the Jupyter server extension, not the extension for "
                "JupyterLab and Notebook. `npm ci && npm run build` makes it; "
                "`python -m ipynb_telemetry` tells what an install contains."
            )
