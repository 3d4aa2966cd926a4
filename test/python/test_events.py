"""Builders against the golden events, and properties that nobody can overwrite."""

import json
import math

import pytest
from conftest import fixture
from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import events
from ipynb_telemetry._version import __version__

CONTEXT = events.Context("intro", "aB3dE5gH", "JOHN-DOE", __version__)
UUID = "0190163d-8694-739b-aea5-966c26f8ad91"
GOLDEN = fixture("events")["events"]


def golden(event: str) -> dict:
    """The first golden event of a name that the kernel makes."""
    return next(
        case["event"]
        for case in GOLDEN
        if case["valid"]
        and case["event"]["event"] == event
        and case["event"]["properties"].get("src") == "kernel"
    )


DRAFTS = {
    "start": events.start(
        UUID, client="kernel", kernel="ipykernel 7.4.0", language="python 3.11.7"
    ),
    "cell": events.cell(
        UUID,
        cell_id="mean",
        cell_num=2,
        code="mean([1])",
        status="ok",
        ms=12,
        error=None,
        count=2,
        lines=3,
    ),
    "test": events.test(
        UUID, ex="mean", status="passed", attempt=3, ms=4, error=None, cell_id="mean"
    ),
    "end": events.end(UUID, reason="shutdown", made=12, delivered=12, dropped=0),
}


@pytest.mark.parametrize("event", DRAFTS)
def test_an_event_has_exactly_the_golden_properties(event):
    made = events.wire_event(DRAFTS[event], CONTEXT, 1, "outcomes")
    expected = golden(event)
    assert set(made) == set(expected)
    assert set(made["properties"]) == set(expected["properties"])
    for name, value in expected["properties"].items():
        if value is not None and made["properties"][name] is not None:
            assert type(made["properties"][name]) is type(value), name


def test_a_whole_cell_event():
    draft = events.cell(
        UUID,
        cell_id="mean",
        cell_num=2,
        code="1/0",
        status="error",
        ms=12,
        error=("ZeroDivisionError", "division by zero"),
        count=5,
        lines=1,
    )
    made = events.wire_event(draft, CONTEXT, 7, "code")
    assert made["properties"] == {
        "nb": "intro",
        "sess": "aB3dE5gH",
        "student": "JOHN-DOE",
        "v": __version__,
        "src": "kernel",
        "seq": 7,
        "cell_id": "mean",
        "cell_num": 2,
        "code": "1/0",
        "status": "error",
        "ms": 12,
        "err": "ZeroDivisionError: division by zero",
        "count": 5,
        "lines": 1,
        "nb_cell": None,
    }
    assert made["distinct_id"] == "JOHN-DOE"
    hidden = events.wire_event(draft, CONTEXT, 7, "outcomes")["properties"]
    assert hidden["code"] is None
    assert hidden["err"] == "ZeroDivisionError"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(events.COMMON), JSON),
    st.dictionaries(st.text(), JSON, max_size=4),
    st.text(min_size=1),
)
def test_nobody_overwrites_the_common_properties(claimed, own, name):
    draft = events.custom(name, UUID, {**own, **claimed})
    made = events.wire_event(draft, CONTEXT, 3, "full")["properties"]
    common = {n: made[n] for n in events.COMMON if n in made}
    assert common == {
        "nb": "intro",
        "sess": "aB3dE5gH",
        "student": "JOHN-DOE",
        "v": __version__,
        "src": "kernel",
        "seq": 3,
    }
    json.dumps(made, allow_nan=False)


def test_a_consent_event_says_what_was_decided():
    draft = events.consent(UUID, action="given", level="code", notice_version=2)
    made = events.wire_event(draft, CONTEXT, 3, "outcomes")["properties"]
    assert {name: made[name] for name in ("action", "level", "notice_version")} == {
        "action": "given",
        "level": "code",
        "notice_version": 2,
    }


@pytest.mark.parametrize(
    ("status", "ok"),
    [("passed", True), *((s, False) for s in ("failed", "error", "timeout", "skipped"))],
)
def test_only_a_passed_test_is_ok(status, ok):
    draft = events.test(UUID, ex="t", status=status, attempt=1, ms=4, error=None, cell_id=None)
    assert (draft.properties["ok"], draft.properties["status"]) == (ok, status)


class Hostile:
    """Raises at whatever is asked of it; `repr` alone is for hypothesis."""

    def __str__(self):
        raise RuntimeError

    __iter__ = __len__ = __bool__ = __str__

    def __repr__(self):
        return "Hostile()"


class HostileDict(dict):
    """A dictionary that cannot be looked through."""

    def items(self):
        raise RuntimeError


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.complex_numbers()
    | st.text(st.characters())
    | st.binary()
    | st.dates()
    | st.decimals()
    | st.sampled_from([object(), Hostile(), int, len, ..., range(3), ValueError("x")]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.none(), inner, max_size=3)
        | st.builds(HostileDict)
        | st.frozensets(st.integers(), max_size=3)
    ),
    max_leaves=15,
)


@given(
    st.dictionaries(st.text() | st.sampled_from(events.COMMON), ANYTHING, max_size=6),
    st.text(min_size=1) | st.sampled_from(["cell", "test", "start", "consent"]),
    st.sampled_from(["outcomes", "code", "full"]),
    st.booleans(),
)
def test_any_properties_become_json_and_never_raise(properties, name, level, direct):
    draft = events.custom(name, UUID, properties)
    made = events.wire_event(draft, CONTEXT, 3, level, direct=direct)
    again = json.loads(json.dumps(made, allow_nan=False))
    assert again == made
    common = {"nb": "intro", "sess": "aB3dE5gH", "student": "JOHN-DOE", "seq": 3, "src": "kernel"}
    assert {n: made["properties"][n] for n in common} == common
    assert "course" not in made["properties"]
    assert made["distinct_id"] == "JOHN-DOE"


def test_what_json_cannot_carry_becomes_text():
    circle: list[object] = [1]
    circle.append(circle)

    class Silent:
        def __str__(self):
            raise RuntimeError

    clean = events.to_json(
        {
            "nan": math.nan,
            "set": {1},
            "bytes": b"x",
            5: 1 + 2j,
            "circle": circle,
            "s": Silent(),
            "big": 2**53,
            "huge": 10**5000,
        }
    )
    assert clean == {
        "nan": None,
        "set": [1],
        "bytes": "b'x'",
        "5": "(1+2j)",
        "circle": [1, "[1, [...]]"],
        "s": "<Silent>",
        "big": "9007199254740992",
        "huge": "<int>",
    }


def test_later_changes_of_the_callers_properties_do_not_count():
    mine = {"list": [1]}
    draft = events.custom("hint", UUID, mine)
    mine["list"].append(2)
    assert draft.properties == {"list": [1]}


def test_a_hidden_message_does_not_leave_by_a_custom_event_named_like_ours():
    draft = events.custom("cell", UUID, {"code": "secret", "err": "ValueError: secret"})
    made = events.wire_event(draft, CONTEXT, 1, "outcomes")["properties"]
    assert (made["code"], made["err"]) == (None, "ValueError")


def test_an_error_whose_text_raises_still_has_its_type():
    class Nasty(Exception):
        def __str__(self):
            raise RuntimeError

    assert events.describe_error(Nasty()) == ("Nasty", "")


def test_time_is_utc_with_milliseconds():
    assert len(events.now()) == len("2026-11-21T09:30:00.000Z")
    assert events.now().endswith("Z")
