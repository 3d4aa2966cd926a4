"""A real Jupyter server process with the server extension, on a port of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from conftest import ROOT

TOKEN = "test-token"
BASE = "/lab/user/ada"


class Server:
    """Used as a context manager; `config` becomes jupyter_server_config.json."""

    def __init__(self, folder: Path, env: dict[str, str], config: dict | None = None) -> None:
        self.folder = folder
        # At debug level Jupyter itself writes the configuration files that it reads.
        self.debug = config is None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}{BASE}"
        own = ("TELEMETRY_", "JUPYTERHUB_")
        clean = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        self.env = {
            **clean,
            "PYTHONPATH": str(ROOT / "python"),
            "JUPYTER_CONFIG_DIR": str(folder / "config"),
            "JUPYTER_CONFIG_PATH": str(ROOT / "labextension"),
            "JUPYTER_DATA_DIR": str(folder / "data"),
            "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "0",
            "TELEMETRY_HOME": str(folder / "home"),
            **env,
        }
        (folder / "config").mkdir()
        written = folder / "config" / "jupyter_server_config.json"
        written.write_text(json.dumps(config or {}))
        self.log_file = folder / "server.log"

    def __enter__(self) -> Server:
        self._log = self.log_file.open("w")
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyter_server",
                "--no-browser",
                "--allow-root",
                *(["--debug"] if self.debug else []),
                f"--port={self.port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={TOKEN}",
                f"--ServerApp.base_url={BASE}/",
                f"--ServerApp.root_dir={self.folder}",
            ],
            env=self.env,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        deadline = time.monotonic() + 60
        while self.get("/api/status")[0] != 200:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def log(self) -> str:
        """Everything the server has written."""
        return self.log_file.read_text()

    def get(self, path: str, **headers: str) -> tuple[int, dict, dict[str, str]]:
        """Status, JSON and headers."""
        return self._ask(path, None, headers)

    def post(self, body: object, **headers: str) -> tuple[int, dict, dict[str, str]]:
        """The same for a POST of a batch."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self._ask("/ipynb-telemetry/batch", raw, headers)

    def ask(
        self, method: str, path: str, body: object = None, **headers: str
    ) -> tuple[int, dict, dict[str, str]]:
        """The same for any other request."""
        raw = None if body is None else json.dumps(body).encode()
        return self._ask(path, raw, headers, method)

    def kernel_env(self) -> dict[str, str]:
        """The environment of a kernel that this server starts, as Linux tells it."""
        status, model, _ = self.ask("POST", "/api/kernels", {"name": "python3"})
        assert status == 201, model
        try:
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if f"kernel-{model['id']}.json" in (process / "cmdline").read_text():
                        lines = (process / "environ").read_text().split("\0")
                        return dict(line.split("=", 1) for line in lines if line)
                except OSError:
                    pass  # it has ended, or is not ours
            raise AssertionError("no process for the kernel")
        finally:
            self.ask("DELETE", f"/api/kernels/{model['id']}")

    def _ask(
        self,
        path: str,
        body: bytes | None,
        headers: dict[str, str],
        method: str | None = None,
    ) -> tuple[int, dict, dict[str, str]]:
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if "Authorization" not in headers:
            named["Authorization"] = f"token {TOKEN}"
        request = urllib.request.Request(self.url + path, body, named, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, _json(answer.read()), dict(answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read()), dict(error.headers)
        except OSError:
            return 0, {}, {}


def _json(raw: bytes) -> dict:
    try:
        return json.loads(raw)
    except ValueError:
        return {}
