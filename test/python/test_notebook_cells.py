"""The generated cell: its known beginning, and safe whatever the id contains."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipynb_telemetry import get_telemetry_setup_cell


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
