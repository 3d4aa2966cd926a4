"""What a notebook calls: `_cell`, `tracked_test`, `_telemetry_capture`, for the present session.

Nothing here raises into a student's cell or changes what a test returns or raises.
"""

from __future__ import annotations

import os
import time
from functools import wraps

from . import notices

TYPE_CHECKING = False  # typing itself would be half of what importing us costs
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from .session import Session

_active: Session | None = None


def active() -> Session | None:
    """The present session; None before setup, and in a forked child."""
    return _active


def activate(session: Session | None) -> None:
    """Make `session` the present one."""
    global _active
    _active = session


def _cell(cell_id: str, code_preview: str = "") -> None:
    """Name the cell that runs now; its outcome is reported at its end."""
    session = _active
    if session is not None:
        _safely(session.label, cell_id, code_preview)


def _telemetry_capture(event: str, props: Mapping[str, object] | None = None) -> None:
    """Send an event of your own; nb, sess, student, v, src and seq cannot be overwritten."""
    session = _active
    if not isinstance(event, str) or not event:
        notices.say(
            f"_telemetry_capture: expected an event's name, got {event!r}; nothing is sent."
        )
    elif props is not None and not hasattr(props, "keys"):
        notices.say(
            f"_telemetry_capture({event!r}): expected properties as a dict, "
            f"got {type(props).__name__}; nothing is sent."
        )
    elif session is not None:
        _safely(session.capture, event, props)


def tracked_test(name: str) -> Callable[..., Any]:
    """Decorate a test: each call reports attempt, outcome and duration.

    The test's value is returned and its exception raised unchanged. An ``async def``
    test is judged when it has been awaited.
    """
    if callable(name):  # written without parentheses
        return tracked_test(getattr(name, "__name__", "test"))(name)

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        import inspect

        from .events import label

        ex = label(name) or label(getattr(test, "__name__", "test"))

        if inspect.iscoroutinefunction(test):

            @wraps(test)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True  # a student's traceback shows the student's code
                with _Attempt(ex):
                    return await test(*args, **kwargs)

            return awaited

        @wraps(test)
        def called(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            attempt = _Attempt(ex)
            with attempt:
                value = test(*args, **kwargs)
                if inspect.iscoroutine(value):
                    return attempt.later(value)
                return value

        return called

    return decorate


class _Attempt:
    """Times one call of a test and reports how it ended."""

    def __init__(self, ex: str) -> None:
        self._ex = ex
        self._session = _active
        self._attempt = 0
        if self._session is not None:
            self._attempt = _safely(self._session.attempt, ex) or 1
        self._awaits = False
        self._began = time.monotonic()

    def __enter__(self) -> _Attempt:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if self._awaits or self._session is None:
            return
        ms = round((time.monotonic() - self._began) * 1000)
        _safely(self._session.tested, self._ex, self._attempt, ms, error)

    def later(self, coroutine: Any) -> Any:
        """A plain function returned a coroutine: judge that when it is awaited."""
        self._awaits = True

        async def judged() -> Any:
            self._awaits = False
            self._began = time.monotonic()
            with self:
                return await coroutine

        return judged()


def _safely(call: Callable[..., Any], *args: object) -> Any:
    try:
        return call(*args)
    except Exception as error:
        # A fault of ours is said, and the lesson goes on.
        notices.say(f"{type(error).__name__}: {error}")
        return None


if hasattr(os, "register_at_fork"):
    # A forked child shares sockets and counters with its parent; only the parent reports.
    os.register_at_fork(after_in_child=lambda: activate(None))
