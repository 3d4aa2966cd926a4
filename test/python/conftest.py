"""Fixtures: a stand-in relay, the golden files, and a process as it was before each test."""

from __future__ import annotations

import builtins
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ipynb_telemetry import agreement, bootstrap, notices, tracked, transport
from standin import StandIn

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "test" / "fixtures"

INJECTED = ("STUDENT_NAME", "_cell", "tracked_test", "_telemetry_capture")


def fixture(name: str) -> dict:
    """A golden file that jest reads too."""
    return json.loads((FIXTURES / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No TELEMETRY_ variables but a home, no session, no names in builtins; nothing to send."""
    for name in [name for name in os.environ if name.startswith(("TELEMETRY_", "JUPYTERHUB_"))]:
        monkeypatch.delenv(name)
    # Nothing of this user's is read, and nothing is left behind.
    monkeypatch.setenv("TELEMETRY_HOME", str(tmp_path / "home"))
    yield
    session = tracked.active()
    if session is not None:
        session.close()
    tracked.activate(None)
    for sender in list(transport._senders):
        sender.abandon()
    transport._by_address.clear()
    notices.wait_for_runs(False)
    notices.forget()
    bootstrap.forget()
    agreement.forget()
    for name in INJECTED:
        if hasattr(builtins, name):
            delattr(builtins, name)


@pytest.fixture
def relay() -> Iterator[StandIn]:
    """A stand-in relay that knows KEY."""
    with StandIn() as stand_in:
        yield stand_in
