"""What a notebook calls: `_cell`, `tracked_test`, `_telemetry_capture`, for the present session.

Nothing here raises into a student's cell or changes what a test returns or raises.
"""

from __future__ import annotations

import os
import sys
from functools import partial, wraps
from time import monotonic as _monotonic
from types import CoroutineType

from . import notices

TYPE_CHECKING = False  # typing itself would be half of what importing us costs
if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from typing import Any

    from .session import Session

# A module that is loaded again (%autoreload) keeps its session.
_active: Session | None = globals().get("_active")


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

    The test's value is returned and its exception raised unchanged. What is awaited or
    iterated is judged when that has ended. Of a class, the methods ``test…`` are tracked,
    as ``name.method``.
    """
    if callable(name) or isinstance(name, classmethod):  # written without parentheses
        return tracked_test(getattr(name, "__name__", "test"))(name)

    def decorate(test: Any) -> Any:
        import inspect

        from .events import label

        ex = label(name) or label(getattr(test, "__name__", "test"))

        if isinstance(test, (staticmethod, classmethod)):
            return type(test)(decorate(test.__func__))

        if isinstance(test, type):
            for key, member in list(vars(test).items()):
                if key.startswith("test") and (callable(member) or hasattr(member, "__func__")):
                    setattr(test, key, tracked_test(f"{ex}.{key}")(member))
            return test

        # In each, a student's traceback shows the student's code alone.

        if inspect.iscoroutinefunction(test):

            @wraps(test)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                __tracebackhide__ = True
                with _Attempt(ex):
                    return await test(*args, **kwargs)

            return awaited

        if inspect.isgeneratorfunction(test):

            @wraps(test)
            def iterated(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
                __tracebackhide__ = True
                with _Attempt(ex):
                    return (yield from test(*args, **kwargs))

            return iterated

        if inspect.isasyncgenfunction(test):

            @wraps(test)
            async def streamed(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
                __tracebackhide__ = True
                with _Attempt(ex):
                    inner = test(*args, **kwargs)
                    step = inner.asend(None)
                    while True:
                        try:
                            value = await step
                        except StopAsyncIteration:
                            return
                        try:
                            step = inner.asend((yield value))
                        except GeneratorExit:
                            await inner.aclose()
                            raise
                        except BaseException as error:
                            step = inner.athrow(error)

            return streamed

        @wraps(test)
        def called(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True
            attempt = _Attempt(ex)
            with attempt:
                return attempt.judge(test(*args, **kwargs))

        return called

    return decorate


class _Attempt:
    """Times one call of a test and reports how it ended."""

    def __init__(self, ex: str) -> None:
        session = _active
        self._call = None if session is None else _safely(session.begin_test, ex)
        self._waits = False
        self._began = _monotonic()

    def __enter__(self) -> _Attempt:
        return self

    def __exit__(self, _type: object, error: BaseException | None, _trace: object) -> None:
        if not self._waits:
            self._ended(error)

    def judge(self, value: Any) -> Any:
        """What a plain function returned; where that is still to happen, await its end.

        It is the student's own, whatever it is: only its type is looked at.
        """
        if type(value) is CoroutineType:
            self._waits = True
            return self._awaited(value)
        _safely(self._follow, value)
        return value

    def _follow(self, value: Any) -> None:
        """Wait for a task's or a thread pool's future."""
        for module in ("asyncio", "concurrent.futures"):
            kind = getattr(sys.modules.get(module), "Future", None)
            if isinstance(kind, type) and issubclass(type(value), kind):
                kind.add_done_callback(value, partial(_safely, self._done, kind))  # type: ignore[attr-defined]
                self._waits = True
                return

    async def _awaited(self, coroutine: Any) -> Any:
        __tracebackhide__ = True
        self._waits = False
        self._began = _monotonic()
        with self:
            return await coroutine

    def _done(self, kind: Any, future: Any) -> None:
        # `future.exception()` would count as somebody's having looked at it.
        error = object.__getattribute__(future, "_exception")
        if kind.cancelled(future):
            from asyncio import CancelledError

            error = CancelledError()
        self._ended(error)

    def _ended(self, error: BaseException | None) -> None:
        if self._call is None:
            return
        ms = round((_monotonic() - self._began) * 1000)
        if isinstance(error, GeneratorExit):
            _safely(self._call.dropped)  # nobody wanted to see the end: no result
        else:
            _safely(self._call.ended, ms, error)


def _safely(call: Callable[..., Any], *args: object) -> Any:
    try:
        return call(*args)
    except Exception as error:
        notices.fault(error)
        return None


def _after_fork() -> None:
    """A forked child shares sockets and counters with its parent; only the parent reports."""
    session = _active
    activate(None)
    if session is not None:
        session.abandon()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
