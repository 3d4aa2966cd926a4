"""Counts attempts at tests, and keeps what belongs to one call of a test until it has ended."""

from __future__ import annotations

import threading
from collections.abc import Callable

from .outcomes import NO_ATTEMPTS, status_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .runs import Run


class Result:
    """How a call of test `ex` ended.

    `attempt` counts the attempts at it within the session from 1, `ordinal` its calls within
    the `run` (None outside of one); `error` is what it raised.
    """

    def __init__(self, call: TestCall, ms: int, error: BaseException | None) -> None:
        self.ex, self.run, self.attempt = call.ex, call.run, call.attempt
        self.ms, self.error = ms, error
        self.status = status_of(error)
        self.ordinal = 1


class TestCall:
    """One call of a tracked test, from its begin to its end."""

    __test__ = False  # for pytest, which would take it for a test

    def __init__(self, attempts: Attempts, ex: str, run: Run | None, attempt: int) -> None:
        self.ex, self.run, self.attempt = ex, run, attempt
        self._attempts = attempts

    def ended(self, ms: int, error: BaseException | None) -> None:
        """It raised `error`, or returned (None), after `ms` milliseconds."""
        self._attempts.end(self, ms, error)

    def dropped(self) -> None:
        """It will never end: no result, and no attempt."""
        self._attempts.give_back(self)


class Attempts:
    """The attempts of one session; `ended` gets the results. Tests may run in any thread."""

    def __init__(self, ended: Callable[[Result], None]) -> None:
        self._ended = ended
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def begin(self, ex: str, run: Run | None) -> TestCall:
        """Test `ex` is called within `run`: one more attempt."""
        with self._lock:
            attempt = self._counts[ex] = self._counts.get(ex, 0) + 1
        return TestCall(self, ex, run, attempt)

    def give_back(self, call: TestCall) -> None:
        """It was no attempt after all; one that has begun since keeps its number."""
        with self._lock:
            if self._counts[call.ex] == call.attempt:
                self._counts[call.ex] -= 1
            call.attempt = max(1, self._counts[call.ex])

    def end(self, call: TestCall, ms: int, error: BaseException | None) -> None:
        """A call has ended; see `TestCall.ended`."""
        if status_of(error) in NO_ATTEMPTS:
            self.give_back(call)
        result = Result(call, ms, error)
        if call.run is not None:
            with self._lock:
                tests = call.run.tests
                result.ordinal = tests[call.ex] = tests.get(call.ex, 0) + 1
        self._ended(result)

    def abandon(self) -> None:
        """In a forked child, where another thread of the parent may have held the lock."""
        self._lock = threading.Lock()
