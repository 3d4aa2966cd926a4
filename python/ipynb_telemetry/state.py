"""What one user's page and kernels remember: the student's name, and decisions per course.

One small JSON file, read whole and replaced whole. Nothing here raises: where the file is
damaged or cannot be read there is nothing to remember, and where it cannot be written the
functions return False.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic as _monotonic
from time import sleep as _sleep

MAX_NAME_CHARS = 200
MAX_BYTES = 1_000_000

# How long a writer waits for another one. Then it writes all the same: on some network
# disks a lock is never given, and a lesson does not wait for it.
LOCK_SECONDS = 0.5


class State:
    """`student` is the remembered name or None; `consents` are decisions by `key_of` a course.

    `forgotten`: the student had everything deleted, so that whoever has not decided since is
    asked, also in a course that only informs.
    """

    __slots__ = ("consents", "forgotten", "student")

    def __init__(
        self,
        student: str | None,
        consents: dict[str, dict[str, object]],
        forgotten: bool = False,
    ) -> None:
        self.student = student
        self.consents = consents
        self.forgotten = forgotten


def home() -> Path:
    """Folder of everything that is kept: TELEMETRY_HOME, else the user's data folder."""
    chosen = os.environ.get("TELEMETRY_HOME", "").strip()
    if chosen:
        return Path(os.path.abspath(os.path.expanduser(chosen)))
    shared = os.environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(shared):  # a relative one is to be ignored, says its specification
        return Path(shared, "ipynb-telemetry")
    own = os.path.expanduser("~")
    if not os.path.isabs(own):  # a user without a home
        return Path(tempfile.gettempdir(), f"ipynb-telemetry-{getattr(os, 'getuid', int)()}")
    return Path(own, ".local", "share", "ipynb-telemetry")


def load() -> State:
    """What is remembered; of a damaged file, the parts that make sense."""
    kept = _read()
    student = kept.get("student")
    known = isinstance(student, str) and student.strip() != ""
    consents = kept.get("consents")
    records = consents.items() if isinstance(consents, dict) else ()
    return State(
        str(student)[:MAX_NAME_CHARS] if known else None,
        {course: record for course, record in records if _is_decision(record)},
        kept.get("forgotten") is True,
    )


def remember_student(name: str | None) -> bool:
    """Keep the name for later sessions; None forgets it. Whether that was written."""

    def change(kept: dict[str, object]) -> None:
        kept["student"] = name

    return _change(change)


def decide(course: str, record: dict[str, object] | None) -> bool:
    """Keep the student's decision on a course; None forgets it. Whether that was written."""

    def change(kept: dict[str, object]) -> None:
        before = kept.get("consents")
        consents = dict(before) if isinstance(before, dict) else {}
        consents.pop(course, None)
        if record is not None:
            consents[course] = record
        kept["consents"] = consents

    return _change(change)


def key_of(course: str, host: str) -> str:
    """What a decision is kept under: another relay may have a course of the same id."""
    from hashlib import sha256

    place = sha256(host.rstrip("/").encode("utf-8", "replace")).hexdigest()[:16]
    return f"{course}@{place}"


def decision(course: str, host: str, kept: State | None = None) -> dict[str, object] | None:
    """The decision on a course at a relay; of one kept without its relay, only a no counts."""
    consents = (kept or load()).consents
    former = consents.get(course)
    if former is not None and former.get("decision") != "declined":
        former = None
    return consents.get(key_of(course, host), former)


def stamp() -> tuple[int, int, int] | None:
    """Another one whenever somebody has written the file; None where there is none."""
    try:
        about = os.stat(_file())
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino, about.st_size


def forget(*, ask_again: bool = False) -> bool:
    """Forget name and decisions; whether that was written.

    A no outlives it, without the name; `ask_again` forgets that too, and has every course
    ask before anything is sent.
    """
    refused = {key: one for key, one in load().consents.items() if one["decision"] == "declined"}
    if refused or ask_again:

        def change(kept: dict[str, object]) -> None:
            kept.clear()
            kept["consents"] = {} if ask_again else refused
            if ask_again:
                kept["forgotten"] = True

        return _change(change)
    with _locked():
        try:
            _file().unlink()
        except FileNotFoundError:
            pass
        except OSError:
            return False
    return True


def _file() -> Path:
    return home() / "state.json"


def _is_decision(record: object) -> bool:
    return isinstance(record, dict) and record.get("decision") in ("agreed", "declined")


def _read() -> dict[str, object]:
    try:
        with _file().open("rb") as file:
            kept = json.loads(file.read(MAX_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _change(change: Callable[[dict[str, object]], None]) -> bool:
    """Read, change and replace the file, one writer at a time."""
    temporary = None
    try:
        folder = home()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked():
            kept = _read()
            change(kept)
            # Readable for the user alone: mkstemp sees to that.
            handle, temporary = tempfile.mkstemp(dir=folder, prefix="state-", suffix=".tmp")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"student": None, "consents": {}, **kept}, file)
            os.replace(temporary, _file())
        return True
    except (OSError, ValueError, TypeError):
        if temporary is not None:
            try:
                os.unlink(temporary)
            except OSError:
                pass  # it has become the file
        return False


@contextmanager
def _locked() -> Iterator[None]:
    """Wait for other writers where the system has locks; atomic replacement has to do elsewhere."""
    lock = None
    try:
        import fcntl

        lock = os.open(home() / "state.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = _monotonic() + LOCK_SECONDS
        while _monotonic() < deadline:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                _sleep(0.01)
    except (ImportError, OSError):
        pass
    try:
        yield
    finally:
        if lock is not None:
            os.close(lock)
