"""Who works here: which source of the name wins, what is remembered, and what is forgotten."""

import builtins

import ipynb_telemetry
import pytest
from ipynb_telemetry import setup_telemetry, state, tracked
from standin import KEY


def begin(relay, **more):
    """Run setup; the student's name."""
    return setup_telemetry("intro", host=relay.url, api_key=KEY, **more)["student_name"]


def ask(monkeypatch, *lines):
    """Answer the prompts; the questions that were asked."""
    asked, left = [], list(lines)

    def answer(prompt=""):
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr(builtins, "input", answer)
    return asked


SOURCES = ["hub", "argument", "environment", "remembered", "prompt"]


@pytest.mark.parametrize("first", range(len(SOURCES)), ids=SOURCES)
def test_the_first_source_that_knows_the_name_wins(relay, monkeypatch, first):
    there = SOURCES[first:]
    asked = ask(monkeypatch, "Prompt", "Name")
    more = {}
    if "hub" in there:
        monkeypatch.setenv("JUPYTERHUB_USER", "student1")
    if "argument" in there:
        more["student_name"] = "Argument Name"
    if "environment" in there:
        monkeypatch.setenv("TELEMETRY_STUDENT_NAME", "Environment Name")
    if "remembered" in there:
        state.remember_student("REMEMBERED-NAME")
    expected = {
        "hub": "student1",
        "argument": "ARGUMENT-NAME",
        "environment": "ENVIRONMENT-NAME",
        "remembered": "REMEMBERED-NAME",
        "prompt": "PROMPT-NAME",
    }
    assert begin(relay, **more) == expected[there[0]]
    assert len(asked) == (2 if there == ["prompt"] else 0)
    assert expected[there[0]] == builtins.STUDENT_NAME
    (event,) = relay.wait_for_events(1, "start")
    assert event["distinct_id"] == expected[there[0]]
    # A Hub's user and a name that the environment repeats need not be remembered.
    kept = {"hub": "REMEMBERED-NAME", "environment": "REMEMBERED-NAME"}
    assert state.load().student == kept.get(there[0], expected[there[0]])


@pytest.mark.parametrize(
    ("user", "student"),
    [
        ("student1", "student1"),
        ("student2", "student2"),
        ("  jane.doe@example.org ", "jane.doe@example.org"),
        ("José", "José"),
        ("x" * 300, "x" * 200),
    ],
)
def test_a_hub_user_is_an_id_and_stays_as_it_is(relay, monkeypatch, user, student):
    monkeypatch.setenv("JUPYTERHUB_USER", user)
    assert begin(relay) == student
    assert state.load().student is None


@pytest.mark.parametrize("empty", ["", "   "])
def test_an_empty_source_is_none(relay, monkeypatch, empty):
    monkeypatch.setenv("JUPYTERHUB_USER", empty)
    monkeypatch.setenv("TELEMETRY_STUDENT_NAME", empty)
    ask(monkeypatch, "Ada", "Byron")
    assert begin(relay, student_name=empty) == "ADA-BYRON"


def test_a_remembered_student_is_greeted_and_told_how_to_change_it(relay, monkeypatch, capsys):
    asked = ask(monkeypatch, "Ada", "Byron")
    begin(relay)
    ipynb_telemetry.bootstrap.forget()  # as in another kernel
    capsys.readouterr()
    assert begin(relay) == "ADA-BYRON"
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "Welcome back, ADA-BYRON!"
    assert "ipynb_telemetry.forget_me()" in told[1]
    assert told[2].startswith("Ready! Session: ")
    assert len(asked) == 2


def test_setup_again_asks_nothing_also_where_nothing_can_be_written(relay, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("TELEMETRY_HOME", str(tmp_path / "file"))
    asked = ask(monkeypatch, "Ada", "Byron")
    assert [begin(relay), begin(relay)] == ["ADA-BYRON", "ADA-BYRON"]
    assert len(asked) == 2


def test_who_is_forgotten_is_asked_again(relay, monkeypatch, capsys):
    asked = ask(monkeypatch, "Ada", "Byron", "Jane", "Doe")
    begin(relay)
    relay.wait_for_events(1, "start")
    ipynb_telemetry.forget_me()
    assert "forgotten" in capsys.readouterr().out
    assert state.load().student is None
    assert tracked.active() is None
    builtins._cell("unseen")
    builtins.tracked_test("unseen")(lambda: None)()
    assert begin(relay) == "JANE-DOE"
    assert len(asked) == 4
    assert ipynb_telemetry.flush(10)
    assert [e["event"] for e in relay.events] == ["start", "start"]


def test_what_had_not_been_sent_is_forgotten_too(relay, monkeypatch):
    relay.plan = [503] * 100
    begin(relay, student_name="Ada Byron")
    builtins._telemetry_capture("secret")
    relay.wait_for(lambda: len(relay.attempts) >= 1)
    ipynb_telemetry.forget_me()
    relay.plan.clear()
    begin(relay, student_name="Jane Doe")
    assert ipynb_telemetry.flush(10)
    assert {e["distinct_id"] for e in relay.events} == {"JANE-DOE"}
    kept = state.home()
    assert not any(b"ADA" in path.read_bytes() for path in kept.rglob("*") if path.is_file())


def test_without_a_session_forgetting_works_and_deciding_says_what_is_missing(capsys):
    state.remember_student("ADA-BYRON")
    ipynb_telemetry.forget_me()
    assert state.load().student is None
    capsys.readouterr()
    ipynb_telemetry.agree()
    ipynb_telemetry.decline()
    assert capsys.readouterr().out == "ipynb-telemetry: run the setup cell first.\n" * 2


def test_a_hint_for_another_script_is_given_once(relay, monkeypatch, capsys):
    ask(monkeypatch, "فارس", "حجازي")
    begin(relay)
    assert "kept as you typed it" in capsys.readouterr().out
    begin(relay)
    assert "kept as you typed it" not in capsys.readouterr().out


def test_a_variable_that_names_nobody_is_passed_over(relay, monkeypatch, capsys):
    monkeypatch.setenv("TELEMETRY_STUDENT_NAME", "\u200b")
    state.remember_student("REMEMBERED-NAME")
    assert begin(relay) == "REMEMBERED-NAME"
    assert capsys.readouterr().out.count("TELEMETRY_STUDENT_NAME") == 1
