"""Kernels that end in every way while the relay is away: what they did arrives later, once."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import ROOT
from ipynb_telemetry import ids, spool
from kernels import Kernel
from sending import free_port, wait
from standin import StandIn
from test_kernel import SETUP, env_for

OUTLIVES = """
import os, time
child = os.fork()
if child == 0:
    os.setsid()
    time.sleep(60)
    os._exit(0)
child
"""

pytestmark = pytest.mark.skipif(os.name == "nt", reason="kills kernels with POSIX signals")


def files() -> list[Path]:
    folder = Path(spool.folder())
    return sorted(folder.iterdir()) if folder.exists() else []


def written() -> list[dict]:
    lines = [json.loads(text) for path in files() for text in path.read_text().splitlines()]
    return [said for said in lines if isinstance(said, dict)]


def env(port: int, **more: str) -> dict[str, str]:
    class Away:
        url = f"http://127.0.0.1:{port}"

    return {**env_for(Away), "TELEMETRY_HOME": os.environ["TELEMETRY_HOME"], **more}


def kill(kernel: Kernel) -> None:
    process = kernel.manager.provisioner.process
    process.kill()
    process.wait(10)


def judge(relay: StandIn, runs: list, sessions: int) -> None:
    """Each run came once, and no number is missing in what came of any session."""
    assert len({e["uuid"] for e in relay.events}) == len(relay.events)
    came = {e["uuid"] for e in relay.of("cell")}
    assert came >= {ids.cell_run_id(ran.msg_id) for ran in runs}
    numbers: dict[str, list[int]] = {}
    for event in relay.events:
        numbers.setdefault(event["properties"]["sess"], []).append(event["properties"]["seq"])
    assert len(numbers) == sessions
    assert all(sorted(seen) == list(range(1, len(seen) + 1)) for seen in numbers.values())


def test_a_kernel_that_is_killed_while_the_relay_is_away_loses_nothing_that_waited():
    port = free_port()
    with Kernel(env(port)) as kernel:
        runs = [kernel.run(SETUP), *(kernel.run(f"_cell('c{n}')\n{n}") for n in range(5))]
        wait(lambda: len(written()) == 1 + 6)
        kill(kernel)
    with StandIn(port=port) as relay, Kernel(env(port)) as kernel:
        runs.append(kernel.run(SETUP))
        relay.wait_for_events(1 + 6 + 2)
        wait(lambda: files() == [])
        first = relay.events[:7]
        assert [e["properties"]["seq"] for e in first] == list(range(1, 8))  # before its own
    judge(relay, runs, sessions=2)


def test_a_kernel_that_is_shut_down_during_an_outage_ends_in_time_and_loses_nothing():
    port = free_port()
    with Kernel(env(port)) as kernel:
        runs = [kernel.run(SETUP), kernel.run("raise ValueError('x')")]
        began = time.monotonic()
        kernel.manager.shutdown_kernel()
        assert time.monotonic() - began < 4.5
    assert {e["uuid"] for e in written()} >= {ids.cell_run_id(ran.msg_id) for ran in runs}
    with StandIn(port=port) as relay, Kernel(env(port)) as kernel:
        runs.append(kernel.run(SETUP))
        relay.wait_for_events(2, "start")
        relay.wait_for_events(3, "cell")
        wait(lambda: files() == [])
    judge(relay, runs, sessions=2)


def lesson(port: int, more: str = "") -> subprocess.Popen:
    """A session in plain Python, where `_cell` reports at once; it ends when its stdin does."""
    code = f"""
import sys
from ipynb_telemetry import setup_telemetry
setup_telemetry("n")
{more}
sys.stdin.read()
"""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TELEMETRY_")}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env={**clean, "PYTHONPATH": str(ROOT / "python"), **env(port)},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def end(process: subprocess.Popen) -> None:
    process.communicate(b"", 30)


def crash(process: subprocess.Popen, how: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(how)
    end(process)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_ended_while_a_silent_relay_has_its_events(how):
    with StandIn() as relay:
        relay.delay = 30
        killed = lesson(relay.port, "for n in range(10): _cell(f'c{n}')")
        wait(lambda: len(written()) == 11)  # after two seconds, still without an answer
        crash(killed, how)
    with StandIn(port=relay.port) as relay:
        end(lesson(relay.port))
        judge(relay, [], sessions=2)
        assert len(relay.of("cell")) == 10
    assert files() == []


def test_two_processes_at_once_share_what_two_left_behind():
    port = free_port()
    killed = [lesson(port, "for n in range(300): _cell(f'c{n}')") for _ in range(2)]
    wait(lambda: len(written()) == 602)
    for process in killed:
        crash(process)
    assert len(files()) == 2
    with StandIn(port=port) as relay:
        for process in [lesson(port) for _ in range(2)]:
            end(process)
        relay.wait_for_events(600, "cell")
        judge(relay, [], sessions=4)
        assert len(relay.of("cell")) == 600
    assert files() == []


def test_a_cell_that_forks_or_starts_processes_is_reported_once_and_by_the_parent():
    port = free_port()
    fork = """
import os
child = os.fork()
if child == 0:
    _telemetry_capture("child")
    os._exit(0)
os.waitpid(child, 0)[1]
"""
    pool = """
import multiprocessing
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map(len, ["a", "bb"]))
"""
    with Kernel(env(port)) as kernel:
        runs = [kernel.run(SETUP)]
        wait(lambda: len(written()) == 2)
        runs += [kernel.run(fork), kernel.run(pool)]
        assert [ran.reply["status"] for ran in runs] == ["ok"] * 3
        assert "[1, 2]" in runs[2].text()
        wait(lambda: len(written()) == 4)
        # A child that outlives the kernel has no hold on what the kernel left behind.
        runs.append(kernel.run(OUTLIVES))
        orphan = int(runs[-1].of("execute_result")[0]["content"]["data"]["text/plain"])
        wait(lambda: len(written()) == 5)
        kill(kernel)
    try:
        with StandIn(port=port) as relay, Kernel(env(port)) as kernel:
            runs.append(kernel.run(SETUP))
            relay.wait_for_events(5 + 2)
            wait(lambda: files() == [])
        judge(relay, runs, sessions=2)
        assert relay.of("child") == []
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_where_nothing_can_be_written_a_lesson_goes_on(relay):
    with Kernel(env(relay.port, TELEMETRY_HOME="/proc/nowhere")) as kernel:
        relay.plan = [503] * 3
        runs = [kernel.run(SETUP), kernel.run("_cell('a')"), kernel.run("1")]
        assert [ran.reply["status"] for ran in runs] == ["ok"] * 3
        relay.wait_for_events(1 + 3)
        told = [*runs, kernel.run("2")]
    assert sum(ran.text("stderr").count("in memory only") for ran in told) == 1
