"""The generated cell: its known beginning, and safe whatever the id contains."""

import ast
import asyncio
import builtins
import keyword
import subprocess
import sys

import nbformat
import pytest
from conftest import fixture
from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import get_telemetry_setup_cell, get_telemetry_setup_cell_node

GOLDEN = fixture("setup-cells")


def argument(cell: str) -> str:
    """The id that the cell's last statement passes on."""
    last = ast.parse(cell).body[-1]
    assert isinstance(last, ast.Assign)
    call = last.value
    assert isinstance(call, ast.Call)
    assert isinstance(call.func, ast.Name)
    assert call.func.id == "setup_telemetry"
    return ast.literal_eval(call.args[0])


def test_it_begins_as_colab_collapses_it():
    assert get_telemetry_setup_cell("intro").startswith("#@title Enter Your Name (REQUIRED)\n")


def test_by_default_it_installs_from_the_package_index():
    cell = get_telemetry_setup_cell("intro")
    assert 'pip install "ipynb-telemetry" -q' in cell
    assert '[sys.executable, "-m", "pip", "install", "ipynb-telemetry", "-q"]' in cell
    assert "from ipynb_telemetry import setup_telemetry" in cell


def test_the_environment_names_another_package_and_requirement(monkeypatch):
    monkeypatch.setenv("TELEMETRY_PACKAGE_NAME", "my-telemetry")
    assert '"install", "my-telemetry"' in get_telemetry_setup_cell("intro")
    assert "from my_telemetry import setup_telemetry" in get_telemetry_setup_cell("intro")
    monkeypatch.setenv("TELEMETRY_PACKAGE_SPEC", "git+https://example.org/a.git@v1")
    assert '"install", "git+https://example.org/a.git@v1"' in get_telemetry_setup_cell("intro")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("TELEMETRY_PACKAGE_NAME", "os; import evil"),
        *(("TELEMETRY_PACKAGE_NAME", word) for word in keyword.kwlist),
        ("TELEMETRY_PACKAGE_SPEC", "--index-url=http://evil.example"),
    ],
)
def test_what_cannot_be_a_package_is_refused(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=variable):
        get_telemetry_setup_cell("intro")


@given(st.text())
def test_any_id_is_passed_on_unchanged(notebook_id):
    cell = get_telemetry_setup_cell(notebook_id)
    assert argument(cell) == notebook_id
    assert len(cell.splitlines()) == len(get_telemetry_setup_cell("x").splitlines())


@pytest.mark.parametrize(
    "notebook_id", ['a"b', "a'b", "a\\", "a\nb", '"""', "{x}", "\u2028", "فارس"]
)
def test_awkward_ids(notebook_id):
    assert argument(get_telemetry_setup_cell(notebook_id)) == notebook_id


@given(st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_any_requirement_is_one_argument_of_pip(spec):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TELEMETRY_PACKAGE_SPEC", "x" + spec)
        cell = get_telemetry_setup_cell("intro")
    lists = [ast.literal_eval(n) for n in ast.walk(ast.parse(cell)) if is_pip(n)]
    assert lists == [["-m", "pip", "install", ("x" + spec).strip(), "-q"]]


def is_pip(node: ast.AST) -> bool:
    if isinstance(node, ast.List) and len(node.elts) == 6:
        node.elts.pop(0)  # sys.executable
        return True
    return False


@pytest.mark.parametrize(("notebook_id", "literal"), GOLDEN["ids"])
def test_it_is_the_cell_of_the_golden_file_which_typescript_writes_too(notebook_id, literal):
    expected = GOLDEN["base"].replace('setup_telemetry("intro")', f"setup_telemetry({literal})")
    assert get_telemetry_setup_cell(notebook_id) == expected
    assert argument(expected) == notebook_id


@pytest.mark.parametrize("package", GOLDEN["packages"])
def test_it_installs_what_the_golden_file_says(monkeypatch, package):
    monkeypatch.setenv("TELEMETRY_PACKAGE_NAME", package["name"])
    monkeypatch.setenv("TELEMETRY_PACKAGE_SPEC", package["spec"])
    assert get_telemetry_setup_cell("intro") == package["source"]


def test_as_a_whole_cell_it_is_valid_and_marked():
    node = nbformat.from_dict(get_telemetry_setup_cell_node("intro"))
    notebook = nbformat.v4.new_notebook(cells=[node])
    nbformat.validate(notebook)
    assert node.source == get_telemetry_setup_cell("intro")
    assert node.metadata == {"ipynb_telemetry": {"notebook": "intro", "setup": True}}
    assert '"setup": true' in nbformat.writes(notebook)


def without_package(monkeypatch, fail) -> dict[str, object]:
    """Run the cell where the package is missing and pip does `fail`; the notebook's names."""
    monkeypatch.setitem(sys.modules, "ipynb_telemetry", None)
    monkeypatch.setattr(subprocess, "run", fail)
    names: dict[str, object] = {}
    exec(get_telemetry_setup_cell("intro"), names)
    return names


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, "pip"),
        subprocess.TimeoutExpired("pip", 120),
        OSError("no processes here"),
        KeyboardInterrupt(),
    ],
)
def test_without_the_package_everything_a_lesson_uses_is_there(monkeypatch, capsys, error):
    def fail(*_args, **_kwargs):
        raise error

    told = without_package(monkeypatch, fail)["_telemetry"]
    assert isinstance(told, dict)
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 1
    assert f"is not available ({type(error).__name__}" in said[0]
    assert builtins.STUDENT_NAME == told["student_name"] == "UNKNOWN"
    assert told["session_id"] is None
    builtins._cell("one")
    builtins._cell("two", "code")
    builtins._telemetry_capture("hint")
    builtins._telemetry_capture("hint", {"n": 1})
    assert told["_cell"] is builtins._cell
    assert told["tracked_test"] is builtins.tracked_test
    assert told["_capture"] is builtins._telemetry_capture

    @builtins.tracked_test("mean")
    def named(value=1):
        return value

    @builtins.tracked_test
    def bare(value=2):
        return value

    @builtins.tracked_test("later")
    async def later():
        return 3

    assert [named(), named(5), bare(), bare(value=6), asyncio.run(later())] == [1, 5, 2, 6, 3]
    assert bare.__name__ == "bare"

    class Tests:
        @builtins.tracked_test
        @classmethod
        def of_class(cls):
            return cls

    assert Tests.of_class() is Tests


def test_installing_has_an_end(monkeypatch):
    calls = []

    def fail(*args, **kwargs):
        calls.append((args, kwargs))
        raise OSError

    without_package(monkeypatch, fail)
    ((command,), options) = calls[0]
    assert command == [sys.executable, "-m", "pip", "install", "ipynb-telemetry", "-q"]
    assert options == {"check": True, "timeout": 120}


def test_without_the_package_names_of_an_earlier_session_stay(monkeypatch, capsys):
    def fail(*_args, **_kwargs):
        raise OSError

    builtins.STUDENT_NAME = "JOHN-DOE"
    told = without_package(monkeypatch, fail)["_telemetry"]
    assert isinstance(told, dict)
    assert told["student_name"] == "JOHN-DOE"
