"""The generated setup cell in a whole notebook, run without a page as autograders run it."""

import os
import socket

import nbformat
import pytest
from conftest import ROOT
from ipynb_telemetry import get_telemetry_setup_cell
from kernels import clean_environment
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from standin import COURSE, KEY
from test_kernel import MEAN, cells, env_for


def run(sources: list[str], env: dict[str, str]) -> nbformat.NotebookNode:
    """Execute a notebook in a kernel of its own, with `env` added."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    client.execute(env={**clean_environment(), "PYTHONPATH": str(ROOT / "python"), **env})
    return notebook


def text(cell: nbformat.NotebookNode) -> str:
    return "".join(o.get("text", "") for o in cell.outputs if o.output_type == "stream")


def test_a_notebook_with_the_setup_cell_reports_its_runs(relay):
    notebook = run(
        [get_telemetry_setup_cell("intro"), "_cell('one')\n1", MEAN.format(body="return 5")],
        env_for(relay),
    )
    assert [(p["cell_id"], p["status"]) for p in cells(relay, 3)] == [
        (None, "ok"),
        ("one", "ok"),
        (None, "ok"),
    ]
    assert relay.of("start")[0]["properties"]["nb"] == "intro"
    assert relay.of("test")[0]["properties"]["ok"] is True
    assert text(notebook.cells[0]) == "Welcome, JOHN-DOE!\n"
    assert notebook.cells[1].outputs[0]["data"]["text/plain"] == "1"


def test_a_failing_run_before_the_end_is_delivered(relay):
    with pytest.raises(CellExecutionError):
        run([get_telemetry_setup_cell("intro"), "raise ValueError('x')", "1"], env_for(relay))
    assert [p["status"] for p in cells(relay, 2)] == ["ok", "error"]


def test_without_a_name_the_notebook_runs_to_its_end(relay):
    notebook = run(
        [get_telemetry_setup_cell("intro"), "_cell('one')", MEAN.format(body="return 5")],
        env_for(relay, TELEMETRY_STUDENT_NAME=""),
    )
    assert "nothing is sent" in text(notebook.cells[0])
    assert relay.events == []


def test_without_the_package_the_notebook_runs_to_its_end(relay, tmp_path):
    env = env_for(relay, PYTHONPATH=str(tmp_path))
    (tmp_path / "ipynb_telemetry.py").write_text("raise ImportError('not here')\n")
    missing = tmp_path / "no-such-wheel.whl"
    os.environ["TELEMETRY_PACKAGE_SPEC"] = str(missing)
    try:
        setup = get_telemetry_setup_cell("intro")
    finally:
        del os.environ["TELEMETRY_PACKAGE_SPEC"]
    notebook = run(
        [
            setup,
            "_cell('one', 'code')",
            MEAN.format(body="return 5"),
            "_telemetry_capture('hint', {'n': 1}); print(STUDENT_NAME)",
        ],
        env,
    )
    said = [line for line in text(notebook.cells[0]).splitlines() if "Go on working" in line]
    assert len(said) == 1
    assert "is not available (CalledProcessError" in said[0]
    assert text(notebook.cells[3]) == "UNKNOWN\n"
    assert relay.requests == []


def test_a_course_that_asks_lets_the_notebook_run_to_its_end(relay):
    relay.course = {**COURSE, "consent": "opt-in"}
    run(
        [get_telemetry_setup_cell("intro"), "_cell('one')", MEAN.format(body="return 5")],
        env_for(relay),
    )
    assert relay.events == []


def test_a_relay_that_never_answers_costs_a_whole_notebook_next_to_nothing():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        env = {
            "TELEMETRY_HOST": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "TELEMETRY_API_KEY": KEY,
            "TELEMETRY_STUDENT_NAME": "John Doe",
        }
        timed = "import time; began = time.monotonic()\n{}\nprint(time.monotonic() - began < 1.5)"
        setup = "\n".join("    " + line for line in get_telemetry_setup_cell("x").splitlines())
        notebook = run(
            [timed.format(f"if True:\n{setup}"), timed.format("for n in range(99): _cell('a')")],
            env,
        )
    assert text(notebook.cells[0]).endswith("True\n")
    assert text(notebook.cells[1]).startswith("True\n")
