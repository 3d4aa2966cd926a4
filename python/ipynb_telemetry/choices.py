"""What a student may say in a cell: that they agree, that they decline, that they be forgotten."""

from __future__ import annotations

from . import notices, tracked

NO_SESSION = "run the setup cell first."


def agree(level: str | None = None) -> None:
    """Agree to what the course records, and to no more than `level` (outcomes, code, full).

    It is remembered for the course. ValueError for another level.
    """
    from .levels import LEVELS

    if level is not None and level not in LEVELS:
        raise ValueError(f"level: expected one of {', '.join(LEVELS)}, got {level!r}")
    session = tracked.active()
    _print(NO_SESSION if session is None else session.agree(level))


def decline() -> None:
    """Have nothing sent any more: what still waits is erased. It is remembered for the course.

    If something had been sent, one event tells the course that the student has withdrawn.
    """
    session = tracked.active()
    _print(NO_SESSION if session is None else session.decline())


def forget_me() -> None:
    """Forget name, decisions and what waits to be sent, and send nothing more.

    The setup cell then asks again. What has been sent is with the course's receiver.
    """
    from . import agreement, bootstrap, spool, state

    session = tracked.active()
    tracked.activate(None)
    if session is not None:
        session.vanish()
    spool.erase_all()
    agreement.forget()
    bootstrap.forget()
    _print(
        "your name, your decisions and what had not been sent are forgotten. "
        "Nothing is recorded until you run the setup cell again."
    )
    if not state.forget():
        _print(f"{state.home()} could not be erased; please do that.")


def _print(line: str) -> None:
    print(notices.PREFIX + line)
