"""Kernel and page over a comm, with a real kernel and a page that only speaks the protocol."""

import re
import time

from ipynb_telemetry import ids
from ipynb_telemetry.handover import MIME
from kernels import Kernel
from standin import KEY
from test_kernel import MEAN, SETUP, cells, env_for, session_of


def data(message: dict) -> dict:
    return message["content"]["data"]


def published(ran, kind: str) -> list[dict]:
    """Comm messages of a kind that came within a run."""
    return [data(m) for m in ran.of("comm_msg") if data(m).get("kind") == kind]


def test_a_page_that_attaches_is_greeted_and_told_labels_and_results(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        ran = kernel.run(SETUP)
        kernel.run("1")
        comm_id = kernel.comm_open()
        hello = data(kernel.wait_for_comm("hello"))
        (shown,) = ran.of("display_data")
        assert re.fullmatch("[0-9a-f]{32}", hello.pop("comm"))
        assert hello == {
            "kind": "hello",
            "sess": session_of(ran),
            "nb": "intro",
            "student": "JOHN-DOE",
            "v": "0.1.0",
            "runs": 2,
            "nonce": shown["content"]["transient"]["ipynb_telemetry_nonce"],
        }
        ran = kernel.run(
            "%%capture out\n_cell('mean', 'my code')\n"
            + MEAN.format(body="raise KeyError('what')").strip()
        )
        (label,) = published(ran, "label")
        assert label == {
            "kind": "label",
            "cell_id": "mean",
            "code": "my code",
            "msg_id": ran.msg_id,
        }
        (told,) = published(ran, "test")
        ms = told.pop("ms")
        assert isinstance(ms, int)
        assert told == {
            "kind": "test",
            "ex": "mean",
            "ok": False,
            "status": "error",
            "try": 1,
            "err_type": "KeyError",
            "err": "'what'",
            "ordinal": 1,
            "cell_id": "mean",
            "msg_id": ran.msg_id,
        }
        assert all(m["content"]["comm_id"] == comm_id for m in ran.of("comm_msg"))


def test_what_a_page_confirms_is_not_sent_again_and_leaves_no_gap(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="1.5")) as kernel:
        kernel.run(SETUP)
        relay.wait_for_events(2)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        ran = kernel.run(MEAN.format(body="return 5"))
        uuids = [ids.cell_run_id(ran.msg_id), ids.test_result_id(ran.msg_id, "mean", 1)]
        kernel.comm_send(comm_id, {"kind": "ack", "uuids": uuids})
        unconfirmed = kernel.run("_cell('later')")
        began = time.monotonic()
        events = relay.wait_for_events(3)
        assert time.monotonic() - began > 1.0  # it was held for the page first
        told = kernel.run("import ipynb_telemetry; print(ipynb_telemetry.status())").text()
    assert [e["uuid"] for e in events][2:] == [ids.cell_run_id(unconfirmed.msg_id)]
    assert [e["properties"]["seq"] for e in events] == [1, 2, 3]
    assert events[2]["properties"]["cell_num"] == 3
    assert "'confirmed': 2" in told
    assert not {e["uuid"] for e in relay.events} & set(uuids)


def test_the_setup_cell_too_waits_a_moment_for_the_page_that_was_greeted(relay):
    with Kernel(env_for(relay)) as kernel:
        ran = kernel.run(SETUP)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        kernel.comm_send(comm_id, {"kind": "ack", "uuids": [ids.cell_run_id(ran.msg_id)]})
        told = kernel.run("import ipynb_telemetry; print(ipynb_telemetry.status())").text()
        kernel.comm_close(comm_id)
        seen = cells(relay, 1)
    assert "'confirmed': 1" in told
    assert [p["cell_num"] for p in seen] == [2]
    assert [e["event"] for e in relay.events] == ["start", "cell", "end"]
    assert [e["properties"]["seq"] for e in relay.events] == [1, 2, 3]


def test_before_a_page_attaches_it_hears_the_voice_that_the_hello_names(relay):
    with Kernel(env_for(relay)) as kernel:
        greeting = kernel.run(SETUP + "\n_cell('setup')")
        (shown,) = greeting.of("display_data")
        voice = shown["content"]["data"][MIME]["comm"]
        ran = kernel.run("%%capture out\n" + MEAN.format(body="return 5").strip())
        heard = [*greeting.of("comm_msg"), *ran.of("comm_msg")]
        assert {m["content"]["comm_id"] for m in heard} == {voice}
        assert [data(m)["kind"] for m in heard] == ["label", "test"]
        # Nobody is attached who could confirm, so nothing is held for long.
        assert [p["cell_id"] for p in cells(relay, 2)] == ["setup", None]
        relay.wait_for_events(1, "test")
        attached = kernel.comm_open()
        kernel.wait_for_comm("hello")
        ran = kernel.run("_cell('a')")
        assert [m["content"]["comm_id"] for m in ran.of("comm_msg")] == [attached]


def test_when_the_page_goes_everything_is_sent_at_once(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        kernel.run(MEAN.format(body="return 5"))
        kernel.comm_close(comm_id)
        assert [p["cell_num"] for p in cells(relay, 2)] == [1, 2]
        relay.wait_for_events(1, "test")


def test_without_a_key_a_page_is_served_all_the_same(relay):
    with Kernel(env_for(relay, TELEMETRY_API_KEY="")) as kernel:
        kernel.run(SETUP)
        kernel.comm_open()
        kernel.wait_for_comm("hello")
        ran = kernel.run("_cell('mean')\n" + MEAN.format(body="return 5"))
    assert published(ran, "label")[0]["cell_id"] == "mean"
    assert published(ran, "test")[0]["ok"] is True
    assert relay.requests == []


def test_a_second_setup_lets_the_page_go_and_greets_it_anew(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        old = kernel.comm_open()
        first = data(kernel.wait_for_comm("hello"))
        ran = kernel.run(SETUP)
        assert [m["content"]["comm_id"] for m in ran.of("comm_close")] == [old]
        new = kernel.comm_open()
        second = data(kernel.wait_for_comm("hello"))
        assert first["sess"] != second["sess"] == session_of(ran)
        ran = kernel.run("_cell('a')")
        assert [m["content"]["comm_id"] for m in ran.of("comm_msg")] == [new]


def test_several_pages_are_told_and_one_going_changes_nothing(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        first, second = kernel.comm_open(), kernel.comm_open()
        kernel.wait_for_comm("hello")
        kernel.wait_for_comm("hello")
        ran = kernel.run("_cell('a')")
        assert {m["content"]["comm_id"] for m in ran.of("comm_msg")} == {first, second}
        kernel.comm_close(first)
        ran = kernel.run("_cell('b')")
        assert {m["content"]["comm_id"] for m in ran.of("comm_msg")} == {second}
        assert [p["cell_num"] for p in cells(relay, 1)] == [1]


def test_a_comm_for_a_kernel_without_setup_is_closed(relay):
    with Kernel(env_for(relay)) as kernel:
        comm_id = kernel.comm_open()
        closed = kernel.wait_for_comm("comm_close")
    assert closed["content"]["comm_id"] == comm_id


def test_nonsense_from_a_page_does_no_harm(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="0.5")) as kernel:
        kernel.run(SETUP)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        for nonsense in ({}, {"kind": "ack"}, {"kind": "ack", "uuids": "x"}, {"kind": 5}):
            kernel.comm_send(comm_id, nonsense)
        ran = kernel.run("_cell('a')")
        assert ran.reply["status"] == "ok"
        assert [p["cell_id"] for p in cells(relay, 2)] == [None, "a"]
        assert KEY not in str(kernel.stray)


def test_what_the_kernel_itself_delivers_a_page_is_told(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        ran = kernel.run("for n in range(250): _telemetry_capture('hint', {'n': n})")
        messages = [m for m in ran.of("comm_msg") if data(m).get("kind") == "sent"]
        told = [event for message in messages for event in data(message)["events"]]
        while len([e for e in told if e["event"] == "hint"]) < 250:
            messages.append(kernel.wait_for_comm("sent"))
            told += data(messages[-1])["events"]
        assert {m["content"]["comm_id"] for m in messages} == {comm_id}
        assert all(0 < len(data(m)["events"]) <= 100 for m in messages)
        assert [e for e in told if e["event"] == "hint"] == relay.of("hint")
        # The run that the page reports by itself is not among them.
        assert "cell" not in {e["event"] for e in told}


def test_only_runs_of_an_attached_page_wait_for_its_word(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        kernel.comm_open()
        kernel.wait_for_comm("hello")
        other = kernel.manager.blocking_client()  # another client of the same kernel
        other.start_channels()
        try:
            other.wait_for_ready(timeout=60)
            theirs = other.execute("_cell('theirs')")
            mine = kernel.run("_cell('mine')")
            (event,) = relay.wait_for_events(1, "cell")
            assert event["uuid"] == ids.cell_run_id(theirs)
            assert event["properties"]["cell_id"] == "theirs"
            told = kernel.run("import ipynb_telemetry as t; print(t.status()['held'])").text()
            assert told == "2\n"  # the setup cell's run and mine
            assert ids.cell_run_id(mine.msg_id) not in {e["uuid"] for e in relay.events}
        finally:
            other.stop_channels()


def test_a_no_on_the_page_drops_what_is_held_and_a_yes_goes_on(relay):
    with Kernel(env_for(relay, TELEMETRY_HOLD_SECONDS="60")) as kernel:
        kernel.run(SETUP)
        relay.wait_for_events(1, "start")
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        kernel.run("_cell('held')")
        said = {"kind": "consent", "agreed": False, "level": None, "notice_version": 1}
        kernel.comm_send(comm_id, said)
        kernel.run("_cell('not kept')\n_telemetry_capture('hint')")
        kernel.comm_close(comm_id)
        kernel.run("_cell('not kept either')")
        before = {e["event"] for e in relay.events}
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        kernel.comm_send(comm_id, {**said, "agreed": True, "level": "nonsense"})
        kernel.comm_close(comm_id)
        kernel.run("_cell('kept')")
        relay.wait_for(lambda: "kept" in {e["properties"].get("cell_id") for e in relay.events})
    assert before == {"start"}
    assert {e["properties"].get("cell_id") for e in relay.of("cell")} == {"kept"}
    assert relay.of("hint") == []


def test_nonsense_about_consent_changes_nothing(relay):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        comm_id = kernel.comm_open()
        kernel.wait_for_comm("hello")
        for nonsense in ({}, {"agreed": "no"}, {"agreed": None}, {"agreed": 0}):
            kernel.comm_send(comm_id, {"kind": "consent", **nonsense})
        kernel.comm_close(comm_id)
        kernel.run("_cell('a')")
        relay.wait_for(lambda: "a" in {e["properties"].get("cell_id") for e in relay.events})
