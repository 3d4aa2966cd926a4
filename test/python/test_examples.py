"""The examples of generators: run as their readers run them, and their notebook as students do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from conftest import ROOT
from kernels import clean_environment
from nbclient import NotebookClient
from standin import KEY

EXAMPLES = ROOT / "examples"
TYPESCRIPT = ROOT / "node_modules" / "typescript" / "lib" / "typescript.js"

# What Node does with TypeScript from version 22.18 on; the one that runs the tests may be older.
STRIP = """
import { readFileSync, writeFileSync } from 'node:fs';
const [, , compiler, source, target] = process.argv;
const { default: ts } = await import(compiler);
const compilerOptions = { module: 'esnext', target: 'es2022', verbatimModuleSyntax: true };
const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), { compilerOptions });
writeFileSync(target, outputText);
"""


def with_python(folder: Path) -> str:
    """The notebook that the Python example writes."""
    target = folder / "means.ipynb"
    subprocess.run(
        [sys.executable, EXAMPLES / "generate_notebook.py", target],
        check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "python")},
    )
    return target.read_text(encoding="utf-8")


def with_typescript(folder: Path) -> str:
    """The notebook that the TypeScript example writes, with the package installed beside it."""
    (folder / "node_modules").mkdir()
    (folder / "node_modules" / "ipynb-telemetry").symlink_to(ROOT)
    strip = folder / "strip.mjs"
    strip.write_text(STRIP)
    program = folder / "generate-notebook.mjs"
    subprocess.run(
        ["node", strip, TYPESCRIPT.as_uri(), EXAMPLES / "generate-notebook.ts", program],
        check=True,
    )
    subprocess.run(["node", program, folder / "means.ipynb"], check=True)
    return (folder / "means.ipynb").read_text(encoding="utf-8")


@pytest.fixture
def notebook(tmp_path: Path) -> nbformat.NotebookNode:
    return nbformat.reads(with_python(tmp_path), as_version=nbformat.NO_CONVERT)


def run(notebook: nbformat.NotebookNode, relay, **options: object) -> None:
    env = {
        **clean_environment(),
        "PYTHONPATH": str(ROOT / "python"),
        "TELEMETRY_HOST": relay.url,
        "TELEMETRY_API_KEY": KEY,
        "TELEMETRY_STUDENT_NAME": "Ada Lovelace",
    }
    client = NotebookClient(notebook, timeout=60, kernel_name="python3", **options)
    client.execute(env=env)


def cell_of(notebook: nbformat.NotebookNode, cell_id: str) -> nbformat.NotebookNode:
    return next(cell for cell in notebook.cells if cell.id == cell_id)


def test_both_languages_build_the_same_notebook(tmp_path):
    (tmp_path / "py").mkdir()
    (tmp_path / "ts").mkdir()
    one = with_python(tmp_path / "py")
    assert json.loads(with_typescript(tmp_path / "ts")) == json.loads(one)


def test_the_notebook_is_valid_and_has_its_setup_cell(notebook, tmp_path):
    nbformat.validate(notebook)
    assert notebook.metadata.ipynb_telemetry == {"course": "python-101", "notebook": "means"}
    checked = subprocess.run(
        ["node", ROOT / "lib/cli/main.js", "notebooks", "check", tmp_path / "means.ipynb"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "means.ipynb: ok" in checked.stdout


def test_as_students_get_it_every_check_fails_and_is_reported(notebook, relay):
    run(notebook, relay, allow_errors=True)
    (test,) = relay.wait_for_events(1, "test")
    properties = test["properties"]
    assert (properties["ex"], properties["ok"], properties["err"]) == (
        "mean",
        False,
        "AssertionError",
    )
    assert (properties["nb"], properties["student"]) == ("means", "ADA-LOVELACE")
    cells = relay.wait_for_events(5, "cell")
    statuses = [cell["properties"]["status"] for cell in cells]
    assert sorted(statuses) == ["error", "error", "ok", "ok", "ok"]


def test_solved_it_runs_to_its_end_and_says_so(notebook, relay):
    cell_of(
        notebook, "mean-code"
    ).source = "def mean(numbers):\n    return sum(numbers) / len(numbers)"
    cell_of(
        notebook, "median-code"
    ).source = "def median(numbers):\n    return sorted(numbers)[len(numbers) // 2]"
    run(notebook, relay)
    (test,) = relay.wait_for_events(1, "test")
    assert (test["properties"]["ex"], test["properties"]["ok"]) == ("mean", True)
    cells = relay.wait_for_events(5, "cell")
    assert {cell["properties"]["status"] for cell in cells} == {"ok"}
