"""tracked_test: what it returns and raises, and how what it decorates is judged."""

import asyncio
import builtins
import concurrent.futures
import functools
import gc
import inspect
import threading
import time
import unittest
import unittest.mock
import warnings

import ipynb_telemetry
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipynb_telemetry import setup_telemetry, tracked_test
from standin import KEY


def start(relay):
    return setup_telemetry("intro", host=relay.url, api_key=KEY, student_name="John Doe")


def results(relay, count: int) -> list[tuple[str, str, int]]:
    """Name, status and attempt of so many results, and no more than those."""
    assert ipynb_telemetry.flush(10)
    told = [e["properties"] for e in relay.wait_for_events(count, "test")]
    assert len(told) == count
    return [(p["ex"], p["status"], p["try"]) for p in told]


def test_what_a_test_returns_and_raises_is_unchanged(relay):
    start(relay)
    error = KeyError("what")

    @builtins.tracked_test("t")
    def test(value):
        """Documented."""
        if value is None:
            raise error
        return value

    assert (test.__name__, test.__doc__) == ("test", "Documented.")
    mine = object()
    assert test(mine) is mine
    with pytest.raises(KeyError) as caught:
        test(None)
    assert caught.value is error
    assert [e["properties"]["ok"] for e in relay.wait_for_events(2, "test")] == [True, False]


@pytest.mark.parametrize("leaving", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_no_error_passes_through_too(relay, leaving):
    start(relay)

    @builtins.tracked_test("t")
    def test():
        raise leaving

    with pytest.raises(leaving):
        test()
    (event,) = relay.wait_for_events(1, "test")
    assert (event["properties"]["ok"], event["properties"]["err"]) == (
        False,
        leaving.__name__ if leaving is not asyncio.CancelledError else "CancelledError",
    )


def test_the_attempt_is_counted_before_the_call(relay):
    start(relay)

    @builtins.tracked_test("t")
    def test(depth):
        if depth:
            test(depth - 1)

    test(2)
    tries = [e["properties"]["try"] for e in relay.wait_for_events(3, "test")]
    assert tries == [3, 2, 1]  # the innermost ends first


def test_async_tests_stay_async_and_are_awaited(relay):
    start(relay)

    @builtins.tracked_test("good")
    async def good():
        await asyncio.sleep(0)
        return 5

    @builtins.tracked_test("bad")
    def bad():
        async def inner():
            await asyncio.sleep(0)
            raise ValueError("no")

        return inner()

    assert inspect.iscoroutinefunction(good)
    assert asyncio.run(good()) == 5
    with pytest.raises(ValueError, match="no"):
        asyncio.run(bad())
    outcomes = {e["properties"]["ex"]: e["properties"] for e in relay.wait_for_events(2, "test")}
    assert outcomes["good"]["ok"] is True
    assert (outcomes["bad"]["ok"], outcomes["bad"]["err"]) == (False, "ValueError")


def test_a_decorator_without_parentheses_takes_the_functions_name(relay):
    start(relay)

    @builtins.tracked_test
    def test_mean():
        return 5

    assert test_mean() == 5
    assert relay.wait_for_events(1, "test")[0]["properties"]["ex"] == "test_mean"


def test_a_decorator_of_before_serves_the_present_session(relay):
    @ipynb_telemetry.tracked_test("t")
    def test():
        return 5

    assert test() == 5
    told = start(relay)
    test()
    (event,) = relay.wait_for_events(1, "test")
    assert event["properties"]["sess"] == told["session_id"]


def test_generators_are_judged_when_they_have_ended(relay):
    start(relay)

    @tracked_test("good")
    def good():
        got = yield 1
        yield got
        return 3

    @tracked_test("bad")
    def bad():
        yield 1
        raise AssertionError

    @tracked_test("dropped")
    def dropped():
        yield 1
        yield 2

    assert inspect.isgeneratorfunction(good)
    running = good()
    assert [next(running), running.send("sent")] == [1, "sent"]
    with pytest.raises(StopIteration) as ended:
        next(running)
    assert ended.value.value == 3
    with pytest.raises(AssertionError):
        list(bad())
    for _ in range(2):
        next(dropped())
        gc.collect()
    assert list(dropped()) == [1, 2]
    assert results(relay, 3) == [
        ("good", "passed", 1),
        ("bad", "failed", 1),
        ("dropped", "passed", 1),
    ]


def test_asynchronous_generators_too(relay):
    start(relay)
    closed = []

    @tracked_test("good")
    async def good():
        try:
            got = yield 1
            try:
                yield got
            except KeyError as error:
                yield repr(error)
        finally:
            closed.append(True)

    @tracked_test("bad")
    async def bad():
        yield 1
        raise ValueError("bad")

    async def use():
        running = good()
        assert await running.__anext__() == 1
        assert await running.asend("sent") == "sent"
        assert await running.athrow(KeyError("k")) == "KeyError('k')"
        with pytest.raises(StopAsyncIteration):
            await running.__anext__()
        with pytest.raises(ValueError, match="bad"):
            async for _ in bad():
                pass
        left = good()
        await left.__anext__()
        await left.aclose()

    assert inspect.isasyncgenfunction(good)
    asyncio.run(use())
    assert closed == [True, True]
    assert results(relay, 2) == [("good", "passed", 1), ("bad", "error", 1)]


def test_what_is_returned_to_be_awaited_is_judged_then(relay):
    start(relay)

    async def fails():
        await asyncio.sleep(0.01)
        raise AssertionError

    @tracked_test("task")
    def task():
        return asyncio.ensure_future(fails())

    @tracked_test("cancelled")
    def cancelled():
        return asyncio.ensure_future(asyncio.sleep(9))

    async def use():
        running = task()
        assert isinstance(running, asyncio.Task)
        with pytest.raises(AssertionError):
            await running
        running = cancelled()
        running.cancel()
        await asyncio.wait([running])

    asyncio.run(use())
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        submitted = tracked_test("future")(lambda: pool.submit(int, "x"))()
        assert isinstance(submitted.exception(), ValueError)
    assert sorted(results(relay, 3)) == [
        ("cancelled", "interrupted", 1),
        ("future", "error", 1),
        ("task", "failed", 1),
    ]


def test_a_failed_task_that_nobody_looks_at_is_still_complained_about(relay):
    start(relay)
    said = []

    async def fails():
        raise ValueError

    async def use():
        asyncio.get_running_loop().set_exception_handler(lambda _, about: said.append(about))
        tracked_test("t")(lambda: asyncio.ensure_future(fails()))()
        await asyncio.sleep(0.01)
        gc.collect()

    asyncio.run(use())
    assert [about["message"] for about in said] == ["Task exception was never retrieved"]


@pytest.mark.filterwarnings("ignore:coroutine")
def test_a_coroutine_that_is_never_awaited_gives_no_result_and_warns(relay):
    start(relay)

    async def inner():
        """Never awaited."""

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        tracked_test("t")(lambda: inner())()
        gc.collect()
    assert any("never awaited" in str(one.message) for one in said)
    assert results(relay, 0) == []


def test_methods_class_methods_static_methods_and_partials(relay):
    start(relay)

    class Exercise:
        """Every kind of method."""

        x = 5

        @tracked_test("method")
        def method(self):
            return self.x

        @tracked_test("class, outside")
        @classmethod
        def outside(cls):
            return cls.x

        @classmethod
        @tracked_test("class, inside")
        def inside(cls):
            return cls.x

        @tracked_test("static")
        @staticmethod
        def static(x):
            return x

        @tracked_test
        @classmethod
        def bare(cls):
            return cls.x

        @property
        @tracked_test("property")
        def value(self):
            return self.x

    it = Exercise()
    assert [it.method(), it.outside(), it.inside(), it.static(5), it.bare(), it.value] == [5] * 6
    assert tracked_test("partial")(functools.partial(int, "5"))() == 5
    assert tracked_test("built in")(len)("12345") == 5
    assert [one[0] for one in results(relay, 8)] == [
        "method",
        "class, outside",
        "class, inside",
        "static",
        "bare",
        "property",
        "partial",
        "built in",
    ]


def test_of_a_class_the_test_methods_are_tracked_and_it_stays_that_class(relay):
    start(relay)

    @tracked_test("case")
    class Case(unittest.TestCase):
        """One of each."""

        helped = 0

        def helper(self):
            self.helped = 1

        def test_good(self):
            self.helper()

        def test_bad(self):
            assert self.helped

        @unittest.skip("later")
        def test_later(self):
            """Never runs."""

        @unittest.expectedFailure
        def test_expected(self):
            raise AssertionError

    assert isinstance(Case, type)
    assert issubclass(Case, unittest.TestCase)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(Case)
    outcome = unittest.TestResult()
    suite.run(outcome)
    assert (outcome.testsRun, len(outcome.failures), len(outcome.skipped)) == (4, 1, 1)
    assert len(outcome.expectedFailures) == 1
    told = {ex: status for ex, status, _ in results(relay, 3)}
    assert told == {
        "case.test_good": "passed",
        "case.test_bad": "failed",
        "case.test_expected": "failed",
    }


def test_what_cannot_be_called_fails_as_it_would_without_us(relay):
    start(relay)
    with pytest.raises(TypeError, match="not callable"):
        tracked_test("t")(5)()


def test_attempts_of_threads_are_counted_one_by_one(relay):
    start(relay)
    test = tracked_test("t")(lambda: None)
    threads = [threading.Thread(target=lambda: [test() for _ in range(20)]) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(attempt for _, _, attempt in results(relay, 100)) == list(range(1, 101))


class Odd(BaseException):
    """Not even an Exception."""


VALUES = st.none() | st.integers() | st.text() | st.lists(st.integers()) | st.builds(object)
ERRORS = st.sampled_from(
    [ValueError, Odd, SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit, TimeoutError]
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.text(), VALUES, st.none() | ERRORS, st.tuples(VALUES), st.dictionaries(st.text(), VALUES))
def test_nothing_of_a_test_is_changed(relay, name, value, kind, args, kwargs):
    if ipynb_telemetry.status()["session"] is None:
        start(relay)
    error = None if kind is None else kind("why")
    seen = []

    def test(*args, **kwargs):
        seen.append((args, kwargs))
        if error is not None:
            raise error
        return value

    decorated = builtins.tracked_test(name)(test)
    if error is None:
        assert decorated(*args, **kwargs) is value
    else:
        with pytest.raises(kind) as caught:
            decorated(*args, **kwargs)
        assert caught.value is error
    assert seen == [(args, kwargs)]


def test_a_student_may_replace_the_clock(relay):
    start(relay)
    relay.wait_for_events(1)

    @builtins.tracked_test("t")
    def test():
        return time.monotonic()

    with unittest.mock.patch("time.monotonic", side_effect=[1.5]):
        assert test() == 1.5  # none of its values is ours
        builtins._telemetry_capture("while")
        assert ipynb_telemetry.flush(10)
    assert len(relay.of("while")) == 1
    assert results(relay, 1) == [("t", "passed", 1)]


class Odd:
    """Answers no question."""

    def __getattr__(self, name):
        raise KeyError(name)


@pytest.mark.parametrize("value", [Odd(), unittest.mock.MagicMock()], ids=["odd", "mock"])
def test_what_a_test_returns_is_not_looked_at(relay, value):
    start(relay)

    @builtins.tracked_test("t")
    def test():
        return value

    assert test() is value
    assert vars(value).get("method_calls", []) == []
    assert results(relay, 1) == [("t", "passed", 1)]


def test_an_exception_that_cannot_be_written_reaches_the_caller(relay):
    start(relay)

    class Leaves(Exception):
        def __str__(self):
            raise SystemExit

    error = Leaves()

    @builtins.tracked_test("t")
    def test():
        raise error

    with pytest.raises(Leaves) as caught:
        test()
    assert caught.value is error
    assert results(relay, 1) == [("t", "error", 1)]
