"""setup_telemetry: asks for the name, begins a session, gives the notebook its names."""

from __future__ import annotations

import builtins
import sys

from . import notices, tracked
from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from . import config as configuration
    from .agreement import Agreement
    from .transport import Sender

# STUDENT_NAME where nobody has given a name.
UNKNOWN = "UNKNOWN"

NOBODY = (
    "No name was given and none can be asked for here, so nothing is sent. "
    "Set TELEMETRY_STUDENT_NAME or call setup_telemetry(..., student_name=...)."
)
NOTHING_VISIBLE = "TELEMETRY_STUDENT_NAME has no visible character, so it is passed over."
NOT_YOU = "Not you? Run ipynb_telemetry.forget_me() and then this cell again."
OTHER_SCRIPT = (
    "Your name is kept as you typed it. If your class list is in Latin letters, run "
    "ipynb_telemetry.forget_me() and then this cell again, and type it so."
)

# The name of the last session in this process.
_last_name: str | None = None


class Named:
    """Who works here: the `name`, whether it is `known` from before, and whether to `keep` it."""

    __slots__ = ("keep", "known", "name")

    def __init__(self, name: str, *, known: bool = False, keep: bool = False) -> None:
        self.name, self.known, self.keep = name, known, keep


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
    student_name, session_id, _cell, tracked_test, _capture and version. The name is the
    JupyterHub user's, else `student_name`, else TELEMETRY_STUDENT_NAME, else a former run's,
    else asked for; an empty one raises ValueError. Without `api_key` (TELEMETRY_API_KEY)
    nothing is sent; with only a key, `host` (TELEMETRY_HOST) is PostHog US. `level` (outcomes,
    code or full) is the most that this notebook sends, also where its course allows more. A
    course that asks for agreement is answered by the student, or by TELEMETRY_CONSENT. A
    second call ends the first session.
    """
    # Whatever happens next, later cells must find these names.
    before = getattr(builtins, "STUDENT_NAME", None) if tracked.active() else None
    _define(before or UNKNOWN)
    from .config import resolve

    settings = resolve(host, api_key, student_name, level)
    named = _named(settings)
    if named is None:
        print(NOBODY)
        return _result(UNKNOWN, None)
    _welcome(named)
    session_id = None
    try:
        session_id = _begin(notebook_id, named.name, settings)
    except Exception as error:  # a lesson does not end because telemetry cannot begin
        tracked.activate(None)
        notices.say(f"cannot begin a session: {type(error).__name__}: {error}")
    _define(named.name)
    return _result(named.name, session_id)


def forget() -> None:
    """Ask for the name again, the next time."""
    global _last_name
    _last_name = None


def _named(settings: configuration.Config) -> Named | None:
    """Who works here, from the first source that knows; None where nobody can be asked."""
    if settings.hub_user is not None:
        return Named(settings.hub_user)
    from . import names

    if settings.student_name is not None:
        try:
            name = names.normalize_full_name(settings.student_name)
            return Named(name, keep=settings.named_by_caller)
        except names.EmptyNameError:
            if settings.named_by_caller:
                raise
            print(f"{notices.PREFIX}{NOTHING_VISIBLE}")
    from . import state

    known = _last_name or state.load().student
    if known is not None:
        return Named(known, known=True)
    print("=" * 40)
    try:
        first = input("Enter FIRST NAME (English): ")
        last = input("Enter LAST NAME (English): ")
    except (EOFError, OSError, RuntimeError):
        # nbclient, papermill and autograders answer no prompt: StdinNotImplementedError.
        return None
    return Named(names.normalize_name(first, last), keep=True)


def _welcome(named: Named) -> None:
    global _last_name
    from . import names

    if named.known:
        print(f"Welcome back, {named.name}!")
        print(NOT_YOU)
    else:
        print(f"Welcome, {named.name}!")
        if named.keep and names.needs_hint(named.name):
            print(OTHER_SCRIPT)
    _last_name = named.name
    if named.keep:
        from . import state

        state.remember_student(named.name)


def _begin(notebook_id: object, name: str, settings: configuration.Config) -> str:
    from .session import Session

    shell = _shell()
    sender = agreement = None
    if settings.trouble is None:
        from .timing import Timing
        from .transport import sender_for

        sender = sender_for(settings.host, settings.api_key, Timing(hold=settings.hold_seconds))
        agreement = _agreement(sender, settings, name, shell)
    former = tracked.active()
    tracked.activate(None)
    if former is not None:
        former.close("setup")
    session = Session(
        notebook_id,
        name,
        sender=sender,
        shell=shell,
        level=settings.most,
        agreement=agreement,
    )
    tracked.activate(session)
    greeted = session.open()
    for line in (settings.remark, settings.trouble):
        if line is not None:
            print(f"{notices.PREFIX}{line}")
    if not greeted:
        print(f"Ready! Session: {session.context.sess}")
    return session.context.sess


def _agreement(
    sender: Sender, settings: configuration.Config, name: str, shell: object
) -> Agreement:
    from .agreement import Agreement

    agreement = Agreement(sender, settings, name, somebody=_somebody(shell))
    agreement.begin()
    return agreement


def _somebody(shell: object | None) -> bool:
    """Whether somebody reads what this run prints, and could answer."""
    kernel = getattr(shell, "kernel", None)
    if kernel is not None:
        return bool(getattr(kernel, "_allow_stdin", True))
    try:
        return sys.stdin.isatty()
    except Exception:
        return False  # there is no stdin, or it is closed


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
