"""Runs as IPython's hooks tell them, in one real kernel: whatever a cell does, one event each."""

import json
import re
import time

import pytest
from ipynb_telemetry import ids
from kernels import Lesson, lesson

TEST = "@tracked_test('t')\ndef t(): return 5\n"


@pytest.fixture(scope="module")
def _kernel(tmp_path_factory):
    with lesson(tmp_path_factory.mktemp("hooks")) as found:
        yield found


@pytest.fixture
def here(_kernel: Lesson) -> Lesson:
    """The kernel, in a new session; run 1 is the setup cell's."""
    _kernel.begin()
    return _kernel


@pytest.mark.parametrize(
    "code",
    [
        "%time sum(range(10))",
        "%%time\nsum(range(10))",
        "%%timeit -n1 -r1\n1",
        "%pwd",
        "len?",
        "!true",
        "files = !echo a",
        "%%bash\ntrue",
        "%%capture out\nprint('hidden')",
        "%alias_magic zeit time\n%zeit 1",
        "await __import__('asyncio').sleep(0)",
        "import asyncio\nasync def f(): return 5\nprint(await asyncio.gather(f(), f()))",
        "get_ipython().run_cell('1 + 1'); get_ipython().run_cell('%time 2')",
        "get_ipython().run_cell('get_ipython().run_cell(\"1\")')",
        "get_ipython().run_cell('raise ValueError')",
        "get_ipython().run_cell('def broken(:')",
        "get_ipython().run_cell('   ')",
        "get_ipython().run_cell('await __import__(\"asyncio\").sleep(0)')",
        "%%capture\nget_ipython().run_cell('print(5)')",
        "get_ipython().run_cell('1', store_history=True, silent=True)",
        "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'pass'], check=True)",
        "exec('1'); eval('2')",
        "from IPython.display import clear_output, display; display(1); clear_output()",
        "get_ipython().set_next_input('2')",
    ],
)
def test_one_run_is_one_event(here, code):
    ran = here.run(code)
    assert ran.reply["status"] == "ok", ran.reply
    after = here.run("1")
    told = here.events("cell")
    assert [e["properties"]["cell_num"] for e in told] == [1, 2, 3]
    assert [e["properties"]["status"] for e in told] == ["ok"] * 3
    assert [e["uuid"] for e in told[1:]] == [ids.cell_run_id(r.msg_id) for r in (ran, after)]
    assert told[1]["properties"]["lines"] == code.count("\n") + 1
    assert "ipynb-telemetry" not in ran.text("stderr")


@pytest.mark.parametrize(
    ("code", "err"),
    [
        ("%no_such_magic", "UsageError"),
        ("%%no_such_magic\n1", "UsageError"),
        ("def broken(:", "SyntaxError"),
        (" x = 1\n  y = 2", "IndentationError"),
        ("%time 1/0", "ZeroDivisionError"),
        ("%%capture\n1/0", None),  # IPython itself calls this a success
        ("await missing()", "NameError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("get_ipython().run_cell('1'); 1/0", "ZeroDivisionError"),
        ("get_ipython().run_cell('1/0').raise_error()", "ZeroDivisionError"),
    ],
)
def test_one_failing_run_is_one_event(here, code, err):
    ran = here.run(code)
    here.run("1")
    told = here.cells()
    assert [p["cell_num"] for p in told] == [1, 2, 3]
    assert told[1]["status"] == ran.reply["status"]
    assert told[1]["err"] == err
    assert told[2]["status"] == "ok"


def test_what_is_no_run_of_a_cell_is_no_event(here):
    here.run("1", silent=True, store_history=False)
    here.run("1", store_history=False)
    here.run("   \n")
    here.run("")
    assert [p["cell_num"] for p in here.cells()] == [1]


def test_a_label_names_the_run_and_does_not_count_it(here):
    here.run("_cell('a', 'my code')")
    here.run("_cell('first'); _cell('second')")
    here.run("get_ipython().run_cell(\"_cell('nested')\")")
    here.run("%%time\n_cell('timed')")
    told = here.cells()
    assert [p["cell_id"] for p in told] == [None, "a", "second", "nested", "timed"]
    assert [p["cell_num"] for p in told] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("sent", "cell_id"),
    [
        ("3f2a9c10", "3f2a9c10"),
        ("f1e2d3c4-aaaa-bbbb-cccc-000000000000", "f1e2d3c4-aaaa-bbbb-cccc-000000000000"),
        ("vscode-notebook-cell:/home/jane.doe/a.ipynb#W0sZmlsZQ%3D%3D", "W0sZmlsZQ"),
        ("vscode-notebook-cell://ssh-remote%2Bbox/c%3A/Users/Jane/a.ipynb#X12sdnNj", "X12sdnNj"),
        ("/home/jane.doe/a.ipynb", None),
        ("vscode-notebook-cell:/home/jane.doe/a.ipynb", None),
        ("a.ipynb#/home/jane.doe", None),
        ("x" * 65, None),
    ],
)
def test_a_cells_id_comes_from_the_request_and_a_path_does_not(here, sent, cell_id):
    here.run("1", cell_id=sent)
    assert here.cells()[1]["cell_id"] == cell_id
    assert "jane" not in json.dumps(here.events()).lower()


def test_a_notebook_that_runs_another_one_is_one_run(here, tmp_path):
    import nbformat

    sources = ["1", "2", "from ipynb_telemetry import setup_telemetry", TEST + "t()"]
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbformat.write(other, tmp_path / "other.ipynb")
    here.run(f"%run {tmp_path / 'other.ipynb'}")
    here.run("1")
    assert [p["cell_num"] for p in here.cells()] == [1, 2, 3]
    assert [p["ex"] for p in here.tests()] == ["t"]


def test_setup_in_a_notebook_that_is_run_begins_with_the_outer_run(here, tmp_path):
    import nbformat

    sources = ["from ipynb_telemetry import setup_telemetry\nx = setup_telemetry('inner')", "2"]
    other = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])
    nbformat.write(other, tmp_path / "setup.ipynb")
    ran = here.run(f"%run {tmp_path / 'setup.ipynb'}\n1/0")
    here.run("2")
    here.sess = here.run("print(x['session_id'])").text().strip()
    told = here.events("cell")
    assert [e["properties"]["cell_num"] for e in told] == [1, 2, 3]
    assert told[0]["uuid"] == ids.cell_run_id(ran.msg_id)
    assert [e["properties"]["status"] for e in told] == ["error", "ok", "ok"]


def test_setup_twice_in_one_cell_doubles_nothing(here):
    ran = here.run(
        "first = setup_telemetry('intro')['session_id']\n"
        + TEST
        + "t(); t()\nsecond = setup_telemetry('intro')['session_id']\nt()\nprint(first, second)"
    )
    first, second = ran.text().split()[-2:]
    here.sess = first
    old = here.events()
    assert [e["event"] for e in old] == ["start", "test", "test", "end"]
    here.sess = second
    new = here.events()
    assert sorted(e["event"] for e in new) == ["cell", "start", "test"]
    results = [e["uuid"] for e in [*old, *new] if e["event"] == "test"]
    assert results == [ids.test_result_id(ran.msg_id, "t", n) for n in (1, 2, 3)]


def test_autoreload_and_loading_us_again_lose_nothing(here, tmp_path):
    (tmp_path / "lesson_module.py").write_text("def answer(): return 1\n")
    here.run(f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n%load_ext autoreload")
    here.run("%autoreload 2\nimport lesson_module\n_cell('before')\n" + TEST)
    time.sleep(0.01)
    (tmp_path / "lesson_module.py").write_text("def answer(): return 22\n")
    ran = here.run("print(lesson_module.answer())\nt()")
    here.run(
        "import importlib, ipynb_telemetry.tracked, ipynb_telemetry.runs\n"
        "importlib.reload(ipynb_telemetry.tracked); importlib.reload(ipynb_telemetry.runs)"
    )
    here.run("_cell('after'); t()")
    here.run("%autoreload 0")
    assert ran.text() == "22\n"
    told = here.cells()
    assert [p["cell_num"] for p in told] == [1, 2, 3, 4, 5, 6, 7]
    assert [p["cell_id"] for p in told if p["cell_id"]] == ["before", "after"]
    assert [p["try"] for p in here.tests()] == [1, 2]


def test_reset_leaves_the_names_of_the_notebook(here):
    ran = here.run("%reset -f")
    later = here.run("_cell('after')\n" + TEST + "t()\nprint(STUDENT_NAME)")
    assert ran.reply["status"] == later.reply["status"] == "ok"
    assert later.text() == "JOHN-DOE\n"
    assert [p["cell_id"] for p in here.cells()] == [None, None, "after"]
    assert [p["ok"] for p in here.tests()] == [True]


@pytest.mark.parametrize("cleared", ["post_run_cell", "pre_run_cell", "both", "replaced"])
def test_cleared_hooks_come_back_with_the_next_call_of_ours(here, cleared):
    clear = {
        "both": "for hooks in get_ipython().events.callbacks.values(): hooks.clear()",
        "replaced": "get_ipython().init_events()",
    }.get(cleared, f"get_ipython().events.callbacks['{cleared}'].clear()")
    here.run("_cell('before')")
    here.run(clear)
    unseen = here.run("1")
    back = here.run("_cell('back')\n" + TEST + "t()")
    here.run("_cell('later'); t()")
    told = here.events("cell")
    labels = [e["properties"]["cell_id"] for e in told]
    assert labels[:2] == [None, "before"]
    assert labels[-2:] == ["back", "later"]
    assert ids.cell_run_id(back.msg_id) in [e["uuid"] for e in told]
    assert len({e["uuid"] for e in told}) == len(told)
    assert unseen.reply["status"] == "ok"
    results = here.events("test")
    assert results[0]["uuid"] == ids.test_result_id(back.msg_id, "t", 1)
    assert [e["properties"]["try"] for e in results] == [1, 2]


FORKS = {
    "fork": """
import os
child = os.fork()
if child == 0:
    _cell('child'); t(); _telemetry_capture('from_child')
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
""",
    "fork in a test": """
import os
@tracked_test('forking')
def forking():
    child = os.fork()
    if child == 0:
        try:
            t()
            raise ValueError('in the child')
        finally:
            os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
forking()
""",
    "multiprocessing fork": """
import multiprocessing
def work():
    t(); _cell('child')
child = multiprocessing.get_context('fork').Process(target=work)
child.start(); child.join(20)
assert child.exitcode == 0
""",
    "multiprocessing spawn": """
import math, multiprocessing
__spec__ = None  # which %reset of another test has deleted
with multiprocessing.get_context('spawn').Pool(1) as pool:
    assert pool.map(math.sqrt, [4.0]) == [2.0]
""",
    "process pool": """
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
def work(n):
    t()
    return n + 1
with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context('fork')) as pool:
    assert list(pool.map(work, [1, 2])) == [2, 3]
""",
}


@pytest.mark.parametrize("code", FORKS.values(), ids=FORKS)
@pytest.mark.filterwarnings("ignore")
def test_children_report_nothing_and_the_parent_goes_on(here, code):
    here.run(TEST)
    ran = here.run(code)
    after = here.run("_cell('parent'); t()")
    assert ran.reply["status"] == after.reply["status"] == "ok", ran.reply
    assert "telemetry" not in ran.text("stderr")
    assert "attempted to send" not in ran.text("stderr")
    told = here.events()
    assert [e["properties"]["cell_id"] for e in told if e["event"] == "cell"] == [
        None,
        None,
        None,
        "parent",
    ]
    assert all(e["event"] != "from_child" for e in told)
    parents = [e["uuid"] for e in told if e["event"] == "test"]
    assert parents[-1] == ids.test_result_id(after.msg_id, "t", 1)
    assert len(parents) == (2 if "forking" in code else 1)
    assert [e["properties"]["seq"] for e in told] == list(range(1, len(told) + 1))


def test_a_thread_that_outlives_its_cell_still_reports(here):
    ran = here.run(
        TEST + "import threading, time\n"
        "def late():\n    time.sleep(0.5); t(); _telemetry_capture('late')\n"
        "thread = threading.Thread(target=late); thread.start()"
    )
    here.run("1")
    here.run("thread.join()")
    (result,) = here.events("test")
    assert result["uuid"] != ids.test_result_id(ran.msg_id, "t", 1)
    assert result["properties"]["ok"] is True
    assert len(here.events("late")) == 1
    assert [p["cell_num"] for p in here.cells()] == [1, 2, 3, 4]


def test_tests_in_threads_belong_to_the_run_around_them(here):
    ran = here.run(
        TEST + "import threading\n"
        "threads = [threading.Thread(target=t) for _ in range(8)]\n"
        "[thread.start() for thread in threads]; [thread.join() for thread in threads]"
    )
    told = here.events("test")
    assert {e["uuid"] for e in told} == {
        ids.test_result_id(ran.msg_id, "t", n) for n in range(1, 9)
    }
    assert sorted(e["properties"]["try"] for e in told) == list(range(1, 9))


def test_a_test_under_capture_is_reported_with_its_run(here):
    ran = here.run("%%capture out\n" + TEST + "t()")
    (result,) = here.events("test")
    assert result["uuid"] == ids.test_result_id(ran.msg_id, "t", 1)


def test_tests_in_one_cell_have_an_id_for_each_call(here):
    ran = here.run(
        "import pytest, unittest\n"
        "@pytest.mark.parametrize('n', [1, 2])\n@tracked_test('both')\n"
        "def both(n): assert n == 1\n"
        "both(1)\ntry: both(2)\nexcept AssertionError: pass\n"
        "for n in (1, 2):\n    tracked_test(f'mean[{n}]')(both)(1)\n"
        "@tracked_test('outer')\ndef outer(): return both(1)\n"
        "outer()"
    )
    assert ran.reply["status"] == "ok", ran.reply
    told = here.events("test")
    assert [(e["properties"]["ex"], e["properties"]["status"]) for e in told] == [
        ("both", "passed"),
        ("both", "failed"),
        ("both", "passed"),
        ("mean[1]", "passed"),
        ("both", "passed"),
        ("mean[2]", "passed"),
        ("both", "passed"),
        ("outer", "passed"),
    ]
    ordinals = {"both": 0}
    for event in told:
        ex = event["properties"]["ex"]
        ordinals[ex] = ordinals.get(ex, 0) + 1
        assert event["uuid"] == ids.test_result_id(ran.msg_id, ex, ordinals[ex])


def test_a_class_of_unittest_is_tracked_method_by_method(here):
    ran = here.run(
        "import unittest\n@tracked_test('case')\n"
        "class Case(unittest.TestCase):\n"
        "    def setUp(self): self.x = 1\n"
        "    def test_good(self): self.assertEqual(self.x, 1)\n"
        "    def test_bad(self): self.assertEqual(self.x, 2)\n"
        "    def test_skip(self): self.skipTest('later')\n"
        "result = unittest.main(argv=[''], exit=False, verbosity=0).result\n"
        "print(result.testsRun, len(result.failures), len(result.skipped))"
    )
    assert ran.text() == "3 1 1\n"
    assert {p["ex"]: p["status"] for p in here.tests()} == {
        "case.test_good": "passed",
        "case.test_bad": "failed",
        "case.test_skip": "skipped",
    }


def test_skipped_and_interrupted_tests_are_no_attempts(here):
    here.run(
        "import unittest\n@tracked_test('t')\ndef t(error=None):\n"
        "    if error: raise error\n"
        "def call(error=None):\n"
        "    try: t(error)\n    except BaseException: pass"
    )
    here.run(
        "call(unittest.SkipTest()); call(); call(KeyboardInterrupt()); call(ValueError())\n"
        "call(unittest.SkipTest()); call(TimeoutError()); call(SystemExit(1)); call()"
    )
    assert [(p["status"], p["try"], p["ok"]) for p in here.tests()] == [
        ("skipped", 1, False),
        ("passed", 1, True),
        ("interrupted", 1, False),
        ("error", 2, False),
        ("skipped", 2, False),
        ("timeout", 3, False),
        ("error", 4, False),
        ("passed", 5, True),
    ]


def test_async_tests_are_judged_when_they_have_ended(here):
    ran = here.run(
        "import asyncio\n"
        "@tracked_test('slow')\nasync def slow():\n    await asyncio.sleep(9)\n"
        "@tracked_test('limited')\nasync def limited():\n"
        "    await asyncio.wait_for(asyncio.sleep(9), 0.01)\n"
        "@tracked_test('task')\ndef task():\n    return asyncio.ensure_future(fails())\n"
        "async def fails():\n    await asyncio.sleep(0.05); assert False\n"
        "for test in (limited, task, lambda: asyncio.wait_for(slow(), 0.01)):\n"
        "    try: await test()\n    except Exception as error: print(type(error).__name__)"
    )
    assert ran.text().split() == ["TimeoutError", "AssertionError", "TimeoutError"]
    told = here.events("test")
    assert {e["properties"]["ex"]: e["properties"]["status"] for e in told} == {
        "limited": "timeout",
        "task": "failed",
        "slow": "interrupted",  # somebody else's patience ended, not the test
    }
    assert {e["uuid"] for e in told} == {
        ids.test_result_id(ran.msg_id, ex, 1) for ex in ("limited", "task", "slow")
    }


def test_a_fault_of_ours_shows_no_traceback_and_is_said_once(here):
    here.run(
        "import ipynb_telemetry.tracked as ours\nsession = ours.active()\n"
        "def broken(*_, **__): raise RuntimeError('our fault')\n"
        "kept = session._run_ended; session._runs._ended = broken\n"
        "session.begin_test = broken"
    )
    first = here.run(TEST + "print(t())")
    second = here.run("_cell('x'); print(t())")
    here.run("session._runs._ended = kept; del session.begin_test")
    assert first.text() == second.text() == "5\n"
    said = first.text("stderr") + second.text("stderr")
    assert "Error in callback" not in said
    assert "Traceback" not in said
    assert said.count("RuntimeError: our fault") <= 1
    assert here.cells()[-1]["status"] == "ok"


def test_an_interrupted_test_passes_its_interrupt_on(here):
    msg_id = here.kernel.start(
        "@tracked_test('loop')\ndef loop():\n    print('on', flush=True)\n"
        "    import time\n    time.sleep(30)\nloop()"
    )
    while not any(m["msg_type"] == "stream" for m in here.kernel.stray):
        here.kernel.stray += here.kernel._iopub(0.1)
    here.kernel.stray.clear()
    here.kernel.manager.interrupt_kernel()
    ran = here.kernel.finish(msg_id)
    assert ran.reply["ename"] == "KeyboardInterrupt"
    assert [(p["status"], p["err"]) for p in here.tests()] == [("interrupted", "KeyboardInterrupt")]
    assert here.cells()[-1]["status"] == "interrupted"


def test_the_numbers_of_a_session_have_no_gap(here):
    for n in range(5):
        here.run(f"_cell('c{n}')\n" + TEST + "t()")
    told = here.events()
    assert [e["properties"]["seq"] for e in told] == list(range(1, len(told) + 1))
    assert re.fullmatch("[2-9A-Za-z]{8}", here.sess)
    here.begin()
    ended = [e for e in here.relay.of("end") if e["properties"]["reason"] == "setup"]
    assert ended
