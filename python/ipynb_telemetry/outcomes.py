"""How a test ended, told from what it raised. Nothing is imported to find out."""

from __future__ import annotations

PASSED = "passed"
FAILED = "failed"
ERROR = "error"
TIMEOUT = "timeout"
SKIPPED = "skipped"
INTERRUPTED = "interrupted"

# The student tried nothing, so they count as no attempt.
NO_ATTEMPTS = (SKIPPED, INTERRUPTED)

# By module and name: unittest and pytest need not be installed, nor loaded. The first that
# is found among an exception's classes decides.
_KNOWN = {
    ("unittest.case", "SkipTest"): SKIPPED,
    # pytest's say that they are built in.
    ("builtins", "Skipped"): SKIPPED,
    ("builtins", "Failed"): FAILED,  # what `pytest.fail` raises
    ("builtins", "AssertionError"): FAILED,  # unittest's failures are these
    ("builtins", "KeyboardInterrupt"): INTERRUPTED,
    ("asyncio.exceptions", "CancelledError"): INTERRUPTED,
    ("concurrent.futures._base", "CancelledError"): INTERRUPTED,
    ("builtins", "TimeoutError"): TIMEOUT,
    # Python 3.10 has three of them.
    ("asyncio.exceptions", "TimeoutError"): TIMEOUT,
    ("concurrent.futures._base", "TimeoutError"): TIMEOUT,
}


def status_of(error: BaseException | None) -> str:
    """The contract's ``status`` of a test that raised `error`, or returned (None)."""
    if error is None:
        return PASSED
    for kind in type(error).__mro__:
        status = _KNOWN.get((kind.__module__, kind.__name__))
        if status is not None:
            return status
    return ERROR
