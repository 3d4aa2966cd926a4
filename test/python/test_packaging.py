"""Wheel and sdist, and installs from git by people without Node."""

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT
from ipynb_telemetry import __version__

EXTENSION = f"ipynb_telemetry-{__version__}.data/data/share/jupyter/labextensions/ipynb-telemetry"
SERVER = (
    f"ipynb_telemetry-{__version__}.data/data/etc/jupyter/jupyter_server_config.d/"
    "ipynb_telemetry.json"
)
BUILT = {
    "package.json": '{"name": "ipynb-telemetry", "jupyterlab": {"_build": {}}}',
    "static/remoteEntry.js": "// the extension\n",
    "schemas/ipynb-telemetry/package.json.orig": "{}",
}


def clean_env() -> dict[str, str]:
    """No settings of ours, and nothing of this checkout on the path."""
    drop = ("TELEMETRY_", "PYTHONPATH", "JUPYTER_", "GIT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(drop)}


def call(*command: object, cwd: Path, **env: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**clean_env(), **env},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """What git tracks (or is about to), as a repository of its own, without anything built."""
    folder = tmp_path_factory.mktemp("checkout")
    listed = call(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    author = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    call("git", "init", "-q", "-b", "main", cwd=folder)
    call("git", "add", "-A", cwd=folder)
    call("git", *author, "commit", "-q", "-m", "All", cwd=folder)
    return folder


def build(checkout: Path, kind: str, out: Path) -> tuple[Path, str]:
    """Build without isolation; the file and what was said."""
    done = call(
        sys.executable, "-m", "build", f"--{kind}", "--no-isolation", "-o", out, cwd=checkout
    )
    (made,) = out.iterdir()
    return made, done.stdout + done.stderr


def test_a_wheel_without_the_built_extension_says_so(checkout, tmp_path):
    wheel, said = build(checkout, "wheel", tmp_path / "out")
    assert "labextension/static is not built" in said
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata = email.message_from_string(
            archive.read(f"ipynb_telemetry-{__version__}.dist-info/METADATA").decode()
        )
        server = json.loads(archive.read(SERVER))
    assert "ipynb_telemetry/__init__.py" in names
    assert "ipynb_telemetry/serverextension.py" in names
    assert "ipynb_telemetry/py.typed" in names
    assert not [name for name in names if name.startswith(EXTENSION)]
    assert server == {"ServerApp": {"jpserver_extensions": {"ipynb_telemetry": True}}}
    assert metadata["License-Expression"] == "BSD-3-Clause"
    assert [line for line in metadata.get_all("Requires-Dist") if "extra ==" not in line] == []
    assert f"ipynb_telemetry-{__version__}.dist-info/licenses/LICENSE" in names
    package = {name for name in names if name.startswith("ipynb_telemetry/")}
    assert {name.rsplit(".", 1)[-1] for name in package} == {"py", "typed"}


@pytest.fixture
def built(checkout):
    """The same checkout after the extension was built."""
    static = checkout / "labextension" / "static"
    for name, text in BUILT.items():
        (static / name).parent.mkdir(parents=True, exist_ok=True)
        (static / name).write_text(text)
    yield checkout
    shutil.rmtree(static)


def test_a_wheel_carries_the_built_extension(built, tmp_path):
    wheel, said = build(built, "wheel", tmp_path / "out")
    assert "not built" not in said
    with zipfile.ZipFile(wheel) as archive:
        for name, text in BUILT.items():
            assert archive.read(f"{EXTENSION}/{name}").decode() == text
        install = json.loads(archive.read(f"{EXTENSION}/install.json"))
        assert SERVER in archive.namelist()
    assert install["packageManager"] == "python"
    assert install["packageName"] == "ipynb-telemetry"


def test_an_sdist_makes_the_same_wheel(built, tmp_path):
    sdist, _ = build(built, "sdist", tmp_path / "sdist")
    shutil.unpack_archive(sdist, tmp_path / "unpacked", filter="data")
    (root,) = (tmp_path / "unpacked").iterdir()
    assert not (root / "src").exists()
    assert not (root / "node_modules").exists()
    first, _ = build(built, "wheel", tmp_path / "first")
    second, _ = build(root, "wheel", tmp_path / "second")
    with zipfile.ZipFile(first) as one, zipfile.ZipFile(second) as two:
        assert sorted(one.namelist()) == sorted(two.namelist())


def test_installing_from_git_works_without_node(checkout, tmp_path):
    target = tmp_path / "target"
    # No Node and no npm can be found on this path; git and Python can.
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "git").symlink_to(shutil.which("git") or "git")
    where = {"PATH": str(tools), "HOME": str(tmp_path)}
    pip = (sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps")
    call(*pip, "--target", target, f"git+file://{checkout}", cwd=tmp_path, **where)
    # A Python that has nothing else, so that no extension of this checkout's is found.
    bare = tmp_path / "bare"
    call(sys.executable, "-m", "venv", "--without-pip", bare, cwd=tmp_path)
    python = bare / ("Scripts" if os.name == "nt" else "bin") / "python"
    report = call(
        python,
        "-m",
        "ipynb_telemetry",
        cwd=tmp_path,
        PYTHONPATH=str(target),
        TELEMETRY_API_KEY="phc_test",
        **where,
    ).stdout
    assert f"ipynb-telemetry {__version__}" in report
    assert "kernel package: yes" in report
    assert "jupyter_server is not installed here" in report
    assert "JupyterLab and Notebook extension: no" in report
    assert "npm ci" in report
    assert "https://us.i.posthog.com" in report
    assert "phc_test" not in report


def test_the_report_finds_the_extension_where_jupyter_does(tmp_path):
    place = tmp_path / "labextensions" / "ipynb-telemetry"
    place.mkdir(parents=True)
    (place / "package.json").write_text("{}")
    report = call(
        sys.executable,
        "-m",
        "ipynb_telemetry",
        cwd=tmp_path,
        PYTHONPATH=str(ROOT / "python"),
        JUPYTER_PATH=str(tmp_path),
        TELEMETRY_HOST="http://user:secret@example.org",
        TELEMETRY_API_KEY="phc_test",
    ).stdout
    assert f"JupyterLab and Notebook extension: {place}" in report
    assert "host must not contain a user or a password" in report
    assert "secret" not in report
