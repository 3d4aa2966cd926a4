"""How a test ended, by what it raised: every kind that Python, unittest and pytest have."""

import asyncio
import concurrent.futures
import subprocess
import sys
import unittest

import pytest
from conftest import ROOT, fixture
from ipynb_telemetry.outcomes import NO_ATTEMPTS, status_of


class Mine(AssertionError):
    """A subclass is what its parent is."""


class Slow(TimeoutError):
    """So is this."""


def raised(call) -> BaseException:
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


class Case(unittest.TestCase):
    """Only there for its methods, which raise unittest's own."""

    def runTest(self) -> None:
        """Never run."""


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "passed"),
        (AssertionError("no"), "failed"),
        (Mine(), "failed"),
        (raised(lambda: Case().fail()), "failed"),
        (raised(lambda: pytest.fail("no")), "failed"),
        (ValueError(), "error"),
        (SystemExit(3), "error"),
        (MemoryError(), "error"),
        (TimeoutError(), "timeout"),
        (Slow(), "timeout"),
        (asyncio.TimeoutError(), "timeout"),
        (concurrent.futures.TimeoutError(), "timeout"),
        (unittest.SkipTest("later"), "skipped"),
        (raised(lambda: Case().skipTest("later")), "skipped"),
        (raised(lambda: pytest.skip("later")), "skipped"),
        (KeyboardInterrupt(), "interrupted"),
        (asyncio.CancelledError(), "interrupted"),
        (concurrent.futures.CancelledError(), "interrupted"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_was_raised_tells_the_status(error, status):
    assert status_of(error) == status


def test_the_words_are_the_contracts():
    source = (ROOT / "src" / "events" / "schema.ts").read_text(encoding="utf-8")
    listed = source[source.index("TEST_STATUSES = [") :]
    for status in ("passed", "failed", "error", "timeout", *NO_ATTEMPTS):
        assert f"'{status}'" in listed[: listed.index("]")]
    golden = {
        case["event"]["properties"]["status"]
        for case in fixture("events")["events"]
        if case["valid"]
        and case["event"]["event"] == "test"
        and "status" in case["event"]["properties"]
    }
    assert golden <= {"passed", "failed", "error", "timeout", "skipped", "interrupted"}


def test_nothing_is_imported_to_find_out():
    code = (
        f"import sys; sys.path.append({str(ROOT / 'python')!r})\n"
        "from ipynb_telemetry.outcomes import status_of\n"
        "assert status_of(AssertionError()) == 'failed'\n"
        "print(sorted({'asyncio', 'unittest', 'concurrent.futures'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
