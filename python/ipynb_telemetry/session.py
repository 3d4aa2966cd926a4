"""One session, from one call of setup_telemetry to the next: turns what happens into events."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterable, Mapping

from . import events, ids
from ._version import __version__
from .handover import MIME, Handover
from .levels import MAX_CODE_CHARS
from .outbox import Source
from .runs import Ending, Run, Runs
from .transport import Sender

# A page that saw the hello reports by itself, and attaches when the kernel gets round to it.
GREETING_SECONDS = 2.0


class Session:
    """What happens between two calls of setup_telemetry.

    `sender` is None where nothing may be sent; results still go to a page that attaches.
    `shell` is IPython's, None in plain Python.
    """

    def __init__(
        self,
        nb: str,
        student: str,
        *,
        sender: Sender | None,
        shell: object | None,
        level: str | None = None,
    ) -> None:
        self.context = events.Context(
            events.label(nb), ids.session_id(), events.label(student), __version__
        )
        self.sender = sender
        self._shell = shell
        self._source = Source(self.context, level)
        self._attempts: dict[str, int] = {}
        self._begun = 0  # cells, where only `_cell` tells
        self._lock = threading.Lock()
        self._nonce = os.urandom(8).hex()
        self._pages: Handover | None = None
        self._runs: Runs | None = None
        self._greeted = float("-inf")

    def open(self) -> bool:
        """Observe runs, await pages, send `start`; whether a page was greeted in the output."""
        kernel = getattr(self._shell, "kernel", None)
        if hasattr(self._shell, "events"):
            self._runs = Runs(self._shell, self._run_ended)
        if getattr(kernel, "comm_manager", None) is not None:
            self._pages = Handover(
                kernel,
                hello=lambda: {**self._hello(), "runs": self.runs, "nonce": self._nonce},
                confirmed=self._confirmed,
                alone=self._alone,
            )
        self._put(
            events.start(
                ids.event_id(),
                client="kernel",
                kernel=_kernel_name(self._shell, kernel),
                language="python " + ".".join(map(str, sys.version_info[:3])),
            )
        )
        return kernel is not None and self._greet()

    def close(self) -> None:
        """Observe nothing more; what was made is still sent."""
        if self._runs is not None:
            self._runs.close()
        if self._pages is not None:
            self._pages.close()
        self._alone()

    @property
    def runs(self) -> int:
        """Runs of cells so far, the present one included."""
        return self._runs.count if self._runs else self._begun

    def label(self, named: object, preview: object) -> None:
        """`_cell`: name the present run; where nothing tells of runs, report it at once."""
        cell_id, code = events.label(named), events.text(preview)[:MAX_CODE_CHARS]
        if self._runs is None:
            with self._lock:
                self._begun += 1
                num = self._begun
            uuid = ids.event_id()
            self._put(events.cell_began(uuid, cell_id=cell_id, cell_num=num, code=code))
            return
        run = self._runs.current
        if run is not None:
            run.label = cell_id
            run.code = code
            self._tell(run, {"kind": "label", "cell_id": cell_id, "code": run.code})

    def attempt(self, ex: str) -> int:
        """Count one more attempt at a test."""
        with self._lock:
            self._attempts[ex] = self._attempts.get(ex, 0) + 1
            return self._attempts[ex]

    def tested(self, ex: str, attempt: int, ms: int, error: BaseException | None) -> None:
        """A test ended; `error` is what it raised."""
        run = self._runs.current if self._runs else None
        ordinal = 1
        if run is not None:
            with self._lock:
                ordinal = run.tests[ex] = run.tests.get(ex, 0) + 1
        known = run is not None and run.msg_id is not None
        described = events.describe_error(error) if error is not None else None
        draft = events.test(
            ids.test_result_id(run.msg_id, ex, ordinal) if known else ids.event_id(),
            ex=ex,
            ok=error is None,
            attempt=attempt,
            ms=ms,
            error=described,
            cell_id=run.best_cell_id if run else None,
        )
        if run is not None and known:
            err_type, err = described or (None, None)
            said = {name: draft.properties[name] for name in ("ex", "ok", "try", "ms")}
            error_said = {"err_type": err_type, "err": err and err[:MAX_CODE_CHARS]}
            about = {"ordinal": ordinal, "cell_id": run.label}
            self._tell(run, {"kind": "test", **said, **error_said, **about})
        self._put(draft, held=known)

    def capture(self, event: str, properties: Mapping[str, object] | None) -> None:
        """A custom event."""
        self._put(events.custom(event, ids.event_id(), properties))

    def _run_ended(self, run: Run, ending: Ending) -> None:
        code = run.code or run.source
        draft = events.cell(
            ids.cell_run_id(run.msg_id) if run.msg_id else ids.event_id(),
            cell_id=run.best_cell_id,
            cell_num=run.num,
            code=code[:MAX_CODE_CHARS],
            status=ending.status,
            ms=ending.ms,
            error=ending.error,
            count=ending.count,
            lines=run.source.count("\n") + 1 if run.source else None,
        )
        self._put(draft, held=run.msg_id is not None)

    def _put(self, draft: events.Draft, *, held: bool = False) -> None:
        if self.sender is None:
            return
        if held and self._pages is not None and self._pages.attached:
            self.sender.hold(self._source, draft)
        elif held and time.monotonic() < self._greeted + GREETING_SECONDS:
            self.sender.hold(self._source, draft, GREETING_SECONDS)
        else:
            self.sender.put(self._source, draft)

    def _tell(self, run: Run, message: dict[str, object]) -> None:
        # Outside a run the page could not tell which event is meant; we send it ourselves.
        if self._pages is not None and run.msg_id is not None:
            self._pages.tell({**message, "msg_id": run.msg_id})

    def _confirmed(self, uuids: Iterable[object]) -> None:
        if self.sender is not None:
            self.sender.confirm(uuids)

    def _alone(self) -> None:
        if self.sender is not None:
            self.sender.release(self._source)

    def _hello(self) -> dict[str, object]:
        about = self.context
        return {
            "kind": "hello",
            "sess": about.sess,
            "nb": about.nb,
            "student": about.student,
            "v": about.v,
            "comm": self._pages.voice if self._pages else None,
        }

    def _greet(self) -> bool:
        """Show the hello that a page adopts; its text is the line that a student sees."""
        try:
            from IPython.display import publish_display_data

            publish_display_data(
                {MIME: self._hello(), "text/plain": f"Ready! Session: {self.context.sess}"},
                transient={"ipynb_telemetry_nonce": self._nonce},  # arrives, but is not saved
            )
        except Exception:
            return False
        self._greeted = time.monotonic()
        return True


def _kernel_name(shell: object | None, kernel: object | None) -> str:
    name = "ipykernel" if kernel is not None else "IPython"
    version = getattr(sys.modules.get(name), "__version__", None)
    if shell is None or version is None:
        return sys.implementation.name
    return f"{name.lower()} {version}"
