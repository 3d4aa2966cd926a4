"""Observes the runs of code cells by IPython's own hooks."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from . import notices
from .events import describe_error

# What the notebook format allows as a cell id. Other clients send paths with people's names.
_CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Run:
    """One run of a code cell, from its begin to its end."""

    def __init__(self, msg_id: str | None, num: int, source: str, cell_id: str | None) -> None:
        self.msg_id = msg_id
        self.num = num  # within the session, from 1
        self.source = source
        self.cell_id = cell_id
        self.exercise: str | None = None  # by the cell's metadata
        self.label: str | None = None  # by `_cell`
        self.code: str | None = None  # by `_cell`
        self.tests: dict[str, int] = {}  # calls of each test so far
        self.began = time.monotonic()

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


class Runs:
    """Numbers the runs of a session; nested and silent ones are part of the one around them.

    Begins in the middle of a run, the setup cell's, which is number 1.
    """

    def __init__(self, shell: object, ended: Callable[[Run, Ending], None]) -> None:
        self._shell = shell
        self._ended = ended
        self._stack: list[object] = []  # what pre_run_cell was given, outermost first
        self.count = 0
        self.current: Run | None = None
        self._begin(self._running_source(), self._request_cell_id())
        self._stack.append(None)
        events = shell.events  # type: ignore[attr-defined]
        events.register("pre_run_cell", self._pre)
        events.register("post_run_cell", self._post)
        notices.wait_for_runs(True)

    def close(self) -> None:
        """Observe no longer; the present run is not reported."""
        self.current = None
        events = self._shell.events  # type: ignore[attr-defined]
        for name, hook in (("pre_run_cell", self._pre), ("post_run_cell", self._post)):
            try:
                events.unregister(name, hook)
            except ValueError:
                pass  # somebody has cleared the hooks
        notices.wait_for_runs(False)

    def _begin(self, source: str, cell_id: object) -> None:
        self.count += 1
        known = isinstance(cell_id, str) and _CELL_ID.fullmatch(cell_id)
        self.current = Run(self._msg_id(), self.count, source, str(cell_id) if known else None)
        self.current.exercise = self._request_exercise()

    def _pre(self, info: object = None) -> None:
        # A tool's own request is no run of a cell; it is not stored in the history.
        if not self._stack and not getattr(info, "store_history", True):
            return
        self._stack.append(info)
        if len(self._stack) == 1:
            source = getattr(info, "raw_cell", "")
            cell_id = getattr(info, "cell_id", None) or self._request_cell_id()
            self._begin(source, cell_id)

    def _post(self, result: object = None) -> None:
        info = getattr(result, "info", None)
        level = next((i for i, known in enumerate(self._stack) if known is info), None)
        if info is None:
            level = 0  # the whole request was cancelled
        elif level is None:
            source = getattr(info, "raw_cell", "")
            if not source or source.isspace():
                return  # a blank cell has no beginning either
            # The run that setup was called in, or one that IPython gives a new info for.
            level = len(self._stack) - 1
        if not 0 <= level < len(self._stack):
            return
        del self._stack[level:]
        run = self.current
        if self._stack or run is None:
            return
        self.current = None
        self._ended(run, self._ending(run, result))
        notices.flush()

    def _ending(self, run: Run, result: object) -> Ending:
        ms = round((time.monotonic() - run.began) * 1000)
        if result is None:
            return Ending("interrupted", ms, ("KeyboardInterrupt", ""), None)
        count = getattr(result, "execution_count", None)
        error = getattr(result, "error_before_exec", None)
        error = error if error is not None else getattr(result, "error_in_exec", None)
        if error is not None:
            status = "interrupted" if _is_interrupt(error) else "error"
            return Ending(status, ms, describe_error(error), count)
        return Ending("ok", ms, None, count)

    def _request(self) -> dict[str, object]:
        kernel = getattr(self._shell, "kernel", None)
        try:
            return kernel.get_parent() or {}  # type: ignore[union-attr]
        except Exception:
            return {}

    def _msg_id(self) -> str | None:
        header = self._request().get("header")
        msg_id = header.get("msg_id") if isinstance(header, dict) else None
        return msg_id if isinstance(msg_id, str) else None

    def _request_cell_id(self) -> object:
        metadata = self._request().get("metadata")
        return metadata.get("cellId") if isinstance(metadata, dict) else None

    def _request_exercise(self) -> str | None:
        # JupyterLab sends the cell's whole metadata along.
        metadata = self._request().get("metadata")
        about = metadata.get("ipynb_telemetry") if isinstance(metadata, dict) else None
        exercise = about.get("exercise") if isinstance(about, dict) else None
        return exercise[:200] if isinstance(exercise, str) and exercise else None

    def _running_source(self) -> str:
        content = self._request().get("content")
        code = content.get("code") if isinstance(content, dict) else None
        if isinstance(code, str):
            return code
        try:
            return str(self._shell.history_manager.input_hist_raw[-1])  # type: ignore[attr-defined]
        except Exception:
            return ""


def _is_interrupt(error: BaseException) -> bool:
    return isinstance(error, KeyboardInterrupt) or type(error).__name__ == "CancelledError"
