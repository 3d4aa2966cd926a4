"""The state file: what is remembered comes back, whatever happened to the file or beside it."""

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from conftest import ROOT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ipynb_telemetry import state

AGREED = {"decision": "agreed", "level": "code", "notice_version": 2, "paused": False}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder that does not exist yet, for what is remembered."""
    monkeypatch.setenv("TELEMETRY_HOME", str(tmp_path / "a" / "b"))
    return tmp_path / "a" / "b"


def test_nothing_is_remembered_at_first(folder):
    remembered = state.load()
    assert (remembered.student, remembered.consents) == (None, {})
    assert not folder.exists()


def test_what_is_remembered_comes_back_and_can_be_forgotten(folder):
    assert state.remember_student("JOSÉ \ud800")
    assert state.decide("a", AGREED)
    assert state.decide("b", {"decision": "declined"})
    assert state.decide("b", None)
    remembered = state.load()
    assert (remembered.student, remembered.consents) == ("JOSÉ \ud800", {"a": AGREED})
    assert state.remember_student(None)
    assert state.load().student is None
    assert state.load().consents == {"a": AGREED}
    assert state.forget()
    assert state.load().consents == {}
    assert state.forget()


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_no_outlives_forgetting_unless_all_are_to_be_asked_again(folder):
    state.remember_student("JOHN-DOE")
    state.decide("yes", {"decision": "agreed"})
    state.decide("no", {"decision": "declined"})
    assert state.forget()
    kept = state.load()
    assert (kept.student, list(kept.consents), kept.forgotten) == (None, ["no"], False)
    assert "JOHN" not in (folder / "state.json").read_text()
    assert state.forget(ask_again=True)
    kept = state.load()
    assert (kept.student, kept.consents, kept.forgotten) == (None, {}, True)


def test_only_the_user_can_read_it(folder):
    state.remember_student("JOHN-DOE")
    assert stat.S_IMODE((folder / "state.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert sorted(path.name for path in folder.iterdir()) == ["state.json", "state.lock"]


def test_the_folder_is_the_chosen_one_else_the_users(monkeypatch, tmp_path):
    monkeypatch.delenv("TELEMETRY_HOME", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert state.home() == tmp_path / "ipynb-telemetry"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert state.home() == tmp_path / ".local" / "share" / "ipynb-telemetry"
    monkeypatch.setenv("TELEMETRY_HOME", "~/mine")
    assert state.home() == tmp_path / "mine"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"student": 5, "consents": []}',
        b'{"student": "  ", "consents": {"a": 1, "b": {}, "c": {"decision": "perhaps"}}}',
    ],
    ids=lambda content: content[:12].decode("latin-1"),
)
def test_a_damaged_file_remembers_nothing_and_is_mended(folder, content):
    folder.mkdir(parents=True)
    (folder / "state.json").write_bytes(content)
    assert (state.load().student, state.load().consents) == (None, {})
    assert state.decide("a", AGREED)
    assert state.load().consents["a"] == AGREED


def test_what_a_later_version_keeps_stays(folder):
    folder.mkdir(parents=True)
    (folder / "state.json").write_text('{"student": "A", "later": 1}')
    state.decide("a", AGREED)
    assert json.loads((folder / "state.json").read_text())["later"] == 1


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELEMETRY_HOME", str(tmp_path / "file" / "below"))
    assert state.remember_student("A") is False
    assert state.decide("a", AGREED) is False
    assert state.load().student is None
    state.forget()


def test_what_json_cannot_write_leaves_the_file_as_it_was(folder):
    state.remember_student("JOHN-DOE")
    assert state.decide("a", {"decision": "agreed", "level": object()}) is False
    assert state.load().student == "JOHN-DOE"
    assert sorted(path.name for path in folder.iterdir()) == ["state.json", "state.lock"]


def test_processes_and_threads_do_not_lose_each_others_decisions(folder):
    code = (
        "import sys; from ipynb_telemetry import state\n"
        "for n in range(10): state.decide(f'{sys.argv[1]}-{n}', {'decision': 'agreed'})"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT / "python")}
    others = [
        subprocess.Popen([sys.executable, "-c", code, str(number)], env=env) for number in range(2)
    ]

    def mine(thread: int) -> None:
        for n in range(10):
            state.decide(f"t{thread}-{n}", {"decision": "declined"})

    threads = [threading.Thread(target=mine, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [other.wait() for other in others] == [0, 0]
    assert len(state.load().consents) == 40


def test_a_lock_that_is_never_given_does_not_hold_up_for_long(folder):
    fcntl = pytest.importorskip("fcntl")
    folder.mkdir(parents=True)
    with (folder / "state.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert state.remember_student("JOHN-DOE")
    assert state.load().student == "JOHN-DOE"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=50) | JSON.map(lambda value: json.dumps(value).encode()))
def test_no_content_of_the_file_raises(folder: Path, content: bytes):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "state.json").write_bytes(content)
    remembered = state.load()
    assert remembered.student is None or isinstance(remembered.student, str)
    assert state.remember_student("B")
    assert state.load().student == "B"
