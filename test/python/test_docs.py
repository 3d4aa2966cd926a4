"""Documents that cannot rot: the guide names what the code reads and offers, and nothing else."""

import json
import re

import ipynb_telemetry
from conftest import ROOT
from ipynb_telemetry import get_telemetry_setup_cell
from ipynb_telemetry.transport import EXIT_FLUSH_SECONDS, MAX_BATCH_EVENTS, Timing

GUIDE = (ROOT / "docs" / "kernel.md").read_text(encoding="utf-8")
SOURCES = "".join(path.read_text() for path in (ROOT / "python").rglob("*.py"))
VARIABLE = r"\bTELEMETRY_[A-Z_]*[A-Z]\b"


def test_every_variable_is_documented_and_nothing_else_is():
    assert set(re.findall(VARIABLE, GUIDE)) == set(re.findall(VARIABLE, SOURCES))


def test_every_public_name_is_documented():
    for name in set(ipynb_telemetry.__all__) - {"__version__"}:
        assert f"{name}" in GUIDE, name


def test_status_shows_what_the_guide_shows(relay):
    ipynb_telemetry.setup_telemetry("n", host=relay.url, api_key="nbt_test", student_name="A B")
    shown = re.findall(r"'(\w+)':", GUIDE[GUIDE.index("ipynb_telemetry.status()") :])
    assert shown == list(ipynb_telemetry.status())


def test_numbers_are_those_of_the_code():
    timing = Timing()
    assert f"{timing.first_retry:.0f} s doubling to {timing.longest_retry:.0f} s" in GUIDE
    assert f"up to {timing.hold:.0f} seconds" in GUIDE
    assert f"at most {MAX_BATCH_EVENTS} events" in GUIDE
    assert f"{EXIT_FLUSH_SECONDS:.0f} seconds to send what is left" in GUIDE


def test_the_sample_notebook_has_the_generated_setup_cell():
    notebook = json.loads((ROOT / "examples" / "sample.ipynb").read_text(encoding="utf-8"))
    sources = ["".join(cell["source"]) for cell in notebook["cells"]]
    setup = [source for source in sources if source.startswith("#@title")]
    assert [source.rstrip("\n") for source in setup] == [
        get_telemetry_setup_cell("sample").rstrip("\n")
    ]
