"""The spool: nothing that could not be sent is lost, nothing that may not be kept is."""

import json
import os
import stat
import time
from pathlib import Path

import pytest
from ipynb_telemetry import spool, spoolfile, transport
from ipynb_telemetry.spool import Spool
from sending import cell, custom, free_port, quick, run_python, source, wait
from standin import COURSE, KEY, StandIn

pytestmark = pytest.mark.skipif(os.name == "nt", reason="looks at POSIX permissions")

EVENT = {"event": "hint", "distinct_id": "A", "properties": {"seq": 1}}


def event(uuid: str) -> dict:
    return {**EVENT, "uuid": uuid}


def line(uuid: str) -> tuple[str, bytes]:
    return uuid, json.dumps(event(uuid)).encode()


def files() -> list[Path]:
    folder = Path(spool.folder())
    return sorted(folder.iterdir()) if folder.exists() else []


def left_behind(*uuids: str, host: str = "http://a", key: str = KEY) -> Path:
    """A file whose owner is gone."""
    former = Spool(host, key)
    assert former.append([line(uuid) for uuid in uuids], former.generation)
    former.abandon()
    return files()[-1]


def test_files_are_for_this_user_alone_and_their_names_tell_no_key():
    path = left_behind("one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.parent.parent.stat().st_mode) == 0o700
    assert KEY not in str(path) + path.read_text()
    assert "http" not in path.name


def test_what_was_left_behind_is_taken_over_once_and_then_kept_anew():
    left_behind("one", "two")
    mine, theirs = Spool("http://a", KEY), Spool("http://a", KEY)
    events, more = mine.take_over()
    assert ([e["uuid"] for e in events], more) == (["one", "two"], True)
    assert theirs.take_over() == ([], False)
    assert mine.take_over() == ([], False)
    assert mine.count == 2
    mine.abandon()  # it is killed before it has sent them
    assert [e["uuid"] for e in theirs.take_over()[0]] == ["one", "two"]


def test_another_address_or_key_is_somebody_elses():
    left_behind("one")
    assert Spool("http://b", KEY).take_over() == ([], False)
    assert Spool("http://a", "nbt_other").take_over() == ([], False)
    assert len(Spool("http://a", KEY).take_over()[0]) == 1


def test_what_was_sent_is_struck_and_at_last_no_file_is_left():
    former = Spool("http://a", KEY)
    former.append([line("one"), line("two"), line("three")], 0)
    former.strike(["one", "three"], 0)
    former.abandon()
    mine = Spool("http://a", KEY)
    assert [e["uuid"] for e in mine.take_over()[0]] == ["two"]
    mine.strike(["two"], 0)
    assert files() == []


def test_damaged_lines_are_skipped_and_the_rest_is_kept():
    path = left_behind("one", "two")
    whole = path.read_bytes()
    nonsense = b'{"event":"x"}\n[1,2]\n"text"\n\xff\xfe\n' + b"[" * 100_000 + b"\n"
    path.write_bytes(nonsense + b"\x00" * 50 + whole[:-7])  # and cut off at the end
    mine = Spool("http://a", KEY)
    assert mine.take_over()[0] == []  # the zeros hide the first line, the cut the second
    path.unlink(missing_ok=True)
    path = left_behind("one", "two")
    path.write_bytes(nonsense + path.read_bytes() + b'{"event":"cel')
    assert [e["uuid"] for e in mine.take_over()[0]] == ["one", "two"]


def test_an_event_that_stands_in_two_files_comes_once():
    left_behind("one", "two")
    left_behind("two", "three")
    mine = Spool("http://a", KEY)
    first, _ = mine.take_over()
    second, _ = mine.take_over()
    assert sorted(e["uuid"] for e in [*first, *second]) == ["one", "three", "two"]


def test_erasing_leaves_nothing_and_what_was_on_its_way_there_is_not_written():
    left_behind("orphan")
    left_behind("another key", key="nbt_other")
    mine = Spool("http://a", KEY)
    mine.append([line("one")], 0)
    assert mine.erase() == 2
    assert len(files()) == 1
    assert mine.append([line("late")], 0)
    assert len(files()) == 1
    assert mine.append([line("new")], mine.generation)
    assert spool.erase_all() == 2
    assert files() == []


def test_a_file_that_somebody_deleted_is_begun_anew():
    mine = Spool("http://a", KEY)
    mine.append([line("one")], 0)
    assert spool.erase_all() == 1
    assert mine.append([line("two")], 0)
    assert len(files()) == 1
    assert "two" in files()[0].read_text()


def test_a_file_of_which_most_is_struck_is_written_anew(monkeypatch):
    monkeypatch.setattr(spool, "MAX_FILE_BYTES", 3000)
    mine = Spool("http://a", KEY)
    mine.append([line("stays")], 0)
    for number in range(100):
        mine.append([line(f"goes {number}")], 0)
        mine.strike([f"goes {number}"], 0)
    (path,) = files()
    assert path.stat().st_size < 3500
    mine.abandon()
    assert [e["uuid"] for e in Spool("http://a", KEY).take_over()[0]] == ["stays"]


@pytest.fixture
def fill_disk(monkeypatch):
    """Fills the disk when called. Permissions would not do: root may write everywhere."""

    def refuse(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    return lambda: monkeypatch.setattr(spoolfile.os, "write", refuse)


def test_a_full_disk_is_said_once_and_memory_does(fill_disk, capsys):
    fill_disk()
    port = free_port()
    sender, origin = quick(f"http://127.0.0.1:{port}"), source()
    sender.begin(agreed=False)
    for number in range(3):
        sender.put(origin, custom(number))
    said = ""
    deadline = time.monotonic() + 10
    while "in memory only" not in said and time.monotonic() < deadline:
        time.sleep(0.02)
        said += capsys.readouterr().err
    assert "No space left on device" in said
    with StandIn(port=port) as relay:
        relay.wait_for_events(3)
        wait(lambda: sender.status()["sent"] == 3)
    assert said.count("in memory only") == 1
    assert all(path.stat().st_size == 0 for path in files())


def test_what_cannot_be_moved_on_a_full_disk_is_sent_all_the_same(relay, fill_disk):
    left_behind("one", "two", host=relay.url)
    fill_disk()
    sender = quick(relay)
    sender.begin(agreed=False)
    assert [e["uuid"] for e in relay.wait_for_events(2)] == ["one", "two"]
    wait(lambda: files() == [])


def test_a_home_that_is_a_file_costs_nothing_but_the_spool(relay, monkeypatch, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELEMETRY_HOME", str(tmp_path / "file"))
    sender = quick(relay, keep=0.0)
    relay.plan = [503, 503]
    sender.begin(agreed=False)
    sender.put(source(), custom())
    relay.wait_for_events(1)
    assert capsys.readouterr().err.count("in memory only") == 1


def test_what_waits_longer_than_a_moment_is_on_the_disk_while_the_relay_is_silent(relay):
    relay.delay = 1.5
    sender, origin = quick(relay, keep=0.2), source()
    sender.begin(agreed=False)
    sender.put(origin, cell())
    wait(lambda: sender.status()["on_disk"] == 1)
    assert relay.events == []
    (path,) = files()
    (kept,) = [json.loads(text) for text in path.read_text().splitlines()]
    assert kept["properties"]["seq"] == 1
    assert kept["properties"]["code"] is None
    relay.wait_for_events(1)
    wait(lambda: files() == [])
    assert kept == relay.events[0]


def test_what_no_page_confirms_is_on_the_disk_although_the_relay_is_silent(relay):
    relay.delay = 1.5
    sender, origin = quick(relay, keep=0.2), source()
    sender.begin(agreed=False)
    sender.put(origin, cell())
    wait(lambda: sender._office.outbox.flying)
    sender.hold(origin, cell(), 0.1)
    wait(lambda: sender.status()["on_disk"] == 2)
    assert relay.events == []


def test_where_all_is_well_no_file_is_ever_made(relay):
    sender, origin = quick(relay), source()
    sender.begin(agreed=False)
    for number in range(50):
        sender.put(origin, custom(number))
    relay.wait_for_events(50)
    assert not Path(spool.folder()).exists()


def test_the_level_holds_on_the_disk_before_the_course_is_known_and_after():
    port = free_port()
    sender = quick(f"http://127.0.0.1:{port}")
    sender.begin(agreed=False)
    sender.put(source("code"), cell())
    sender.put(source(), cell())
    wait(lambda: sender.status()["on_disk"] == 2)
    (path,) = files()
    codes = [json.loads(text)["properties"]["code"] for text in path.read_text().splitlines()]
    assert codes == ["my_secret = 1", None]
    with StandIn({**COURSE, "level": "outcomes"}, port=port) as relay:
        relay.plan = [503] * 1000
        wait(lambda: files() and files()[0].stat().st_size > 0 and files()[0] != path)
        assert "my_secret" not in "".join(file.read_text() for file in files())
        relay.plan = []
        relay.wait_for_events(2)
    assert "my_secret" not in str(relay.events)


def test_code_is_not_lost_because_the_course_was_not_known_at_first():
    port = free_port()
    sender = quick(f"http://127.0.0.1:{port}")
    sender.begin(agreed=False)
    sender.put(source(), cell())
    wait(lambda: sender.status()["on_disk"] == 1)
    with StandIn({**COURSE, "level": "code"}, port=port) as relay:
        (event,) = relay.wait_for_events(1)
    assert event["properties"]["code"] == "my_secret = 1"


def test_what_was_left_behind_is_sent_first_and_to_pages_told():
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    former = quick(host)
    former.begin(agreed=False)
    old = source(sess="former")
    for number in range(250):
        former.put(old, custom(number))
    wait(lambda: former.status()["on_disk"] == 250)
    former.abandon()
    told: list[dict] = []
    with StandIn(port=port) as relay:
        sender = quick(host)
        sender.on_sent = told.extend
        sender.begin(agreed=False)
        sender.put(source(), custom(999))
        events = relay.wait_for_events(251)
        wait(lambda: len(told) == 251)
        wait(lambda: files() == [])
    assert [e["properties"]["seq"] for e in events] == [*range(1, 251), 1]
    assert len({e["uuid"] for e in events}) == 251


def test_what_is_taken_over_while_our_file_is_begun_anew_stays_on_the_disk(relay, monkeypatch):
    left_behind("one", "two", host=relay.url)
    relay.plan = [503] * 1000
    sender = quick(relay, keep=0.0)
    office = sender._office
    take_over = office.spool.take_over

    def taken_over():
        taken = take_over()
        if taken[1]:
            office.rewrite()  # as when the student lowers the level just now
        return taken

    monkeypatch.setattr(office.spool, "take_over", taken_over)
    sender.begin(agreed=False)
    wait(lambda: sender.status()["on_disk"] == 2)
    assert {json.loads(text)["uuid"] for text in files()[0].read_text().splitlines()} == {
        *("one", "two")
    }


def test_what_the_course_no_longer_collects_is_not_taken_along(relay):
    left_behind("one", host=relay.url)
    path = files()[0]
    run = {**event("two"), "event": "cell"}
    path.write_text(path.read_text() + json.dumps(run) + "\n")
    relay.course = {**COURSE, "events": ["test"]}
    sender = quick(relay)
    sender.begin(agreed=False)
    assert [e["uuid"] for e in relay.wait_for_events(1)] == ["one"]
    wait(lambda: files() == [])


def test_without_a_session_nothing_is_taken_over(relay):
    path = left_behind("one", host=relay.url)
    sender = quick(relay)
    assert sender.course_known(5)
    sender.put(source(), custom())
    relay.wait_for_events(1)
    assert path.exists()
    sender.begin(agreed=False)
    relay.wait_for_events(2)


def test_while_the_relay_is_away_files_do_not_pile_up():
    host = f"http://127.0.0.1:{free_port()}"
    for round_ in range(4):
        sender = quick(host)
        sender.begin(agreed=False)
        sender.put(source(sess=f"s{round_}"), custom(round_))
        wait(lambda sender=sender, round_=round_: sender.status()["on_disk"] == round_ + 1)
        assert len(files()) == 1
        sender.abandon()


SESSION = """
    from ipynb_telemetry import setup_telemetry
    setup_telemetry("n", host={host!r}, api_key={key!r}, student_name="A B")
    _telemetry_capture("hint", {{"n": {n}}})
    {more}
"""


def test_what_cannot_be_sent_at_exit_is_said_and_the_next_session_sends_it():
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    done = run_python(SESSION.format(host=host, key=KEY, n=1, more=""))
    assert time.monotonic() - began < 10
    assert "events could not be delivered (cannot reach 127.0.0.1" in done.stderr
    assert "the next session here sends them" in done.stderr
    assert KEY not in done.stderr + done.stdout
    with StandIn(port=port) as relay:
        run_python(SESSION.format(host=host, key=KEY, n=2, more=""))
    assert [e["properties"]["n"] for e in relay.of("hint")] == [1, 2]
    for sess in {e["properties"]["sess"] for e in relay.events}:
        numbers = [e["properties"]["seq"] for e in relay.events if e["properties"]["sess"] == sess]
        assert numbers == list(range(1, len(numbers) + 1))
    assert len({e["uuid"] for e in relay.events}) == len(relay.events)
    assert files() == []


def test_what_is_queued_at_exit_is_sent(relay):
    run_python(
        SESSION.format(
            host=relay.url,
            key=KEY,
            n=0,
            more="[_telemetry_capture('hint', {'n': n}) for n in range(1, 300)]",
        )
    )
    assert [e["properties"]["n"] for e in relay.of("hint")] == list(range(300))
    numbers = [e["properties"]["seq"] for e in relay.events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert not Path(spool.folder()).exists()


def test_two_that_begin_at_once_share_what_was_left_behind_without_doubling_it(relay):
    left_behind(*(f"event {number}" for number in range(500)), host=relay.url)
    senders = [quick(relay) for _ in range(2)]
    for sender in senders:
        sender.begin(agreed=False)
    relay.wait_for_events(500)
    wait(lambda: files() == [])
    assert sorted(e["uuid"] for e in relay.events) == sorted(f"event {n}" for n in range(500))


@pytest.mark.parametrize("how", ["fork", "multiprocessing fork", "multiprocessing spawn"])
def test_a_child_neither_sends_nor_deletes_and_the_parent_goes_on(how):
    port = free_port()
    host = f"http://127.0.0.1:{port}"
    children = {
        "fork": """
child = os.fork()
if child == 0:
    _telemetry_capture("hint", {"n": 100})
    _cell("child")
    assert ipynb_telemetry.flush(5)  # at once: nothing here is the child's
    raise SystemExit(0)
assert os.waitpid(child, 0)[1] == 0
""",
        "multiprocessing fork": "work('fork')",
        "multiprocessing spawn": "work('spawn')",
    }
    code = f"""
import builtins, glob, multiprocessing, os, time, ipynb_telemetry
from ipynb_telemetry import setup_telemetry

def in_child(number):
    capture = getattr(builtins, "_telemetry_capture", None)
    if capture is not None:
        capture("hint", {{"n": 100 + number}})
    ipynb_telemetry.flush(0.2)
    return number

def kept():
    files = sorted(glob.glob(os.environ["TELEMETRY_HOME"] + "/spool/*"))
    return "".join(open(file).read() for file in files)

def work(method):
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(in_child, range(4)) == [0, 1, 2, 3]

if __name__ == "__main__":
    setup_telemetry("n", host={host!r}, api_key={KEY!r}, student_name="A B")
    _telemetry_capture("hint", {{"n": 1}})
    while kept().count("uuid") < 2:
        time.sleep(0.01)
    before = kept()
{_indented(children[how])}
    assert kept() == before
    _telemetry_capture("hint", {{"n": 2}})
"""
    script = Path(os.environ["TELEMETRY_HOME"]) / "lesson.py"
    script.parent.mkdir(parents=True)
    script.write_text(code)
    with StandIn() as other:  # whom a child would have to reach
        run_python(f"import runpy; runpy.run_path({str(script)!r}, run_name='__main__')")
        assert other.requests == []
    with StandIn(port=port) as relay:
        sender = quick(host)
        sender.begin(agreed=False)
        relay.wait_for_events(2, "hint")
        wait(lambda: files() == [])
    assert [e["properties"]["n"] for e in relay.of("hint")] == [1, 2]
    assert len({e["uuid"] for e in relay.events}) == len(relay.events)
    assert transport.flush_all(5) == 0


def _indented(code: str) -> str:
    return "".join(f"    {text}\n" for text in code.strip().splitlines())
