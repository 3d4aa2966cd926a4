"""Consent at the sender: nothing is kept or sent before a yes, and nothing after a no."""

import threading
import time
from pathlib import Path

import pytest
from ipynb_telemetry import events, ids, spool
from ipynb_telemetry.gate import Gate
from ipynb_telemetry.policy import Policy, of_environment, parse
from sending import POSTHOG_KEY, cell, custom, free_port, quick, source, wait
from standin import COURSE, StandIn

OPT_IN = {**COURSE, "consent": "opt-in"}


def consented(action: str) -> events.Draft:
    about = {"action": action, "level": "outcomes", "notice_version": 1}
    return events.Draft("consent", ids.event_id(), about)


def files() -> list[Path]:
    folder = Path(spool.folder())
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def asking():
    """A relay whose course asks first."""
    with StandIn(OPT_IN) as relay:
        yield relay


def test_a_course_that_asks_gets_nothing_without_agreement_and_nothing_from_before_it(asking):
    sender, origin = quick(asking, keep=0.0), source()
    assert sender.course_known(5)
    sender.begin(agreed=False)
    sender.put(origin, custom(1))
    sender.hold(origin, custom(2))
    assert sender.flush(0.3)
    assert (sender.counts(origin), files(), asking.attempts) == ((0, 0, 0), [], [])
    sender.consent(True)
    sender.put(origin, custom(3))
    (event,) = asking.wait_for_events(1)
    assert event["properties"]["n"] == 3
    assert event["properties"]["seq"] == 1


def test_what_was_held_until_the_course_is_known_is_thrown_away_where_it_asks(capsys):
    port = free_port()
    sender, origin = quick(f"http://127.0.0.1:{port}", keep=0.0), source()
    sender.begin(agreed=False)
    sender.put(origin, custom(1))
    wait(lambda: sender.status()["on_disk"] == 1)
    with StandIn(OPT_IN, port=port) as relay:
        wait(lambda: sender.status()["queued"] == 0)
        wait(lambda: files() == [])
        sender.consent(True, "outcomes")
        sender.put(origin, custom(2))
        (event,) = relay.wait_for_events(1)
    assert event["properties"]["n"] == 2
    assert "asks for your agreement" in capsys.readouterr().err


def test_who_has_agreed_before_loses_nothing(asking):
    sender, origin = quick(asking), source()
    sender.begin(agreed=True, level="outcomes")
    sender.put(origin, custom(1))
    asking.wait_for_events(1)


def test_what_an_earlier_kernel_left_behind_is_erased_where_nobody_agrees_now(asking):
    former = spool.Spool(asking.url, "nbt_test")
    former.append([("one", b'{"event":"hint","uuid":"one","distinct_id":"A","properties":{}}')], 0)
    former.abandon()
    sender = quick(asking)
    assert sender.course_known(5)
    assert len(files()) == 1  # the student may be about to agree
    sender.begin(agreed=False)
    wait(lambda: files() == [])


@pytest.mark.parametrize("course", [COURSE, OPT_IN])
def test_a_no_drops_everything_that_waits_and_nothing_after_it_arrives(course):
    with StandIn(course) as relay:
        relay.plan = [503] * 1000
        sender, origin = quick(relay, keep=0.0), source()
        sender.begin(agreed=True)
        for number in range(300):
            sender.put(origin, custom(number))
        sender.hold(origin, custom(301))
        wait(lambda: sender.status()["on_disk"] == 300)
        sender.consent(False)
        assert files() == []
        assert (sender.status()["queued"], sender.status()["held"]) == (0, 0)
        time.sleep(0.5)  # what had left before is refused as well
        relay.plan = []
        sender.put(origin, custom(302))
        sender.hold(origin, custom(303))
        sender.begin(agreed=False)  # running the setup cell again changes nothing
        sender.put(origin, custom(304))
        time.sleep(0.5)
        assert relay.events == []
        assert files() == []
        sender.consent(True)
        sender.put(origin, custom(305))
        assert [e["properties"]["n"] for e in relay.wait_for_events(1)] == [305]


def test_a_request_under_way_is_broken_off(relay):
    relay.delay = 2.0
    sender, origin = quick(relay), source()
    sender.begin(agreed=False)
    sender.put(origin, custom())
    wait(lambda: sender._office.line is not None and sender._office.line._socket is not None)
    began = time.monotonic()
    sender.consent(False)
    assert time.monotonic() - began < 0.5
    wait(lambda: sender._office.line is None)
    assert time.monotonic() - began < 1.5  # it did not wait for the answer
    assert sender.status()["last_error"] is None


def test_a_withdrawal_is_the_last_thing_that_leaves(relay):
    relay.delay = 0.2
    sender, origin = quick(relay, keep=0.0), source()
    sender.begin(agreed=False)
    for number in range(250):
        sender.put(origin, custom(number))
    relay.wait_for(lambda: relay.attempts)
    draft = consented("withdrawn")
    sender.withdraw(origin, draft)
    sender.put(origin, custom(999))
    before = len(relay.wait_for_events(1, "consent"))
    assert before == 1
    time.sleep(0.5)
    arrived = [e["uuid"] for batch in relay.batches for e in batch["batch"]]
    assert arrived[-1] == draft.uuid
    assert 999 not in [e["properties"].get("n") for e in relay.events]
    numbers = [e["properties"]["seq"] for e in relay.events]
    assert numbers[-1] == max(numbers)
    assert files() == []


def test_a_withdrawal_is_tried_again_and_never_written_down():
    port = free_port()
    sender, origin = quick(f"http://127.0.0.1:{port}", keep=0.0), source()
    sender.begin(agreed=True)
    sender.withdraw(origin, consented("withdrawn"))
    wait(lambda: sender.status()["last_error"])
    assert sender.keep() == (1, 0)
    assert files() == []
    with StandIn(port=port) as relay:
        (event,) = relay.wait_for_events(1)
        assert event["properties"]["action"] == "withdrawn"
        assert sender.flush(5)


def test_what_comes_between_a_no_and_a_yes_is_never_sent_whatever_the_threads_do(relay):
    sender, origin = quick(relay, linger=0.0, keep=0.0), source()
    sender.begin(agreed=True)
    stop = threading.Event()
    allowed, numbers = [True], iter(range(1_000_000))
    lock = threading.Lock()
    forbidden: set[int] = set()

    def work():
        while not stop.is_set():
            with lock:
                number = next(numbers)
                if not allowed[0]:
                    forbidden.add(number)
                sender.put(origin, custom(number))
            time.sleep(0.0005)

    worker = threading.Thread(target=work)
    worker.start()
    for _ in range(20):
        for answer in (False, True):
            with lock:
                allowed[0] = answer
                sender.consent(answer)
            time.sleep(0.01)
    stop.set()
    worker.join()
    assert sender.flush(10)
    assert len(forbidden) > 20
    assert relay.events
    assert not forbidden & {e["properties"]["n"] for e in relay.events}
    assert len({e["properties"]["seq"] for e in relay.events}) == len(relay.events)


def test_a_running_kernel_hears_that_its_course_begins_to_ask(relay, capsys):
    sender, origin = quick(relay, course=0.05), source()
    sender.begin(agreed=False)
    sender.put(origin, custom(1))
    relay.wait_for_events(1)
    relay.course = OPT_IN
    time.sleep(0.1)
    sender.put(origin, custom(2))
    wait(lambda: sender.status()["queued"] == 0)
    sender.put(origin, custom(3))
    assert sender.flush(0.3)
    assert [e["properties"]["n"] for e in relay.events] == [1]
    assert "asks for your agreement" in capsys.readouterr().err


def test_the_level_that_the_student_agreed_to_holds():
    with StandIn({**COURSE, "level": "code"}) as relay:
        sender, origin = quick(relay), source()
        sender.begin(agreed=True, level="outcomes")
        sender.put(origin, cell())
        relay.wait_for_events(1)
        relay.plan = [503] * 3
        sender.put(origin, cell())
        sender.consent(True, "code")
        sender.put(origin, cell())
        relay.wait_for_events(3)
    codes = [e["properties"]["code"] for e in relay.events]
    assert codes == [None, None, "my_secret = 1"]  # the second ran before the student allowed more


def test_a_lower_level_reduces_what_waits_on_the_disk_too():
    port = free_port()
    with StandIn({**COURSE, "level": "code"}, port=port) as relay:
        sender, origin = quick(relay, keep=0.0), source()
        sender.begin(agreed=True, level="code")
        assert sender.course_known(5)
        relay.plan = [503] * 1000
        sender.put(origin, cell())
        wait(lambda: files() and "my_secret" in files()[0].read_text())
        sender.consent(True, "outcomes")
        wait(lambda: files() and files()[0].stat().st_size > 0)
        assert "my_secret" not in files()[0].read_text()
        relay.plan = []
        (event,) = relay.wait_for_events(1)
    assert event["properties"]["code"] is None


def test_whoever_settles_it_is_asked_each_time_and_a_newer_decision_stands(relay):
    asked: list[dict] = []
    sender = quick(relay, course=0.05)

    def settle(settings):
        asked.append(settings)
        if len(asked) == 1:
            sender.consent(False)  # the student decides while we look it up
            return True, None
        return len(asked) == 2, "outcomes"

    sender.settle = settle
    sender.begin(agreed=True)
    origin = source()
    wait(lambda: asked)
    sender.put(origin, custom(1))
    assert sender.flush(0.3)
    assert relay.events == []
    sender.begin(agreed=True)
    wait(lambda: len(asked) == 2)
    sender.put(origin, custom(2))
    relay.wait_for_events(1)
    time.sleep(0.1)
    sender.put(origin, custom(3))
    wait(lambda: len(asked) >= 3)
    wait(lambda: sender.status()["queued"] == 0)
    assert [e["properties"]["n"] for e in relay.events] == [2]


def test_where_it_cannot_be_settled_nothing_is_sent(relay):
    sender = quick(relay)
    sender.settle = lambda settings: 1 / 0
    sender.begin(agreed=True)
    sender.put(source(), custom())
    wait(lambda: "ZeroDivisionError" in str(sender.status()["last_error"]))
    assert relay.attempts == []


@pytest.mark.parametrize(
    ("policy", "closed", "level", "collects_cells"),
    [
        ("", False, "code", True),
        ('{"level":"outcomes"}', False, "outcomes", True),
        ('{"level":"full"}', False, "code", True),
        ('{"level":"everything"}', False, "outcomes", True),
        ('{"consent":"opt-in"}', True, "code", True),
        ('{"consent":"notice"}', False, "code", True),
        ('{"consent":"whatever"}', True, "code", True),
        ('{"events":["test"]}', False, "code", False),
        ('{"events":[]}', False, "code", True),
        ('{"enabled":false}', True, "code", True),
        ("no json", True, "outcomes", True),
        ("[1]", True, "outcomes", True),
    ],
)
def test_the_policy_is_above_course_and_caller(policy, closed, level, collects_cells):
    gate = Gate(parse(policy))
    assert gate.closed == closed
    gate.learn({**COURSE, "level": "code"})
    assert gate.closed == closed
    assert gate.level("full") == level
    assert gate.collects("cell") == collects_cells
    assert gate.collects("hint")
    assert gate.collects("consent")


def test_a_policy_says_what_it_was_told():
    assert not Policy().is_set
    policy = Policy(level="code", opt_in=True, events=("cell",), mandatory=True)
    assert policy.is_set
    again = of_environment({"TELEMETRY_POLICY": policy.to_json()})
    assert again.to_json() == policy.to_json()
    assert not of_environment({"TELEMETRY_POLICY": Policy(enabled=False).to_json()}).enabled


def test_the_policy_of_the_server_holds_for_posthog_too(monkeypatch):
    monkeypatch.setenv("TELEMETRY_POLICY", '{"level":"outcomes","events":["cell"]}')
    with StandIn(course=None, key=POSTHOG_KEY) as posthog:
        sender, origin = quick(posthog), source("code")
        sender.begin(agreed=False)
        sender.put(origin, events.start(ids.event_id(), client="k", kernel="k", language="p"))
        sender.put(origin, cell())
        (event,) = posthog.wait_for_events(1)
    assert event["event"] == "cell"
    assert event["properties"]["seq"] == 1
    assert event["properties"]["code"] is None


def test_where_it_is_switched_off_nothing_is_asked_kept_or_sent(relay, monkeypatch):
    monkeypatch.setenv("TELEMETRY_POLICY", '{"enabled":false}')
    sender = quick(relay)
    sender.begin(agreed=True)
    assert sender.course_known(5) is None
    sender.put(source(), custom())
    sender.withdraw(source(), consented("withdrawn"))
    assert sender.flush(0.2)
    assert relay.requests == []
