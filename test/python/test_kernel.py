"""The kernel package in a real kernel: what a class runs, and what arrives for it.

A kernel sends all it has before it ends, so what has not come by then never will.
"""

import re
import subprocess
import sys
import time

import pytest
from conftest import ROOT, fixture
from ipynb_telemetry import ids
from kernels import SETUP, Kernel, Ran, clean_environment
from standin import COURSE, KEY, StandIn

MEAN = """
@tracked_test("mean")
def test_mean():
    {body}
test_mean()
"""
GOLDEN = {
    case["event"]["event"]: set(case["event"]["properties"])
    for case in reversed(fixture("events")["events"])
    if case["valid"] and "src" in case["event"]["properties"]
}


def env_for(relay: StandIn, **more: str) -> dict[str, str]:
    return {
        "TELEMETRY_HOST": relay.url,
        "TELEMETRY_API_KEY": KEY,
        "TELEMETRY_STUDENT_NAME": "John Doe",
        **more,
    }


def cells(relay: StandIn, count: int) -> list[dict]:
    return sorted(
        (e["properties"] | {"uuid": e["uuid"]} for e in relay.wait_for_events(count, "cell")),
        key=lambda p: p["cell_num"],
    )


def session_of(ran: Ran) -> str:
    (shown,) = ran.of("display_data")
    return shown["content"]["data"]["application/vnd.ipynb-telemetry.v1+json"]["sess"]


def test_a_lesson_gives_exactly_the_contracts_events(relay):
    with Kernel(env_for(relay)) as kernel:
        runs = [
            kernel.run(SETUP),
            kernel.run('_cell("add", "1 + 1")\n1 + 1'),
            kernel.run('_cell("boom")\nraise ValueError("my secret")'),
            kernel.run(MEAN.format(body="assert 1 == 2, 'my secret'")),
            kernel.run(MEAN.format(body="raise KeyError('my secret')")),
            kernel.run(MEAN.format(body="return 5")),
            kernel.run("def broken(:"),
        ]
    assert len(relay.events) == 1 + 7 + 3 + 1
    ended = ["ok", "ok", "error", "error", "error", "ok", "error"]
    assert [r.reply["status"] for r in runs] == ended
    for event in relay.events:
        assert set(event["properties"]) == GOLDEN[event["event"]], event["event"]
        assert event["distinct_id"] == event["properties"]["student"] == "JOHN-DOE"
        assert event["properties"]["nb"] == "intro"
        assert event["properties"]["sess"] == session_of(runs[0])
        assert "secret" not in str(event)
    assert sorted(e["properties"]["seq"] for e in relay.events) == list(range(1, 13))

    (start,) = relay.of("start")
    assert start["properties"]["client"] == "kernel"
    assert re.fullmatch(r"ipykernel \d+\.\d+.*", start["properties"]["kernel"])
    assert re.fullmatch(r"python 3\.\d+\.\d+", start["properties"]["language"])

    seen = cells(relay, 7)
    assert [p["cell_num"] for p in seen] == [1, 2, 3, 4, 5, 6, 7]
    assert [p["status"] for p in seen] == ended
    assert [p["cell_id"] for p in seen] == [None, "add", "boom", None, None, None, None]
    assert [p["err"] for p in seen][2:5] == ["ValueError", "AssertionError", "KeyError"]
    assert seen[6]["err"] == "SyntaxError"
    assert [p["uuid"] for p in seen] == [ids.cell_run_id(r.msg_id) for r in runs]
    assert [p["count"] for p in seen] == [r.reply["execution_count"] for r in runs]
    assert [p["lines"] for p in seen] == [2, 2, 2, 6, 6, 6, 1]
    assert all(isinstance(p["ms"], int) for p in seen)

    tests = relay.of("test")
    assert [e["properties"]["try"] for e in tests] == [1, 2, 3]
    assert [e["properties"]["ok"] for e in tests] == [False, False, True]
    assert [e["properties"]["status"] for e in tests] == ["failed", "error", "passed"]
    assert [e["properties"]["err"] for e in tests] == ["AssertionError", "KeyError", None]
    assert [e["uuid"] for e in tests] == [
        ids.test_result_id(r.msg_id, "mean", 1) for r in runs[3:6]
    ]

    (end,) = relay.of("end")
    counted = {name: end["properties"][name] for name in ("made", "delivered", "dropped")}
    assert counted == {"made": 11, "delivered": 11, "dropped": 0}
    assert (end["properties"]["reason"], end["properties"]["seq"]) == ("shutdown", 12)
    assert end["uuid"] == ids.session_end_id(session_of(runs[0]), "kernel")


def test_the_prompts_and_lines_are_the_known_ones(relay):
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME="")) as kernel:
        ran = kernel.run(SETUP, answers=[" faris ", "Hijazi"])
        sess = session_of(ran)
        told = kernel.run("print(STUDENT_NAME, sorted(_telemetry), _telemetry['session_id'])")
        relay.wait_for_events(1, "start")
    lines = ran.text().splitlines()
    assert lines[:2] == ["=" * 40, "Welcome, FARIS-HIJAZI!"]
    assert lines[2] == "ipynb-telemetry: Demo records how your work in this notebook goes."
    assert all(line.startswith("  ") for line in lines[3:])
    (shown,) = ran.of("display_data")
    assert shown["content"]["data"]["text/plain"] == f"Ready! Session: {sess}"
    hello = shown["content"]["data"]["application/vnd.ipynb-telemetry.v1+json"]
    assert re.fullmatch("[0-9a-f]{32}", hello.pop("comm"))
    assert hello == {
        "kind": "hello",
        "sess": sess,
        "nb": "intro",
        "student": "FARIS-HIJAZI",
        "v": "0.1.0",
    }
    assert re.fullmatch("[0-9a-f]{16,}", shown["content"]["transient"]["ipynb_telemetry_nonce"])
    keys = "['_capture', '_cell', 'session_id', 'student_name', 'tracked_test', 'version']"
    assert told.text() == f"FARIS-HIJAZI {keys} {sess}\n"


def test_a_name_in_another_script_is_kept_with_a_hint(relay):
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME="")) as kernel:
        ran = kernel.run(SETUP, answers=["فارس", "حجازي"])
        relay.wait_for_events(1, "start")
    assert "Welcome, فارس-حجازي!" in ran.text()
    assert "kept as you typed it" in ran.text()


def test_an_empty_name_is_refused_and_later_cells_live(relay):
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME="")) as kernel:
        refused = kernel.run(SETUP, answers=["John", "  "])
        later = kernel.run('_cell("a")\n' + MEAN.format(body="return 5") + "\nprint(STUDENT_NAME)")
        again = kernel.run(SETUP, answers=["John", "Doe"])
        relay.wait_for_events(1, "start")
    assert refused.reply["ename"] in ("ValueError", "EmptyNameError")
    assert refused.reply["evalue"] == "Both first and last name are REQUIRED! Run this cell again."
    assert later.reply["status"] == "ok"
    assert later.text() == "UNKNOWN\n"
    assert again.reply["status"] == "ok"


def test_without_stdin_and_name_one_line_is_printed_and_nothing_is_sent(relay):
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME="")) as kernel:
        ran = kernel.run(SETUP)
        later = kernel.run('_cell("a")\n' + MEAN.format(body="assert False"))
    assert ran.reply["status"] == "ok"
    assert "No name was given and none can be asked for here" in ran.text()
    assert later.reply["ename"] == "AssertionError"
    assert relay.events == []


def test_without_a_key_one_line_says_how_to_set_it(relay):
    with Kernel(env_for(relay, TELEMETRY_API_KEY="")) as kernel:
        ran = kernel.run(SETUP)
        later = kernel.run('_cell("a")\n' + MEAN.format(body="return 5"))
    said = [line for line in ran.text().splitlines() if "TELEMETRY_API_KEY" in line]
    assert len(said) == 1
    assert later.reply["status"] == "ok"
    assert relay.requests == []


def test_arguments_win_over_the_environment(relay):
    env = env_for(relay, TELEMETRY_HOST="http://127.0.0.1:9", TELEMETRY_API_KEY="nbt_wrong")
    with Kernel(env) as kernel:
        kernel.run(
            "import ipynb_telemetry\n"
            "ipynb_telemetry.setup_telemetry('other', "
            f"host={relay.url!r}, api_key={KEY!r}, student_name='Ana Ruiz')"
        )
        (start,) = relay.wait_for_events(1, "start")
    assert start["properties"]["student"] == "ANA-RUIZ"
    assert start["properties"]["nb"] == "other"


def test_setup_twice_begins_a_new_session_and_doubles_nothing(relay):
    with Kernel(env_for(relay)) as kernel:
        first = kernel.run(SETUP)
        kernel.run(MEAN.format(body="return 5"))
        second = kernel.run(SETUP)
        kernel.run("test_mean()")  # decorated in the first session
    old, new = session_of(first), session_of(second)
    assert old != new
    told = [
        (e["properties"]["sess"], e["event"], e["properties"].get("cell_num")) for e in relay.events
    ]
    assert sorted(told, key=str) == sorted(
        [
            (old, "start", None),
            (old, "cell", 1),
            (old, "cell", 2),
            (old, "test", None),
            (old, "end", None),
            (new, "start", None),
            (new, "cell", 1),
            (new, "cell", 2),
            (new, "test", None),
            (new, "end", None),
        ],
        key=str,
    )
    assert [e["properties"]["try"] for e in relay.of("test")] == [1, 1]
    assert len({e["uuid"] for e in relay.events}) == 10
    ended = {e["properties"]["sess"]: e["properties"]["reason"] for e in relay.of("end")}
    assert ended == {old: "setup", new: "shutdown"}


@pytest.mark.parametrize(
    "code",
    [
        "import time; time.sleep(30)",
        # ipykernel notices an interrupt when the event loop wakes, so it has to wake.
        "import asyncio\nfor _ in range(600): await asyncio.sleep(0.05)",
    ],
    ids=["sync", "await"],
)
def test_an_interrupted_run_is_interrupted_not_failed(relay, code):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        msg_id = kernel.start("print('on')\n" + code)
        while not any(m["msg_type"] == "stream" for m in kernel.stray):
            kernel.stray += kernel._iopub(0.1)
        kernel.manager.interrupt_kernel()
        seen = cells(relay, 2)
        kernel.run("1")
        assert cells(relay, 3)[2]["status"] == "ok"
    assert seen[1]["status"] == "interrupted"
    assert seen[1]["err"] in ("KeyboardInterrupt", "CancelledError")
    assert seen[1]["uuid"] == ids.cell_run_id(msg_id)


def test_an_exercise_in_the_cells_metadata_names_it_unless_a_label_does(relay):
    def of(exercise: object) -> dict:
        return {"trusted": True, "ipynb_telemetry": {"exercise": exercise}}

    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        kernel.run("1", cell_id="aabbccdd", metadata=of("warm days"))
        kernel.run("_cell('mine')", cell_id="aabbccdd", metadata=of("mean"))
        kernel.run("2", cell_id="aabbccdd", metadata=of(7))
        kernel.run("3", cell_id="aabbccdd", metadata={"ipynb_telemetry": "mean"})
        seen = cells(relay, 5)
    assert [p["cell_id"] for p in seen] == [None, "warm days", "mine", "aabbccdd", "aabbccdd"]


def test_at_level_code_the_source_and_the_message_are_sent():
    with StandIn({**COURSE, "level": "code"}) as relay, Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        kernel.run('_cell("a", "my preview")\nraise ValueError("what " * 100)')
        kernel.run("x = 1  # " + "long " * 200)
        seen = cells(relay, 3)
    assert seen[0]["code"] == SETUP
    assert seen[1]["code"] == "my preview"
    assert seen[1]["err"].startswith("ValueError: what what")
    assert len(seen[1]["err"]) == 200
    assert len(seen[2]["code"]) == 500


def test_custom_events_travel_and_overwrite_nothing(relay):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        kernel.run("_telemetry_capture('hint_opened', {'hint': 2, 'sess': 'mine', 'seq': -1})")
        (event,) = relay.wait_for_events(1, "hint_opened")
    assert event["properties"]["hint"] == 2
    assert re.fullmatch("[2-9A-Za-z]{8}", event["properties"]["sess"])
    assert event["properties"]["seq"] > 0


def test_a_relay_that_is_down_costs_a_line_not_the_lesson():
    env = {"TELEMETRY_HOST": "http://127.0.0.1:9", "TELEMETRY_API_KEY": KEY}
    with Kernel({**env, "TELEMETRY_STUDENT_NAME": "John Doe"}) as kernel:
        said = kernel.run(SETUP).text("stderr")
        for _ in range(100):
            if said:
                break
            ran = kernel.run("_cell('a')\nimport time; time.sleep(0.05)")
            assert ran.reply["status"] == "ok"
            said += ran.text("stderr")
        rest = "".join(kernel.run("1").text("stderr") for _ in range(20))
        status = kernel.run("import ipynb_telemetry; print(ipynb_telemetry.status())").text()
    assert "sending does not work (cannot reach 127.0.0.1:9" in said
    assert said.count("\n") == 1
    assert rest == ""
    assert "'last_error': 'cannot reach" in status
    assert KEY not in status


def test_the_last_run_before_shutdown_arrives(relay):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        kernel.run("_cell('last')")
    assert [p["cell_id"] for p in cells(relay, 2)] == [None, "last"]


def test_a_students_traceback_shows_the_students_code_alone(relay):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        ran = kernel.run("@tracked_test('sum')\ndef check():\n    assert 1 + 1 == 3\ncheck()")
    shown = "\n".join(ran.reply["traceback"])
    assert "1 + 1 == 3" in re.sub(r"\x1b\[[\d;]*m", "", shown)
    assert "tracked.py" not in shown


def test_long_names_lose_their_tail_and_not_the_event(relay):
    long = "x" * 300
    setup = f"from ipynb_telemetry import setup_telemetry\nsetup_telemetry({long!r})"
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME=long)) as kernel:
        kernel.run(setup)
        kernel.run(f"_cell({long!r})\n@tracked_test({long!r})\ndef t(): pass\nt()")
        kernel.run("@tracked_test('')\ndef unnamed(): pass\nunnamed()")
        first, second = (e["properties"] for e in relay.wait_for_events(2, "test"))
    assert [first[name] for name in ("nb", "ex", "cell_id")] == ["x" * 200] * 3
    assert first["student"] == "X" * 200
    assert second["ex"] == "unnamed"


def test_props_that_are_no_dict_are_named(relay):
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        said = kernel.run("_telemetry_capture('hint', 'text')").text("stderr")
    assert "expected properties as a dict, got str" in said


@pytest.mark.parametrize("key", ["nbt_a\r\nX: SECRET", "ключ", "two SECRET"])
def test_a_key_that_cannot_be_one_is_said_and_not_shown(relay, key):
    with Kernel(env_for(relay, TELEMETRY_API_KEY=key)) as kernel:
        ran = kernel.run(SETUP)
    assert "the key has characters that no key has" in ran.text()
    assert "SECRET" not in ran.text() + ran.text("stderr")


def test_posthog_itself_looks_up_nobodys_place(relay):
    relay.course = None
    relay.key = "phc_test"
    with Kernel(env_for(relay, TELEMETRY_API_KEY="phc_test")) as kernel:
        kernel.run(SETUP)
        (start,) = relay.wait_for_events(1, "start")
    assert start["properties"]["$geoip_disable"] is True


def test_why_a_session_ended_is_told(relay):
    with Kernel(env_for(relay)) as kernel:
        sess = session_of(kernel.run(SETUP))
        kernel.manager.shutdown_kernel(restart=True)
        (restarted,) = relay.wait_for_events(1, "end")
        assert restarted["uuid"] == ids.session_end_id(sess, "kernel")
    with Kernel(env_for(relay)) as kernel:
        kernel.run(SETUP)
        ran = kernel.run("_cell('last')\nexit()")
        relay.wait_for_events(2, "end")
    assert ran.reply["status"] == "ok"
    assert [e["properties"]["reason"] for e in relay.of("end")] == ["restarted", "exit"]
    assert [p["cell_id"] for p in cells(relay, 3)][-1] == "last"


def test_a_kernel_without_a_relay_ends_in_time():
    env = {"TELEMETRY_HOST": "http://127.0.0.1:9", "TELEMETRY_API_KEY": KEY}
    with Kernel({**env, "TELEMETRY_STUDENT_NAME": "John Doe"}) as kernel:
        kernel.run(SETUP)
        kernel.run("_cell('a')")
        began = time.monotonic()
        kernel.manager.shutdown_kernel()
        assert time.monotonic() - began < 4.5  # a manager kills after five


def test_a_course_that_asks_is_answered_in_the_setup_cell(relay):
    relay.course = {**COURSE, "consent": "opt-in"}
    with Kernel(env_for(relay)) as kernel:
        nobody = kernel.run(SETUP)
        said = kernel.run("_cell('unseen')\nimport time; time.sleep(0.3)")
        kernel.run("1")
        relay.wait_for(lambda: len(relay.requests) >= 1)
        assert relay.events == []
        declined = kernel.run(SETUP, answers=["n"])
        kernel.run("_cell('unseen')")
        again = kernel.run(SETUP, answers=[])
        kernel.run("_cell('unseen')")
        assert {path for _, path, _ in relay.requests} == {"/api/v1/course"}
        agreed = kernel.run("import ipynb_telemetry\nipynb_telemetry.agree()")
        kernel.run("_cell('seen')")
    assert nobody.reply["status"] == declined.reply["status"] == "ok"
    assert "nobody can be asked" in nobody.text() + nobody.text("stderr") + said.text("stderr")
    assert "Nothing is sent unless you agree" in declined.text()
    assert "as you decided" in again.text()
    assert "you agree" in agreed.text()
    told = [e["event"] for e in relay.events]
    assert sorted(told) == ["cell", "cell", "consent", "end"]
    assert "unseen" not in str(relay.events)


def test_a_hub_user_is_the_student_and_is_asked_nothing(relay):
    env = env_for(relay, JUPYTERHUB_USER="student1", TELEMETRY_STUDENT_NAME="Else Where")
    with Kernel(env) as kernel:
        ran = kernel.run(SETUP)
        (start,) = relay.wait_for_events(1, "start")
    assert ran.text().startswith("Welcome, student1!\n")
    assert start["distinct_id"] == start["properties"]["student"] == "student1"


def test_a_student_is_known_again_in_the_next_kernel(relay):
    env = env_for(relay, TELEMETRY_STUDENT_NAME="")
    with Kernel(env) as kernel:
        kernel.run(SETUP, answers=["Ada", "Byron"])
    with Kernel(env) as kernel:
        ran = kernel.run(SETUP)  # and nobody could answer
    assert ran.text().startswith("Welcome back, ADA-BYRON!\n")
    assert {e["distinct_id"] for e in relay.events} == {"ADA-BYRON"}


def test_ipython_in_a_terminal_reports_its_runs(relay):
    lines = [
        *SETUP.splitlines(),
        "_cell('one'); 1",
        "1/0",
        "%time 2",
        "tracked_test('t')(lambda: 5)()",
        "",
        "await __import__('asyncio').sleep(0)",
        "exit",
    ]
    env = {
        **clean_environment(),
        **env_for(relay),
        "PYTHONPATH": str(ROOT / "python"),
        "IPYTHONDIR": f"{clean_environment()['TELEMETRY_HOME']}-ipython",
    }
    command = [
        sys.executable,
        "-m",
        "IPython",
        "--simple-prompt",
        "--no-banner",
        "--colors=NoColor",
    ]
    done = subprocess.run(
        command, input="\n".join(lines) + "\n", env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    seen = cells(relay, 7)
    assert [p["cell_num"] for p in seen] == list(range(1, 8))
    assert [p["status"] for p in seen] == ["ok", "ok", "error", "ok", "ok", "ok", "ok"]
    assert [p["cell_id"] for p in seen][1] == "one"
    assert [e["properties"]["status"] for e in relay.of("test")] == ["passed"]
    assert relay.of("start")[0]["properties"]["kernel"].startswith("ipython ")
    assert [e["properties"]["reason"] for e in relay.of("end")] == ["exit"]
    assert "Ready! Session: " in done.stdout


def test_a_prompt_that_is_interrupted_leaves_the_lesson_alone(relay):
    with Kernel(env_for(relay, TELEMETRY_STUDENT_NAME="")) as kernel:
        msg_id = kernel.start(SETUP, allow_stdin=True)
        kernel.client.get_stdin_msg(timeout=20)
        kernel.manager.interrupt_kernel()
        ran = kernel.finish(msg_id)
        later = kernel.run('_cell("a")\n' + MEAN.format(body="return 5") + "\nprint(STUDENT_NAME)")
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert (later.reply["status"], later.text()) == ("ok", "UNKNOWN\n")
    assert relay.requests == []


@pytest.mark.parametrize("page", ["there", "missing"])
def test_where_no_page_comes_the_kernel_says_what_the_page_would_have_said(relay, page):
    relay.course = {**COURSE, "consent": "opt-in"}
    with Kernel(env_for(relay, TELEMETRY_PAGE="1")) as kernel:
        ran = kernel.run(SETUP + "\nimport time; time.sleep(0.5)")
        if page == "there":
            comm_id = kernel.comm_open()
            kernel.wait_for_comm("hello")
        impatient = "import ipynb_telemetry.session\nipynb_telemetry.session.PAGE_SECONDS = 0"
        later = [kernel.run(code) for code in (impatient, "1", "1")]
        if page == "there":
            kernel.comm_send(
                comm_id,
                {"kind": "consent", "agreed": True, "level": "outcomes", "notice_version": 1},
            )
            kernel.run("_telemetry_capture('seen')")
            relay.wait_for_events(1, "seen")
            told = kernel.run("import ipynb_telemetry\nipynb_telemetry.decline()")
            said = [m["content"]["data"] for m in told.of("comm_msg")]
            assert [m["agreed"] for m in said if m["kind"] == "consent"] == [False]
            kernel.run("_telemetry_capture('unseen')")
    assert "page asks you for it" in ran.text("stderr")
    owed = "".join(r.text("stderr") for r in later)
    assert owed.count("Nothing is sent before. To agree") == (page == "missing")
    told = [e["event"] for e in relay.events]
    assert told == ([] if page == "missing" else ["seen", "consent"])
