"""Privacy levels: no word of a message or of code at `outcomes`."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import levels

FIXTURE = Path(__file__).parent.parent / "fixtures" / "error-types.json"
ERROR_TYPES = [
    *((case["err"], case["type"]) for case in json.loads(FIXTURE.read_text("utf-8"))["cases"]),
    (f"{'A' * 100}Error", "Error"),
]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("outcomes", "ValueError"),
        ("code", "ValueError: secret"),
        ("full", "ValueError: secret"),
    ],
)
def test_an_error_says_what_the_level_allows(level, expected):
    assert levels.error_text("ValueError", "secret", level) == expected


def test_no_error_is_none_and_an_empty_message_leaves_the_type():
    assert levels.error_text(None, None, "full") is None
    assert levels.error_text("AssertionError", "", "code") == "AssertionError"


def test_code_and_error_are_cut():
    assert len(levels.error_text("ValueError", "x" * 900, "full")) == 200
    allowed = levels.apply_level("cell", {"code": "x" * 900, "err": "E" * 900}, "code")
    assert (len(allowed["code"]), len(allowed["err"])) == (500, 200)


@pytest.mark.parametrize(("err", "expected"), ERROR_TYPES)
def test_the_type_is_told_only_where_it_is_certain(err, expected):
    assert levels.error_type(err) == expected


@given(st.text())
def test_outcomes_lets_no_code_and_no_message_through(text):
    allowed = levels.apply_level("cell", {"code": text, "err": f"ValueError: {text}"}, "outcomes")
    assert allowed == {"code": None, "err": "ValueError"}


def test_custom_events_keep_what_they_say():
    assert levels.apply_level("hint", {"code": "A1"}, "outcomes") == {"code": "A1"}


def test_the_strictest_of_several_levels_wins():
    assert levels.strictest("full", None, "code") == "code"
    assert levels.strictest("full", "outcomes") == "outcomes"
    assert levels.strictest(None, None) == "outcomes"
