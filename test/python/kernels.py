"""A real IPython kernel for tests, driven as a page drives it."""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty

from conftest import ROOT
from jupyter_client.manager import KernelManager
from standin import KEY, StandIn

# Names that would carry this machine's configuration into a test.
OWN = ("TELEMETRY_", "JUPYTERHUB_")


def clean_environment() -> dict[str, str]:
    """The environment without configuration of ours, but with the test's own home."""
    return {k: v for k, v in os.environ.items() if not k.startswith(OWN) or k == "TELEMETRY_HOME"}


class Ran:
    """What came of one request: the reply's content and everything published for it."""

    def __init__(self, msg_id: str) -> None:
        self.msg_id = msg_id
        self.reply: dict = {}
        self.messages: list[dict] = []

    def text(self, stream: str = "stdout") -> str:
        """What was written to stdout or stderr."""
        return "".join(
            m["content"]["text"]
            for m in self.messages
            if m["msg_type"] == "stream" and m["content"]["name"] == stream
        )

    def of(self, msg_type: str) -> list[dict]:
        """Messages of one type."""
        return [m for m in self.messages if m["msg_type"] == msg_type]


class Kernel:
    """Used as a context manager; `env` is added to a clean environment."""

    def __init__(self, env: dict[str, str] | None = None) -> None:
        clean = clean_environment()
        paths = os.pathsep.join([str(ROOT / "python"), clean.get("PYTHONPATH", "")])
        self.env = {**clean, "PYTHONPATH": paths.rstrip(os.pathsep), **(env or {})}

    def __enter__(self) -> Kernel:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel(env=self.env)
        self.client = self.manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        self.stray: list[dict] = []
        return self

    def __exit__(self, *_: object) -> None:
        self.client.stop_channels()
        if self.manager.has_kernel:
            self.manager.shutdown_kernel()
        else:  # the test has shut it down, perhaps for a restart
            self.manager.cleanup_resources()

    def start(
        self,
        code: str,
        *,
        cell_id: str | None = None,
        metadata: dict | None = None,
        **options: object,
    ) -> str:
        """Send an execute_request; its msg_id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": False,
            **options,
        }
        metadata = {**(metadata or {}), **({"cellId": cell_id} if cell_id else {})}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        return message["header"]["msg_id"]

    def finish(self, msg_id: str, answers: list[str] | None = None, seconds: float = 30) -> Ran:
        """Everything published for a request until its reply and idle; answers go to prompts."""
        ran = Ran(msg_id)
        answers = list(answers or [])
        deadline = time.monotonic() + seconds
        idle = False
        while not (idle and ran.reply):
            assert time.monotonic() < deadline, f"no end of run within {seconds} s"
            for message in self._iopub(0.05):
                if message["parent_header"].get("msg_id") != msg_id:
                    self.stray.append(message)
                    continue
                ran.messages.append(message)
                if message["msg_type"] == "status":
                    idle = message["content"]["execution_state"] == "idle"
            try:
                reply = self.client.get_shell_msg(timeout=0)
                if reply["parent_header"].get("msg_id") == msg_id:
                    ran.reply = reply["content"]
            except Empty:
                pass
            if answers:
                try:
                    self.client.get_stdin_msg(timeout=0)
                    self.client.input(answers.pop(0))
                except Empty:
                    pass
        return ran

    def run(self, code: str, *, answers: list[str] | None = None, **options: object) -> Ran:
        """Run a cell to its end."""
        if answers is not None:
            options["allow_stdin"] = True
        return self.finish(self.start(code, **options), answers)

    def _iopub(self, timeout: float) -> list[dict]:
        try:
            return [self.client.get_iopub_msg(timeout=timeout)]
        except Empty:
            return []

    def comm_open(self, target: str = "ipynb_telemetry") -> str:
        """Open a comm as a page does; its id."""
        comm_id = uuid.uuid4().hex
        data = {"client": "lab", "v": "0.1.0"}
        self._shell("comm_open", {"comm_id": comm_id, "target_name": target, "data": data})
        return comm_id

    def comm_send(self, comm_id: str, data: dict) -> None:
        """A message on that comm."""
        self._shell("comm_msg", {"comm_id": comm_id, "data": data})

    def comm_close(self, comm_id: str) -> None:
        """The page lets go."""
        self._shell("comm_close", {"comm_id": comm_id, "data": {}})

    def _shell(self, msg_type: str, content: dict) -> None:
        self.client.shell_channel.send(self.client.session.msg(msg_type, content))

    def wait_for_comm(self, kind: str, seconds: float = 10) -> dict:
        """The next comm message of a kind that no run was finished with."""
        deadline = time.monotonic() + seconds
        while True:
            for message in self.stray:
                if message["msg_type"].startswith("comm_"):
                    data = message["content"].get("data", {})
                    if kind in (data.get("kind"), message["msg_type"]):
                        self.stray.remove(message)
                        return message
            assert time.monotonic() < deadline, f"no {kind} within {seconds} s"
            self.stray += self._iopub(0.05)


SETUP = "from ipynb_telemetry import setup_telemetry\n_telemetry = setup_telemetry('intro')"


class Lesson:
    """One kernel and one relay for many tests: each begins a session of its own."""

    def __init__(self, kernel: Kernel, relay: StandIn) -> None:
        self.kernel, self.relay = kernel, relay
        self.sess = ""

    def begin(self) -> Ran:
        """Run the setup cell."""
        ran = self.kernel.run(SETUP)
        (shown,) = ran.of("display_data")
        self.sess = shown["content"]["data"]["application/vnd.ipynb-telemetry.v1+json"]["sess"]
        return ran

    def run(self, code: str, **options: object) -> Ran:
        """Run a cell to its end."""
        return self.kernel.run(code, **options)

    def events(self, event: str | None = None) -> list[dict]:
        """All that this session has made so far, of one name or all, as they were numbered."""
        ran = self.kernel.run(
            "import ipynb_telemetry\nassert ipynb_telemetry.flush(10), ipynb_telemetry.status()",
            silent=True,
            store_history=False,
        )
        assert ran.reply["status"] == "ok", ran.reply
        mine = [e for e in self.relay.of(event) if e["properties"]["sess"] == self.sess]
        return sorted(mine, key=lambda e: e["properties"]["seq"])

    def cells(self) -> list[dict]:
        """Properties of this session's runs."""
        return [e["properties"] for e in self.events("cell")]

    def tests(self) -> list[dict]:
        """Properties of this session's test results."""
        return [e["properties"] for e in self.events("test")]


@contextmanager
def lesson(home: Path, **env: str) -> Iterator[Lesson]:
    """A kernel that reports to a relay of its own, for a module's tests."""
    with StandIn() as relay:
        about = {
            "TELEMETRY_HOST": relay.url,
            "TELEMETRY_API_KEY": KEY,
            "TELEMETRY_STUDENT_NAME": "John Doe",
            "TELEMETRY_HOME": str(home),
        }
        with Kernel({**about, **env}) as kernel:
            yield Lesson(kernel, relay)
