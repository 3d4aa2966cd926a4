"""The name rule: shared vectors, and what holds for any name."""

import re

import pytest
from conftest import fixture
from hypothesis import example, given
from hypothesis import strategies as st
from ipynb_telemetry import names

VECTORS = fixture("names")


@pytest.mark.parametrize("case", VECTORS["names"], ids=lambda case: case["why"])
def test_a_typed_name_becomes_the_vectors_name(case):
    name = names.normalize_name(case["first"], case["last"])
    assert name == case["name"]
    assert names.needs_hint(name) is case["hint"]


@pytest.mark.parametrize("case", VECTORS["refused"], ids=lambda case: case["why"])
def test_an_empty_name_is_refused_with_the_known_words(case):
    with pytest.raises(ValueError, match=r"Both first and last name are REQUIRED!"):
        names.normalize_name(case["first"], case["last"])


@pytest.mark.parametrize("case", VECTORS["full"], ids=lambda case: case["why"])
def test_a_whole_name_in_one_string(case):
    assert names.normalize_full_name(case["typed"]) == case["name"]


SEED_NAME = st.from_regex(re.compile(r"[A-Za-z][A-Za-z \-]*[A-Za-z]"), fullmatch=True)


@given(SEED_NAME, SEED_NAME)
def test_names_that_were_always_accepted_only_lose_doubled_blanks(first, last):
    before = f"{first.strip().upper()}-{last.strip().upper()}"
    assert names.normalize_name(first, last) == re.sub(" +", " ", before)


@given(st.text(min_size=1))
def test_normalizing_twice_changes_nothing(typed):
    once = names.normalize_part(typed)
    assert names.normalize_part(once) == once


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_whatever_can_be_seen_is_never_refused(typed):
    assert names.normalize_part(typed) != ""


@given(st.text())
def test_no_control_character_and_no_lone_surrogate_remains(typed):
    name = names.normalize_part(typed)
    assert not re.search("[\x00-\x1f\x7f\ud800-\udfff\u200e\u200f]", name)
    name.encode()


@example("A\u00afA")  # a sign that stands for a blank and a mark
@given(st.text() | st.lists(st.text(max_size=6), max_size=4).map(" ".join))
def test_a_whole_name_is_refused_only_if_nothing_can_be_seen_of_it(typed):
    try:
        name = names.normalize_full_name(typed)
    except names.EmptyNameError:
        assert names.normalize_part(typed) == ""
        return
    assert name == name.strip() != ""
    assert "  " not in name
    name.encode()
