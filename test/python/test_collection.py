"""Which events are collected: the same lists as TypeScript's, read out of its source."""

import re

import pytest
from conftest import ROOT
from ipynb_telemetry import collection

SOURCE = (ROOT / "src" / "events" / "collection.ts").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["SELECTABLE_EVENTS", "DEFAULT_EVENTS"])
def test_the_lists_are_typescripts(name):
    (listed,) = re.findall(rf"{name}[^=]*= \[([^\]]*)\]", SOURCE)
    assert tuple(re.findall(r"'(\w+)'", listed)) == getattr(collection, name)


def test_what_a_course_names_is_collected_and_custom_events_are():
    assert collection.is_collected("test", ["test"])
    assert not collection.is_collected("cell", ["test"])
    assert collection.is_collected("consent", [])
    assert collection.is_collected("hint_opened", [])


@pytest.mark.parametrize(
    ("settings", "events"),
    [
        ({"events": ["cell", 5]}, ("cell",)),
        ({"events": []}, ()),
        ({"events": "cell"}, collection.DEFAULT_EVENTS),
        ({}, collection.DEFAULT_EVENTS),
        (None, collection.DEFAULT_EVENTS),
    ],
)
def test_settings_that_name_none_mean_the_default_ones(settings, events):
    assert collection.chosen(settings) == events
