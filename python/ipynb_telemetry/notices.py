"""Lines for the student, written at the end of a run, or at once where runs are not observed."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PREFIX = "ipynb-telemetry: "

_waiting: list[tuple[str, Callable[[], object] | None]] = []
_at_run_end = False
_faults: set[str] = set()


def say(line: str, then: Callable[[], object] | None = None) -> None:
    """Have one line written to stderr. Never raises.

    A background thread's output may land in any cell or in none; where runs are
    observed, the line waits for the end of one and is written within it.
    `then` is called once it has been.
    """
    _waiting.append((line, then))
    if not _at_run_end:
        flush()


def fault(error: BaseException) -> None:
    """Say what went wrong in this package, once for each kind: the lesson goes on."""
    from .events import describe_error

    what = ": ".join(describe_error(error))
    if what not in _faults and len(_faults) < 10:
        _faults.add(what)
        say(what)


def wait_for_runs(wait: bool) -> None:
    """Whether somebody calls `flush` at the end of each run."""
    global _at_run_end
    _at_run_end = wait


def flush() -> None:
    """Write what waits."""
    while _waiting:
        line, then = _waiting.pop(0)
        try:
            print(PREFIX + line, file=sys.stderr, flush=True)
        except Exception:
            return  # no stderr, nobody to tell
        if then is not None:
            try:
                then()
            except Exception as error:
                fault(error)


def forget() -> None:
    """In the child of a fork: the parent says what waits."""
    _waiting.clear()
    _faults.clear()
