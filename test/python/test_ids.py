"""Ids: shared vectors, versions, and no look-alikes."""

import re
import time
import uuid

import pytest
from conftest import fixture
from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import ids

VECTORS = fixture("ids")


def test_namespace_and_alphabet_are_the_shared_ones():
    assert str(ids.ID_NAMESPACE) == VECTORS["namespace"]
    assert VECTORS["session_alphabet"] == ids.SESSION_ALPHABET


@pytest.mark.parametrize("case", VECTORS["cell"], ids=lambda case: case["msg_id"])
def test_cell_ids_are_the_shared_ones(case):
    assert ids.cell_run_id(case["msg_id"]) == case["uuid"]


@pytest.mark.parametrize("case", VECTORS["test"], ids=lambda case: case["ex"])
def test_test_ids_are_the_shared_ones(case):
    assert ids.test_result_id(case["msg_id"], case["ex"], case["ordinal"]) == case["uuid"]


@pytest.mark.parametrize("case", VECTORS["end"], ids=lambda case: case["src"] + case["sess"])
def test_ends_of_sessions_have_the_shared_ids(case):
    assert ids.session_end_id(case["sess"], case["src"]) == case["uuid"]


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.integers(1, 99))
def test_they_are_uuid5_of_the_standard_library(ex, ordinal):
    expected = uuid.uuid5(uuid.NAMESPACE_OID, f"m/test/{ex}/{ordinal}")
    assert ids.test_result_id("m", ex, ordinal) == str(expected)


def test_a_name_with_a_lone_surrogate_has_an_id():
    assert ids.test_result_id("m", "\ud83d", 1) == ids.test_result_id("m", "\ufffd", 1)


def test_event_ids_are_version_7_and_sort_by_time():
    first = ids.event_id()
    time.sleep(0.002)
    second = ids.event_id()
    assert uuid.UUID(first).version == 7
    assert uuid.UUID(first).variant == uuid.RFC_4122
    assert first < second
    stamp = uuid.UUID(second).int >> 80
    assert abs(stamp / 1000 - time.time()) < 5


def test_session_ids_have_8_characters_without_look_alikes():
    made = {ids.session_id() for _ in range(1000)}
    assert len(made) == 1000
    assert all(re.fullmatch("[2-9A-HJ-NP-Za-km-z]{8}", one) for one in made)
