"""setup_telemetry: asks for the name, begins a session, gives the notebook its names."""

from __future__ import annotations

import builtins
import sys

from . import config as configuration
from . import names, notices, tracked
from ._version import __version__

# STUDENT_NAME where nobody has given a name.
UNKNOWN = "UNKNOWN"


def setup_telemetry(
    notebook_id: str,
    *,
    host: str | None = None,
    api_key: str | None = None,
    student_name: str | None = None,
    level: str | None = None,
) -> dict[str, object]:
    """Begin a session for this notebook.

    Defines STUDENT_NAME, _cell, tracked_test and _telemetry_capture everywhere, and returns
    student_name, session_id, _cell, tracked_test, _capture and version. The name is
    `student_name`, else TELEMETRY_STUDENT_NAME, else asked for; an empty one raises
    ValueError. Without `api_key` (TELEMETRY_API_KEY) nothing is sent; with only a key,
    `host` (TELEMETRY_HOST) is PostHog US. `level` (outcomes, code or full) matters where the
    course does not set one. A second call ends the first session.
    """
    # Whatever happens next, later cells must find these names.
    before: str | None = getattr(builtins, "STUDENT_NAME", None)
    _define(before if tracked.active() and before else UNKNOWN)
    settings = configuration.resolve(host, api_key, student_name, level)
    name = _name(settings.student_name, before if tracked.active() else None)
    if name is None:
        print(
            "No name was given and none can be asked for here, so nothing is sent. "
            "Set TELEMETRY_STUDENT_NAME or call setup_telemetry(..., student_name=...)."
        )
        return _result(UNKNOWN, None)
    print(f"Welcome, {name}!")
    if names.needs_hint(name):
        print(
            "Your name is kept as you typed it. If your class list is in Latin letters, "
            "run this cell again and type it so."
        )
    session_id = None
    try:
        session_id = _begin(str(notebook_id), name, settings)
    except Exception as error:  # a lesson does not end because telemetry cannot begin
        tracked.activate(None)
        notices.say(f"cannot begin a session: {type(error).__name__}: {error}")
    _define(name)
    return _result(name, session_id)


def _begin(notebook_id: str, name: str, settings: configuration.Config) -> str:
    from .session import Session
    from .transport import Timing, sender_for

    former = tracked.active()
    tracked.activate(None)
    if former is not None:
        former.close()
    sender = None
    if settings.trouble is None:
        timing = Timing(hold=settings.hold_seconds)
        sender = sender_for(settings.host, settings.api_key, timing)
        sender.begin(agreed=settings.agreed)
    session = Session(notebook_id, name, sender=sender, shell=_shell(), level=settings.level)
    tracked.activate(session)
    greeted = session.open()
    for line in (settings.remark, settings.trouble):
        if line is not None:
            print(f"ipynb-telemetry: {line}")
    if not greeted:
        print(f"Ready! Session: {session.context.sess}")
    return session.context.sess


def _name(given: str | None, before: str | None) -> str | None:
    """The normalized name; the one `before`, or None, where it cannot be asked for."""
    if given is not None:
        return names.normalize_full_name(given)
    print("=" * 40)
    try:
        first = input("Enter FIRST NAME (English): ")
        last = input("Enter LAST NAME (English): ")
    except (EOFError, OSError, NotImplementedError):
        # nbclient, papermill and autograders answer no prompt: StdinNotImplementedError.
        return before
    return names.normalize_name(first, last)


def _shell() -> object | None:
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython is not None else None


def _define(student_name: str) -> None:
    """Give the names to every module, and to the notebook, where older ones may hide them."""
    given = {
        "STUDENT_NAME": student_name,
        "_cell": tracked._cell,
        "tracked_test": tracked.tracked_test,
        "_telemetry_capture": tracked._telemetry_capture,
    }
    for key, value in given.items():
        setattr(builtins, key, value)
    shell = _shell()
    if shell is not None:
        shell.push(given, interactive=False)  # type: ignore[attr-defined]


def _result(student_name: str, session_id: str | None) -> dict[str, object]:
    return {
        "student_name": student_name,
        "session_id": session_id,
        "_cell": tracked._cell,
        "tracked_test": tracked.tracked_test,
        "_capture": tracked._telemetry_capture,
        "version": __version__,
    }
