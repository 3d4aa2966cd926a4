"""What the tests of sending share: quick senders, events to send, a Python of their own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable

from conftest import ROOT
from ipynb_telemetry import events, ids, transport
from ipynb_telemetry.outbox import Source
from ipynb_telemetry.transport import Sender, Timing
from standin import KEY, StandIn

POSTHOG_KEY = "phc_test"

QUICK = {"linger": 0.02, "first_retry": 0.05, "longest_retry": 0.1, "refused_retry": 0.1}


def quick(relay: StandIn | str, *, max_events: int | None = None, **changes: float) -> Sender:
    """An impatient sender to a relay, or to an address; it ends with the test."""
    host = relay if isinstance(relay, str) else relay.url
    direct = not isinstance(relay, str) and relay.key == POSTHOG_KEY
    key = POSTHOG_KEY if direct else KEY
    sender = Sender(host, key, timing=Timing(**{**QUICK, **changes}), max_events=max_events)
    transport._senders.add(sender)
    return sender


def source(level: str | None = None, sess: str = "aB3dE5gH") -> Source:
    """A session."""
    return Source(events.Context("intro", sess, "JOHN-DOE", "0.1.0"), level)


def custom(number: int = 0) -> events.Draft:
    """An event that every course collects."""
    return events.custom("hint", ids.event_id(), {"n": number})


def cell(error: tuple[str, str] | None = None) -> events.Draft:
    """A run with a secret in its code."""
    return events.cell(
        ids.event_id(),
        cell_id="a",
        cell_num=1,
        code="my_secret = 1",
        status="error" if error else "ok",
        ms=1,
        error=error,
        count=1,
        lines=1,
    )


def wait(enough: Callable[[], object], seconds: float = 10.0) -> None:
    """Until `enough()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not enough():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.005)


def free_port() -> int:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run code with the package from this checkout; fails on a non-zero exit."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, "PYTHONPATH": str(ROOT / "python"), **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done
