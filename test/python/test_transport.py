"""Sending, against a real HTTP server: nothing lost, nothing blocks, nothing silent."""

import json
import socket
import threading
import time

import pytest
from ipynb_telemetry import events, ids
from sending import POSTHOG_KEY, cell, custom, free_port, quick, source, wait
from standin import COURSE, KEY, StandIn


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
    with StandIn(course=None, key=POSTHOG_KEY) as posthog:
        sender = quick(posthog)
        assert sender.course_known(5) is None
        sender.put(source(chosen), cell())
        (event,) = posthog.wait_for_events(1)
    assert event["properties"]["code"] == code
    assert event["properties"]["$geoip_disable"] is True
    assert [path for _, path, _ in posthog.requests] == ["/batch/"]


def test_down_then_503_then_200_loses_nothing_and_keeps_ids(capsys):
    port = free_port()
    sender = quick(f"http://127.0.0.1:{port}")
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
    with StandIn(course=None, key=POSTHOG_KEY) as wrong:
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
    relay.wait_for(lambda: len(relay.requests) >= 2)
    assert sender.status()["queued"] == 1
    assert "answered 401" in str(sender.status()["last_error"])
    assert relay.attempts == []  # a course that is not known may be one that asks first
    relay.key = KEY
    relay.wait_for_events(1)
    said = capsys.readouterr().err
    assert said.count("sending does not work") == 1
    assert KEY not in said


def test_a_key_that_is_revoked_has_the_course_asked_anew(relay):
    sender, origin = quick(relay), source("code")
    sender.put(origin, custom())
    relay.wait_for_events(1)
    relay.course = {**COURSE, "level": "code"}
    relay.plan = [401]
    sender.put(origin, cell())
    (event,) = relay.wait_for_events(1, "cell")
    assert [path for _, path, _ in relay.requests][-4:] == [
        *("/batch/", "/batch/", "/api/v1/course", "/batch/")
    ]
    assert event["properties"]["code"] is None  # as it was when the cell ran


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
    assert time.perf_counter() - began < 2.0  # the ten requests take five seconds
    assert sender.flush(15)
    assert len(relay.events) == 1000


def test_a_full_queue_keeps_the_first_and_shows_the_loss_as_a_gap(capsys):
    with StandIn() as relay:
        sender, origin = quick(relay, max_events=10), source()
        assert sender.course_known(5)
    for number in range(15):
        sender.put(origin, custom(number))
    assert sender.status()["queued"] == 10
    assert sender.status()["dropped"] == 5
    with StandIn(port=relay.port) as relay:
        wait(lambda: sender.status()["sent"] == 10)
        sender.put(origin, custom(99))
        relay.wait_for_events(11)
        assert [e["properties"]["n"] for e in relay.events] == [*range(10), 99]
        assert [e["properties"]["seq"] for e in relay.events] == [*range(1, 11), 16]
        wait(lambda: sender.counts(origin) == (16, 11, 5))
    assert "10 events wait to be sent" in capsys.readouterr().err


def test_what_is_lost_while_the_course_is_unknown_leaves_a_gap_too():
    port = free_port()
    sender, origin = quick(f"http://127.0.0.1:{port}", max_events=10), source()
    for number in range(15):
        sender.put(origin, custom(number))
    with StandIn(port=port) as relay:
        wait(lambda: sender.status()["sent"] == 10)
        sender.put(origin, custom(99))
        relay.wait_for_events(11)
        assert relay.events[-1]["properties"]["seq"] == 16


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


def test_flush_gives_up_in_time_where_nobody_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = f"http://127.0.0.1:{silent.getsockname()[1]}"
        sender = quick(host, request=5)
        sender.put(source(), custom())
        began = time.monotonic()
        assert sender.flush(0.5) is False
        assert time.monotonic() - began < 1.5


def test_a_python_without_threads_says_so_and_goes_on(relay, monkeypatch, capsys):
    def no_threads(self):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", no_threads)
    sender = quick(relay)
    sender.put(source(), custom())
    sender.put(source(), custom())
    assert not sender.flush(0.1)
    assert sender.course_known(5) is None
    said = capsys.readouterr().err
    assert said.count("cannot send from this Python") == 1


def test_pyodide_keeps_nothing_and_says_that_a_page_reports(relay, monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "emscripten")
    sender = quick(relay)
    sender.begin(agreed=False)
    sender.put(source(), custom())
    sender.hold(source(), custom())
    assert sender.flush(0.1)
    assert (sender.status()["queued"], sender.status()["held"]) == (0, 0)
    assert "A page with the extension reports" in capsys.readouterr().err
    assert relay.requests == []


def test_what_is_accepted_is_told(relay):
    told: list[dict] = []
    sender = quick(relay, linger=0.3)
    sender.on_sent = told.extend
    rejected = {"status": "Ok", "rejected": [{"index": 0, "message": "bad"}]}
    relay.plan = [503, (200, {}, json.dumps(rejected).encode())]
    origin = source()
    for number in range(3):
        sender.put(origin, custom(number))
    wait(lambda: len(told) == 2)
    assert [event["properties"]["n"] for event in told] == [1, 2]
    assert sender.counts(origin) == (3, 2, 1)


def test_a_listener_that_raises_does_no_harm(relay):
    sender = quick(relay)
    sender.on_sent = lambda events: 1 / 0
    sender.put(source(), custom())
    wait(lambda: sender.status()["sent"] == 1)
    assert sender.status()["last_error"] is None


def test_what_a_page_confirmed_is_the_pages_and_what_is_held_is_still_ours(relay):
    sender, origin = quick(relay, hold=60.0), source()
    mine = custom(1)
    sender.hold(origin, mine)
    sender.hold(origin, custom(2))
    assert sender.counts(origin) == (2, 0, 0)
    sender.confirm([mine.uuid])
    assert sender.counts(origin) == (1, 0, 0)
    sender.release(origin)
    wait(lambda: sender.counts(origin) == (1, 1, 0))


def test_the_course_is_known_in_the_time_that_is_given(relay):
    sender = quick(relay)
    assert sender.course_known(0) is None  # but it is being asked
    relay.wait_for(lambda: relay.requests)
    settings = sender.course_known(5)
    assert settings is not None
    assert settings["course"] == "demo"
    assert sender.course_known(0) == settings
    assert len(relay.requests) == 1


def test_where_nobody_answers_the_course_stays_unknown():
    refusing = quick(f"http://127.0.0.1:{free_port()}")
    began = time.monotonic()
    assert refusing.course_known(5) is None
    assert time.monotonic() - began < 3  # it does not wait for what cannot come
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        began = time.monotonic()
        assert quick(f"http://127.0.0.1:{silent.getsockname()[1]}").course_known(0.3) is None
        assert 0.2 < time.monotonic() - began < 2


def test_an_answer_that_something_is_not_collected_has_the_course_asked_anew(relay):
    sender, origin = quick(relay), source()
    sender.put(origin, custom(1))
    relay.wait_for_events(1)
    relay.course = {**COURSE, "events": ["test"]}
    relay.plan = [(200, {}, b'{"status":"Ok","not_collected":1}')]
    sender.put(origin, cell())
    wait(lambda: sender.status()["sent"] == 2)
    sender.put(origin, cell())
    sender.put(origin, custom(2))
    relay.wait_for_events(2, "hint")
    assert [e["event"] for e in relay.events] == ["hint", "cell", "hint"]
    assert [e["properties"]["seq"] for e in relay.events] == [1, 2, 3]
    wait(lambda: sender.counts(origin) == (3, 3, 0))


def test_settings_are_asked_for_again_after_a_while_and_nothing_leaves_without_them(relay):
    sender, origin = quick(relay, course=0.05), source("code")
    sender.put(origin, custom(1))
    relay.wait_for_events(1)
    relay.course = {**COURSE, "level": "code"}
    time.sleep(0.1)
    sender.put(origin, custom(2))
    relay.wait_for_events(2)
    sender.put(origin, cell())
    (event,) = relay.wait_for_events(1, "cell")
    assert event["properties"]["code"] == "my_secret = 1"
    relay.course, relay.course_status = None, 503
    time.sleep(0.1)
    sender.put(origin, custom(3))
    wait(lambda: "503" in str(sender.status()["last_error"]))
    assert len(relay.events) == 3


def test_an_idle_sender_asks_nothing(relay):
    sender = quick(relay, course=0.01)
    sender.put(source(), custom())
    relay.wait_for_events(1)
    asked = len(relay.requests)
    time.sleep(0.3)
    assert len(relay.requests) == asked


def test_plain_http_to_a_tls_port_and_back_is_an_outage_like_any_other(relay):
    sender = quick(relay.url.replace("http:", "https:"))
    sender.put(source(), custom())
    wait(lambda: sender.status()["last_error"])
    assert "cannot reach 127.0.0.1" in sender.status()["last_error"]
    assert sender.status()["queued"] == 1
    assert threading.active_count() < 200


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("which", ["ipynb-telemetry", "ipynb-telemetry-spool"])
def test_a_thread_that_has_ended_is_replaced(relay, which):
    sender, session = quick(relay), source()
    sender.put(session, custom(1))
    relay.wait_for_events(1)
    office = sender._office
    (thread,) = (one for one in sender._threads if one.name == which)
    target = office.outbox
    fault = SystemExit()  # ends a thread without a word

    def ends(*_):
        if threading.current_thread() is thread:
            raise fault
        return False

    office.stale = ends
    target.oldest_unkept = ends
    with office.changed:
        target.struck.append("x")
    sender.put(session, custom(2))
    thread.join(5)
    del office.stale, target.oldest_unkept
    assert not thread.is_alive()
    sender.put(session, custom(3))
    assert len(relay.wait_for_events(3)) == 3
    assert [one.is_alive() for one in sender._threads] == [True, True]


def test_a_fault_in_a_loop_does_not_end_its_thread(relay, monkeypatch):
    sender, session = quick(relay), source()
    sender.put(session, custom(1))
    relay.wait_for_events(1)
    office, left = sender._office, [1, 2]
    real = office.release

    def release(*args):
        if left:
            raise StopIteration(left.pop())
        return real(*args)

    monkeypatch.setattr(office, "release", release)
    before = list(sender._threads)
    sender.put(session, custom(2))
    relay.wait_for_events(2)
    assert not left
    assert sender._threads == before
    assert all(one.is_alive() for one in before)
