"""Observes the runs of code cells by IPython's own hooks."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from time import monotonic as _monotonic

from . import notices
from .events import describe_error, type_name

# What the notebook format allows as a cell id.
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")

# Calls of tests within the last request, shared by sessions that begin within one: the ids of
# results are made of the request and the call's number.
_last_request: tuple[str, dict[str, int]] = ("", {})


class Run:
    """One run of a code cell, from its begin to its end."""

    def __init__(self, request: Request, num: int, source: str, cell_id: str | None) -> None:
        self.msg_id = request.msg_id
        self.client = request.client
        self.num = num  # within the session, from 1
        self.source = source
        self.cell_id = cell_id
        self.exercise = request.exercise
        self.label: str | None = None  # by `_cell`
        self.code: str | None = None  # by `_cell`
        self.tests = _calls_within(request.msg_id)
        self.thread = threading.get_ident()
        self.began = _monotonic()

    @property
    def best_cell_id(self) -> str | None:
        """The label, else the exercise, else the notebook format's id."""
        return self.label or self.exercise or self.cell_id


class Ending:
    """How a run ended: `status`, kernel milliseconds, ``(type, message)`` of an error, count."""

    def __init__(
        self, status: str, ms: int, error: tuple[str, str] | None, count: int | None
    ) -> None:
        self.status, self.ms, self.error, self.count = status, ms, error, count


class Request:
    """What the present request tells of itself; everything is None outside a kernel."""

    def __init__(self, shell: object) -> None:
        kernel = getattr(shell, "kernel", None)
        try:
            parent = kernel.get_parent()  # type: ignore[union-attr]
        except Exception:
            parent = None
        header = _dict(_dict(parent).get("header"))
        metadata = _dict(_dict(parent).get("metadata"))
        self.msg_id = _text(header.get("msg_id"))
        self.client = _text(header.get("session"))  # who asked, as the protocol has it
        self.code = _text(_dict(_dict(parent).get("content")).get("code"))
        self.cell_id = safe_cell_id(metadata.get("cellId"))
        # JupyterLab sends the cell's whole metadata along.
        exercise = _text(_dict(metadata.get("ipynb_telemetry")).get("exercise"))
        self.exercise = exercise[:200] if exercise else None


class Runs:
    """Numbers the runs of a session; nested and silent ones are part of the one around them.

    Begins in the middle of a run, the setup cell's, which is number 1.
    """

    def __init__(self, shell: object, ended: Callable[[Run, Ending], None]) -> None:
        self._shell = shell
        self._ended = ended
        self._stack: list[object] = []  # what pre_run_cell was given, outermost first
        self._closed = False
        self.count = 0
        self._current: Run | None = None
        self._join()

    @property
    def current(self) -> Run | None:
        """The run in progress; None between two runs."""
        # Where somebody has cleared IPython's hooks, here is the first chance to notice.
        # Another thread is no sign of a run.
        hooked = self._closed or self._is_hooked()
        if not hooked and threading.current_thread() is threading.main_thread():
            self._join()
        return self._current

    def close(self) -> None:
        """Observe no longer; the present run is not reported."""
        self._closed = True
        self._current = None
        for name, hook in self._hooks():
            try:
                self._shell.events.unregister(name, hook)  # type: ignore[attr-defined]
            except (ValueError, KeyError):
                pass  # somebody has cleared the hooks
        notices.wait_for_runs(False)

    def _hooks(self) -> tuple[tuple[str, Callable[..., None]], ...]:
        return (("pre_run_cell", self._pre), ("post_run_cell", self._post))

    def _is_hooked(self) -> bool:
        callbacks = getattr(getattr(self._shell, "events", None), "callbacks", None)
        if not isinstance(callbacks, dict):
            return True  # there is no telling
        return all(hook in callbacks.get(name, ()) for name, hook in self._hooks())

    def _join(self) -> None:
        """Begin to observe in the middle of a run."""
        events = self._shell.events  # type: ignore[attr-defined]
        for name, hook in self._hooks():
            events.register(name, hook)  # does nothing if it is there
        notices.wait_for_runs(True)
        request = Request(self._shell)
        present = self._current
        if present is None or (request.msg_id is not None and request.msg_id != present.msg_id):
            self._stack = [None]
            self._begin(request, self._running_source(request), request.cell_id)

    def _begin(self, request: Request, source: str, cell_id: str | None) -> None:
        self.count += 1
        self._current = Run(request, self.count, source, cell_id)

    def _pre(self, info: object = None) -> None:
        # IPython shows a student what a hook raises.
        try:
            self._before(info)
        except Exception as error:
            notices.fault(error)

    def _post(self, result: object = None) -> None:
        try:
            self._after(result)
        except Exception as error:
            notices.fault(error)
        notices.flush()

    def _before(self, info: object) -> None:
        request = Request(self._shell)
        if self._stack and self._is_over(request):
            self._stack.clear()
        # A tool's own request is no run of a cell; it is not stored in the history.
        if not self._stack and not getattr(info, "store_history", True):
            return
        self._stack.append(info)
        if len(self._stack) == 1:
            source = getattr(info, "raw_cell", "")
            cell_id = safe_cell_id(getattr(info, "cell_id", None)) or request.cell_id
            self._begin(request, source, cell_id)

    def _is_over(self, request: Request) -> bool:
        """Whether the present run's end was never told: its hook was gone by then."""
        run = self._current
        if run is None or run.thread != threading.get_ident():
            return False
        return request.msg_id is not None and request.msg_id != run.msg_id

    def _after(self, result: object) -> None:
        level = self._level_of(getattr(result, "info", None))
        if level is None:
            return
        del self._stack[level:]
        run = self._current
        if self._stack or run is None:
            return
        self._current = None
        self._ended(run, self._ending(run, result))

    def _level_of(self, info: object) -> int | None:
        """Which of the stacked runs has ended; None for one that is not ours."""
        if info is None:
            return 0 if self._stack else None  # the whole request was cancelled
        for level, known in enumerate(self._stack):
            if known is info:
                return level
        source = getattr(info, "raw_cell", "")
        if not source or source.isspace():
            return None  # a blank cell has no beginning either
        # The run that setup was called in, or one that IPython gives a new info for. Where
        # there is no request to compare with, it must be the innermost.
        run = self._current
        if run is None or not self._stack:
            return None
        if run.msg_id is None:
            return len(self._stack) - 1
        for level in reversed(range(len(self._stack))):
            known = self._stack[level]
            if source == (run.source if known is None else getattr(known, "raw_cell", None)):
                return level
        return None

    def _ending(self, run: Run, result: object) -> Ending:
        ms = round((_monotonic() - run.began) * 1000)
        if result is None:
            return Ending("interrupted", ms, ("KeyboardInterrupt", ""), None)
        count = getattr(result, "execution_count", None)
        error = getattr(result, "error_before_exec", None)
        error = error if error is not None else getattr(result, "error_in_exec", None)
        if error is not None:
            status = "interrupted" if _is_interrupt(error) else "error"
            return Ending(status, ms, describe_error(error), count)
        return Ending("ok", ms, None, count)

    def _running_source(self, request: Request) -> str:
        if request.code is not None:
            return request.code
        try:
            return str(self._shell.history_manager.input_hist_raw[-1])  # type: ignore[attr-defined]
        except Exception:
            return ""


def safe_cell_id(given: object) -> str | None:
    """A cell id as clients send it, or None where it could be anything else.

    VS Code sends an address, ``vscode-notebook-cell:/home/jane/a.ipynb#W0sZmlsZQ%3D%3D``:
    what follows the ``#`` tells the cell, and what precedes it is nobody's business.
    """
    if not isinstance(given, str):
        return None
    fragment = given.rpartition("#")[2].replace("%3D", "").rstrip("=")
    return fragment if _CELL_ID.fullmatch(fragment) else None


def _calls_within(msg_id: str | None) -> dict[str, int]:
    global _last_request
    if msg_id is None:
        return {}
    if _last_request[0] != msg_id:
        _last_request = (msg_id, {})
    return _last_request[1]


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt) or type_name(error) == "CancelledError"


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
