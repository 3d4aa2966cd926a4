"""What follows from a course, a policy, a decision and the environment: the whole table."""

import builtins
import itertools

import pytest
from ipynb_telemetry import consent
from ipynb_telemetry.collection import DEFAULT_EVENTS, SELECTABLE_EVENTS
from ipynb_telemetry.consent import AGREED, DECLINED, record, standing
from ipynb_telemetry.notice_text import in_words, notice_text

NOTICE = {"course": "demo", "level": "code", "consent": "notice", "notice": {"version": 2}}
ASKS = {**NOTICE, "consent": "opt-in"}

NEW, OLD = 2, 1


def stands(settings, decision=None, **more) -> tuple[bool, bool, bool]:
    """Sends, asks, tells."""
    now = standing(settings, decision, **more)
    return now.sends, now.asks, now.tells


@pytest.mark.parametrize(
    ("decision", "answer", "expected"),
    [
        (None, None, (False, True, False)),
        (None, True, (True, False, False)),
        (None, False, (False, False, False)),
        (record(AGREED, "code", NEW), None, (True, False, False)),
        (record(AGREED, "code", NEW), False, (False, False, False)),
        (record(AGREED, "code", NEW) | {"paused": True}, None, (False, False, False)),
        (record(AGREED, "code", OLD), None, (False, True, False)),
        (record(AGREED, "code", OLD), True, (True, False, False)),
        (record(AGREED, "code", NEW, told=True), None, (False, True, False)),
        (record(DECLINED, "code", NEW), None, (False, False, False)),
        (record(DECLINED, "code", NEW), True, (False, False, False)),
        (record(DECLINED, "code", OLD), None, (False, True, False)),
    ],
)
def test_a_course_that_asks(decision, answer, expected):
    assert stands(ASKS, decision, answer=answer) == expected
    # A policy can take nothing away from a course that asks.
    assert stands(ASKS, decision, answer=answer, mandatory=True) == expected


@pytest.mark.parametrize(
    ("decision", "answer", "expected"),
    [
        (None, None, (True, False, True)),
        (None, True, (True, False, True)),
        (None, False, (False, False, False)),
        (record(AGREED, "code", NEW, told=True), None, (True, False, False)),
        (record(AGREED, "code", OLD, told=True), None, (True, False, True)),
        (record(AGREED, "code", NEW) | {"paused": True}, None, (False, False, False)),
        (record(DECLINED, "code", NEW), None, (False, False, False)),
        (record(DECLINED, "code", OLD), None, (False, False, False)),
        (record(DECLINED, "code", NEW), True, (False, False, False)),
    ],
)
def test_a_course_that_gives_notice(decision, answer, expected):
    assert stands(NOTICE, decision, answer=answer) == expected


def test_who_had_everything_deleted_is_asked_also_where_the_course_only_informs():
    assert stands(NOTICE, forgotten=True) == (False, True, False)
    assert stands(NOTICE, forgotten=True, answer=True) == stands(NOTICE, answer=True)
    assert stands(NOTICE, forgotten=True, mandatory=True) == stands(NOTICE, mandatory=True)
    for decision in (record(AGREED, "code", NEW), record(DECLINED, "code", NEW)):
        assert stands(NOTICE, decision, forgotten=True) == stands(NOTICE, decision)


def test_where_it_is_mandatory_a_notice_cannot_be_declined():
    for decision in (None, record(DECLINED, "code", NEW), {"decision": AGREED, "paused": True}):
        assert standing(NOTICE, decision, answer=False, mandatory=True).sends


def test_an_agreed_level_holds_and_one_that_was_only_told_does_not():
    assert standing(NOTICE, record(AGREED, "outcomes", NEW)).level == "outcomes"
    assert standing(ASKS, record(AGREED, "outcomes", NEW)).level == "outcomes"
    assert standing(NOTICE, record(AGREED, "outcomes", NEW, told=True)).level is None
    assert standing(ASKS, record(AGREED, "nonsense", NEW)).level is None


def test_nothing_is_ever_sent_unasked_where_the_course_asks():
    for decision, version, paused, told, answer in itertools.product(
        (AGREED, DECLINED, "odd", None),
        (None, "2", True, 1, 2, 3),
        (True, False),
        (True, False),
        (None, False),
    ):
        kept = {"decision": decision, "notice_version": version, "paused": paused, "told": told}
        now = standing(ASKS, kept, answer=answer)
        agreed = decision == AGREED and version in (2, 3) and version is not True
        assert now.sends == (agreed and not paused and not told and answer is None), kept
        assert not (now.sends and now.asks)


@pytest.mark.parametrize(
    ("notice", "version"), [({"version": 3}, 3), ({"version": True}, 1), ({}, 1), (None, 1)]
)
def test_a_course_that_counts_no_versions_has_the_first(notice, version):
    assert consent.notice_version({"notice": notice}) == version


@pytest.mark.parametrize(
    ("typed", "answer"),
    [("y", True), (" YES ", True), ("", False), ("n", False), ("yeah", False), ("j", False)],
)
def test_only_a_yes_is_a_yes(monkeypatch, typed, answer):
    asked = []
    monkeypatch.setattr(builtins, "input", lambda prompt: asked.append(prompt) or typed)
    assert consent.ask() is answer
    assert asked == ["Do you agree? [y/N] "]


@pytest.mark.parametrize("trouble", [EOFError, OSError, NotImplementedError, RuntimeError])
def test_where_nobody_can_be_asked_there_is_no_answer(monkeypatch, trouble):
    def ask(prompt):
        raise trouble

    monkeypatch.setattr(builtins, "input", ask)
    assert consent.ask() is None


FULL = {
    "course": "python-101",
    "title": "Python 101",
    "level": "code",
    "consent": "notice",
    "identity": "pseudonyms",
    "events": ["cell", "test", "edit"],
    "notice": {
        "version": 1,
        "receiver": "Department of Physics",
        "retention_days": 365,
        "contact": "teacher@example.org",
        "text": "Used to\nimprove the course.",
    },
}


def test_the_notice_says_what_the_course_really_does():
    assert notice_text(FULL, "code", student="ADA-BYRON") == (
        "Python 101 records how your work in this notebook goes.\n"
        "  What: each run of a cell and how it ends; results of tests; that cells are added, "
        "moved, removed or pasted into, never the text.\n"
        "  Detail: The code of your cells (its first 500 characters) and error messages.\n"
        "  Under which name: a pseudonym made of ADA-BYRON.\n"
        "  Who receives it: Department of Physics.\n"
        "  How long it is kept: 365 days.\n"
        "  Questions: teacher@example.org\n"
        "  Used to improve the course.\n"
        "  To stop: ipynb_telemetry.decline()"
    )


def test_each_setting_changes_the_notice():
    before = notice_text(FULL, "code", student="A")
    for name, value in (
        ("title", "Other"),
        ("identity", "names"),
        ("events", ["cell"]),
        ("consent", "opt-in"),
        ("notice", {**FULL["notice"], "receiver": "Other"}),
        ("notice", {**FULL["notice"], "retention_days": 30}),
        ("notice", {**FULL["notice"], "contact": "other@example.org"}),
        ("notice", {**FULL["notice"], "text": None}),
    ):
        assert notice_text({**FULL, name: value}, "code", student="A") != before, name
    for level in ("outcomes", "full"):
        assert notice_text(FULL, level, student="A") != before
    assert "decline" not in notice_text(FULL, "code", student="A", mandatory=True)


def test_each_event_a_course_can_select_has_words():
    for event in SELECTABLE_EVENTS:
        assert in_words((event,)) != in_words(()), event
    assert "pasted" not in in_words(DEFAULT_EVENTS)


def test_what_a_course_leaves_open_leaves_no_empty_line():
    text = notice_text({}, "outcomes", student="A")
    assert all(line.strip() and not line.endswith(":") for line in text.splitlines())
    assert "None" not in text


def test_nothing_in_the_settings_can_imitate_a_line_or_hide():
    odd = {**FULL, "title": "A\x1b[2J\u202eB", "notice": {"receiver": "x\ny\r\tz", "contact": 5}}
    text = notice_text(odd, "code", student="A")
    assert text.splitlines()[0] == "A[2JB records how your work in this notebook goes."
    assert "Who receives it: x y z." in text
    assert "Questions" not in text
