"""Setup in plain Python, configuration, and what a notebook calls."""

import builtins
import inspect
import json
import re
import subprocess
import sys

import ipynb_telemetry
import pytest
from conftest import INJECTED, ROOT
from ipynb_telemetry import config, setup_telemetry, tracked
from ipynb_telemetry.ids import session_end_id
from standin import KEY


def start(relay, **more):
    return setup_telemetry("intro", host=relay.url, api_key=KEY, student_name="John Doe", **more)


def answer(monkeypatch, *lines):
    """Answer the prompts; the questions that were asked."""
    asked, left = [], list(lines)

    def ask(prompt=""):
        asked.append(prompt)
        return left.pop(0)

    monkeypatch.setattr(builtins, "input", ask)
    return asked


def test_versions_are_equal():
    package = json.loads((ROOT / "package.json").read_text())
    (project,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(), re.M)
    assert ipynb_telemetry.__version__ == project == package["version"]


def test_the_signature_begins_as_it_always_did():
    parameters = list(inspect.signature(setup_telemetry).parameters.values())
    assert [p.name for p in parameters][:3] == ["notebook_id", "host", "api_key"]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters[1:])


def test_prompts_and_lines_in_plain_python(relay, monkeypatch, capsys):
    asked = answer(monkeypatch, "faris", " Hijazi ")
    told = setup_telemetry("intro", host=relay.url, api_key=KEY)
    assert asked == ["Enter FIRST NAME (English): ", "Enter LAST NAME (English): "]
    assert capsys.readouterr().out == (
        f"{'=' * 40}\nWelcome, FARIS-HIJAZI!\nReady! Session: {told['session_id']}\n"
    )
    assert sorted(told) == [
        "_capture",
        "_cell",
        "session_id",
        "student_name",
        "tracked_test",
        "version",
    ]
    assert builtins.STUDENT_NAME == told["student_name"] == "FARIS-HIJAZI"
    assert all(hasattr(builtins, name) for name in INJECTED)


def test_without_ipython_a_cell_is_reported_as_it_begins(relay):
    start(relay, level="code")
    assert builtins._cell("a", "x" * 900) is None
    builtins._cell("b")
    first, second = relay.wait_for_events(2, "cell")
    own = {"cell_id", "cell_num", "code"}
    common = {"nb", "sess", "student", "v", "src", "seq"}
    assert set(first["properties"]) == own | common
    assert [e["properties"]["cell_num"] for e in (first, second)] == [1, 2]
    assert first["properties"]["code"] is None  # the course says outcomes


@pytest.mark.parametrize("trouble", [EOFError, OSError, NotImplementedError])
def test_no_answer_to_the_prompt_is_no_error(relay, monkeypatch, capsys, trouble):
    def ask(prompt=""):
        raise trouble

    monkeypatch.setattr(builtins, "input", ask)
    told = setup_telemetry("intro", host=relay.url, api_key=KEY)
    assert told["student_name"] == "UNKNOWN"
    assert told["session_id"] is None
    assert "TELEMETRY_STUDENT_NAME" in capsys.readouterr().out
    builtins._cell("a")
    assert builtins.tracked_test("t")(lambda: 5)() == 5
    assert relay.requests == []


def test_an_earlier_name_serves_where_none_can_be_asked_for(relay, monkeypatch):
    start(relay)

    def ask(prompt=""):
        raise EOFError

    monkeypatch.setattr(builtins, "input", ask)
    told = setup_telemetry("intro", host=relay.url, api_key=KEY)
    assert told["student_name"] == "JOHN-DOE"
    assert told["session_id"] is not None


def test_a_refused_name_keeps_the_session_that_was(relay):
    before = start(relay)
    with pytest.raises(ValueError, match="REQUIRED"):
        setup_telemetry("intro", host=relay.url, api_key=KEY, student_name="\u200b")
    assert builtins.STUDENT_NAME == "JOHN-DOE"
    assert tracked.active().context.sess == before["session_id"]
    start(relay)
    ended = relay.wait_for_events(1, "end")[0]
    assert ended["uuid"] == session_end_id(before["session_id"], "kernel")
    # What was on its way is not known to be delivered.
    assert ended["properties"]["reason"] == "setup"
    assert (ended["properties"]["made"], ended["properties"]["dropped"]) == (1, 0)


def test_odd_arguments_never_raise(relay, capsys):
    start(relay)

    class Nasty:
        def __str__(self):
            raise RuntimeError("nasty")

    builtins._cell(Nasty())
    builtins._telemetry_capture("", {})
    builtins._telemetry_capture("good", {"x": Nasty(), Nasty(): 1})
    builtins._telemetry_capture("odd", 5)
    assert relay.wait_for_events(1, "good")[0]["properties"]["x"] == "<Nasty>"
    said = capsys.readouterr().err
    assert "expected an event's name, got ''" in said


def test_status_tells_what_has_become_of_the_events(relay):
    assert ipynb_telemetry.status() == {"session": None, "sending": False}
    told = start(relay)
    assert ipynb_telemetry.flush(10)
    status = ipynb_telemetry.status()
    assert status == {
        "session": told["session_id"],
        "student": "JOHN-DOE",
        "sending": True,
        "host": relay.url,
        "course": "demo",
        "level": "outcomes",
        "queued": 0,
        "held": 0,
        "on_disk": 0,
        "sent": 1,
        "confirmed": 0,
        "failed": 0,
        "dropped": 0,
        "last_error": None,
    }
    assert KEY not in str(status)


@pytest.mark.parametrize(
    ("arguments", "env", "host", "key"),
    [
        ({}, {}, config.POSTHOG_HOST, ""),
        ({"api_key": "phc_test"}, {}, "https://us.i.posthog.com", "phc_test"),
        ({}, {"TELEMETRY_API_KEY": "phc_test"}, "https://us.i.posthog.com", "phc_test"),
        ({}, {"TELEMETRY_HOST": "https://a.org/x/"}, "https://a.org/x", ""),
        (
            {"host": "https://b.org", "api_key": "k"},
            {"TELEMETRY_HOST": "https://a.org", "TELEMETRY_API_KEY": "phc_test"},
            "https://b.org",
            "k",
        ),
    ],
)
def test_where_to_send(arguments, env, host, key):
    settings = config.resolve(**arguments, env=env)
    assert (settings.host, settings.api_key) == (host, key)
    assert (settings.trouble is None) is bool(key)


@pytest.mark.parametrize(
    "host",
    ["telemetry.example.org", "ftp://a.org", "http://", "http://u:p@a.org", "http://a.org?x"],
)
def test_a_host_that_is_no_address_is_one_line_and_no_error(monkeypatch, capsys, host):
    told = setup_telemetry("intro", host=host, api_key=KEY, student_name="A B")
    lines = [line for line in capsys.readouterr().out.splitlines() if "host" in line]
    assert len(lines) == 1
    assert "https://telemetry.example.org" in lines[0]
    assert "u:p" not in lines[0]
    assert told["session_id"] is not None
    assert ipynb_telemetry.status()["sending"] is False


def test_an_unknown_level_is_the_strictest(relay, capsys):
    start(relay, level="everything")
    assert "'everything', expected one of outcomes, code, full" in capsys.readouterr().out
    assert tracked.active()._source.level == "outcomes"


def test_importing_needs_nothing_but_the_standard_library():
    code = (
        f"import sys; sys.path.append({str(ROOT / 'python')!r})\n"
        "before = set(sys.modules)\n"
        "import ipynb_telemetry, ipynb_telemetry.transport, ipynb_telemetry.post\n"
        "import ipynb_telemetry.session, urllib.request\n"
        "names = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(n for n in names if n not in sys.stdlib_module_names))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "['ipynb_telemetry']"


def test_importing_loads_neither_network_nor_ipython():
    code = (
        f"import sys; sys.path.append({str(ROOT / 'python')!r})\n"
        "import ipynb_telemetry\n"
        "heavy = {'http', 'urllib.request', 'ssl', 'gzip', 'asyncio', 'IPython', 'inspect'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
