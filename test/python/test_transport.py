"""Sending, against a real HTTP server: nothing lost, nothing blocks, nothing silent."""

import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from conftest import ROOT
from ipynb_telemetry import events, ids
from ipynb_telemetry.outbox import Source
from ipynb_telemetry.transport import Sender, Timing
from standin import COURSE, KEY, StandIn

QUICK = {"linger": 0.02, "first_retry": 0.05, "longest_retry": 0.1, "refused_retry": 0.1}


def quick(relay: StandIn, **changes: float) -> Sender:
    return Sender(relay.url, KEY, timing=Timing(**{**QUICK, **changes}))


def source(level: str | None = None) -> Source:
    return Source(events.Context("intro", "aB3dE5gH", "JOHN-DOE", "0.1.0"), level)


def custom(number: int = 0) -> events.Draft:
    return events.custom("hint", ids.event_id(), {"n": number})


def cell(error: tuple[str, str] | None = None) -> events.Draft:
    return events.cell(
        ids.event_id(),
        cell_id="a",
        cell_num=1,
        code="my_secret = 1",
        status="error" if error else "ok",
        ms=1,
        error=error,
        count=1,
        lines=1,
    )


def wait(enough, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_batch_has_posthogs_shape_and_is_gzipped(relay):
    sender, origin = quick(relay), source()
    for number in range(3):
        sender.put(origin, custom(number))
    relay.wait_for_events(3)
    body = relay.batches[0]
    assert set(body) == {"api_key", "batch", "sent_at"}
    assert body["api_key"] == KEY
    event = body["batch"][0]
    assert set(event) == {"event", "distinct_id", "uuid", "timestamp", "properties"}
    assert [e["properties"]["seq"] for e in relay.events] == [1, 2, 3]
    posts = [(path, headers) for method, path, headers in relay.requests if method == "POST"]
    assert posts[0][0] == "/batch/"
    assert posts[0][1]["content-encoding"] == "gzip"
    assert all(KEY not in path for _, path, _ in relay.requests)


def test_the_course_is_asked_before_the_first_batch(relay):
    sender = quick(relay)
    sender.put(source(), cell(("ValueError", "my secret")))
    (event,) = relay.wait_for_events(1)
    assert [path for _, path, _ in relay.requests] == ["/api/v1/course", "/batch/"]
    assert event["properties"]["code"] is None
    assert event["properties"]["err"] == "ValueError"


@pytest.mark.parametrize(
    ("course_level", "chosen", "sees_code"),
    [
        ("code", None, True),
        ("code", "outcomes", False),
        ("outcomes", "code", False),
        ("full", "code", True),
        ("unheard of", "code", False),
    ],
)
def test_of_course_and_caller_the_stricter_level_holds(course_level, chosen, sees_code):
    with StandIn({**COURSE, "level": course_level}) as relay:
        quick(relay).put(source(chosen), cell())
        (event,) = relay.wait_for_events(1)
    assert event["properties"]["code"] == ("my_secret = 1" if sees_code else None)


@pytest.mark.parametrize(("chosen", "code"), [(None, None), ("code", "my_secret = 1")])
def test_posthog_itself_has_no_course_and_the_callers_level_holds(chosen, code):
    with StandIn(course=None) as posthog:
        quick(posthog).put(source(chosen), cell())
        (event,) = posthog.wait_for_events(1)
    assert event["properties"]["code"] == code


def test_down_then_503_then_200_loses_nothing_and_keeps_ids(capsys):
    port = free_port()
    sender = Sender(f"http://127.0.0.1:{port}", KEY, timing=Timing(**QUICK))
    origin = source()
    drafts = [custom(number) for number in range(250)]
    for draft in drafts:
        sender.put(origin, draft)
    wait(lambda: sender.status()["last_error"])
    assert "cannot reach" in sender.status()["last_error"]
    with StandIn(port=port) as relay:
        relay.plan = [503, (503, {"Retry-After": "0"}, b""), 500]
        relay.wait_for_events(250)
        assert [e["uuid"] for e in relay.events] == [draft.uuid for draft in drafts]
        assert [e["properties"]["seq"] for e in relay.events] == list(range(1, 251))
        first = relay.attempts[0]
        assert relay.attempts[:4] == [first] * 4
        assert all(len(attempt) <= 100 for attempt in relay.attempts)
        wait(lambda: sender.status()["sent"] == 250)
    assert sender.status()["queued"] == sender.status()["failed"] == 0
    assert sender.status()["last_error"] is None
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2, lines
    assert "sending does not work" in lines[0]
    assert lines[1] == "ipynb-telemetry: sending works again."


def test_an_answer_that_never_reached_us_sends_the_same_events_again(relay):
    relay.delay = 0.4
    sender = quick(relay, request=0.2)
    draft = custom()
    sender.put(source(), draft)
    relay.wait_for(lambda: len(relay.attempts) >= 2)
    relay.delay = 0.0
    wait(lambda: sender.status()["sent"] == 1)
    assert {uuid for attempt in relay.attempts for uuid in attempt} == {draft.uuid}
    assert len({json.dumps(e, sort_keys=True) for e in relay.events}) == 1
    assert sender.status()["sent"] == 1


def test_one_poison_event_of_many_is_given_up_alone(relay, capsys):
    relay.refuse = lambda event: event["properties"]["n"] == 7
    sender, origin = quick(relay), source()
    for number in range(20):
        sender.put(origin, custom(number))
    relay.wait_for_events(19)
    wait(lambda: sender.status()["failed"] == 1)
    assert [e["properties"]["n"] for e in relay.events] == [n for n in range(20) if n != 7]
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "a poison event" in said


def test_too_large_a_batch_is_split(relay):
    relay.plan = [413, 413]
    sender, origin = quick(relay, linger=0.5), source()  # all in one batch, on any machine
    for number in range(8):
        sender.put(origin, custom(number))
    relay.wait_for_events(8)
    assert [len(attempt) for attempt in relay.attempts][:3] == [8, 4, 2]
    assert sender.status()["failed"] == 0


def test_an_event_of_a_megabyte_is_given_up_and_the_rest_goes(relay, capsys):
    sender, origin = quick(relay), source()
    sender.put(origin, events.custom("huge", ids.event_id(), {"x": "x" * 1_000_000}))
    sender.put(origin, custom(1))
    (event,) = relay.wait_for_events(1)
    assert event["event"] == "hint"
    assert sender.status()["failed"] == 1
    assert "larger than" in capsys.readouterr().err


def test_events_that_the_relay_sets_aside_are_counted(relay, capsys):
    rejected = {"status": "Ok", "rejected": [{"index": 0, "message": "properties.try: bad"}]}
    relay.plan = [(200, {}, json.dumps(rejected).encode())]
    sender, origin = quick(relay, linger=0.5), source()
    sender.put(origin, custom(0))
    sender.put(origin, custom(1))
    wait(lambda: sender.status()["failed"] == 1)
    assert sender.status()["sent"] == 1
    assert "properties.try: bad" in capsys.readouterr().err


def test_a_400_for_everything_says_that_the_address_is_wrong_and_keeps_all(capsys):
    with StandIn(course=None) as wrong:
        wrong.refuse = lambda event: True
        sender, origin = quick(wrong), source()
        for number in range(4):
            sender.put(origin, custom(number))
        wrong.wait_for(lambda: [len(a) for a in wrong.attempts].count(1) >= 2)
        assert sender.status()["failed"] == 0
        assert sender.status()["queued"] == 4
        wrong.refuse = None
        wrong.wait_for_events(4)
    assert "answered 400" in capsys.readouterr().err


def test_an_unknown_key_keeps_the_events_until_it_is_known(relay, capsys):
    relay.key = "nbt_another"
    sender = quick(relay)
    sender.put(source("code"), cell())
    relay.wait_for(lambda: len(relay.attempts) >= 2)
    assert sender.status()["queued"] == 1
    assert "unknown key" in str(sender.status()["last_error"])
    relay.key = KEY
    relay.wait_for_events(1)
    said = capsys.readouterr().err
    assert said.count("sending does not work") == 1
    assert KEY not in said


def test_a_redirect_is_not_followed_with_the_key(relay):
    relay.plan = [(307, {"Location": relay.url + "/elsewhere/"}, b"")]
    sender = quick(relay)
    sender.put(source(), custom())
    relay.wait_for_events(1)
    assert "/elsewhere/" not in [path for _, path, _ in relay.requests]


def test_slow_sending_never_holds_up_the_caller(relay):
    relay.delay = 0.5
    sender, origin = quick(relay), source()
    began = time.perf_counter()
    for number in range(1000):
        sender.put(origin, custom(number))
    assert time.perf_counter() - began < 0.4
    assert sender.flush(15)
    assert len(relay.events) == 1000


def test_a_full_queue_keeps_the_first_and_shows_the_loss_as_a_gap(capsys):
    port = free_port()
    sender = Sender(f"http://127.0.0.1:{port}", KEY, timing=Timing(**QUICK), max_events=10)
    origin = source()
    for number in range(15):
        sender.put(origin, custom(number))
    assert sender.status()["queued"] == 10
    assert sender.status()["failed"] == 5
    with StandIn(port=port) as relay:
        wait(lambda: sender.status()["sent"] == 10)
        sender.put(origin, custom(99))
        relay.wait_for_events(11)
        assert [e["properties"]["seq"] for e in relay.events] == [*range(1, 11), 16]
    assert "10 events wait to be sent" in capsys.readouterr().err


def test_held_events_go_unless_a_page_confirms_them(relay):
    sender, origin = quick(relay, hold=0.3), source()
    mine, theirs = custom(1), custom(2)
    sender.hold(origin, theirs)
    sender.hold(origin, mine)
    sender.confirm([theirs.uuid, "unknown", 5])
    (event,) = relay.wait_for_events(1)
    assert event["uuid"] == mine.uuid
    assert event["properties"]["seq"] == 1  # a confirmed event leaves no gap
    wait(lambda: sender.status()["sent"] == 1)
    assert sender.status()["confirmed"] == 1
    assert sender.status()["held"] == 0


def test_when_the_last_page_goes_its_events_are_sent_at_once(relay):
    sender, origin = quick(relay, hold=60.0), source()
    sender.hold(origin, custom())
    sender.release(origin)
    relay.wait_for_events(1)


def test_a_course_that_asks_first_gets_nothing_without_agreement(capsys):
    with StandIn({**COURSE, "consent": "opt-in"}) as relay:
        sender = quick(relay)
        sender.put(source(), custom())
        relay.wait_for(lambda: relay.requests)
        wait(lambda: sender._consent_told)
        assert not sender.flush(0.3)
        assert relay.attempts == []
        sender.begin(agreed=True)
        relay.wait_for_events(1)
    assert "asks for your agreement" in capsys.readouterr().err


def test_flush_gives_up_in_time_where_nobody_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sender = Sender(host, KEY, timing=Timing(**QUICK, request=5))
        sender.put(source(), custom())
        began = time.monotonic()
        assert sender.flush(0.5) is False
        assert time.monotonic() - began < 1.5


def test_a_forked_child_neither_hangs_nor_sends(relay):
    code = f"""
        import os, time
        from ipynb_telemetry import setup_telemetry
        setup_telemetry("n", host={relay.url!r}, api_key={KEY!r}, student_name="A B")
        _telemetry_capture("before")
        child = os.fork()
        if child == 0:
            _telemetry_capture("child")
            _cell("child")
            raise SystemExit(0)
        assert os.waitpid(child, 0)[1] == 0
        _telemetry_capture("after")
    """
    run_python(code)
    names = [e["event"] for e in relay.events]
    assert sorted(names) == ["after", "before", "start"]


def test_what_is_queued_at_exit_is_sent(relay):
    run_python(
        f"""
        from ipynb_telemetry import setup_telemetry
        setup_telemetry("n", host={relay.url!r}, api_key={KEY!r}, student_name="A B")
        for n in range(300):
            _telemetry_capture("hint", {{"n": n}})
        """
    )
    assert [e["properties"]["seq"] for e in relay.events] == list(range(1, 302))


def test_what_cannot_be_sent_at_exit_is_said_and_exit_takes_seconds():
    began = time.monotonic()
    done = run_python(
        f"""
        from ipynb_telemetry import setup_telemetry
        host = "http://127.0.0.1:{free_port()}"
        setup_telemetry("n", host=host, api_key={KEY!r}, student_name="A B")
        """
    )
    assert time.monotonic() - began < 10
    assert "1 events could not be delivered (cannot reach 127.0.0.1" in done.stderr
    assert KEY not in done.stderr + done.stdout


def test_a_python_without_threads_says_so_and_goes_on(relay, monkeypatch, capsys):
    def no_threads(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    sender = quick(relay)
    sender.put(source(), custom())
    sender.put(source(), custom())
    assert not sender.flush(0.1)
    said = capsys.readouterr().err
    assert said.count("cannot send from this Python") == 1


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code with the package from this checkout; fails on a non-zero exit."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
