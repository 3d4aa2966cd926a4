"""What a student has decided about a course, and what follows from it. No I/O but the prompt."""

from __future__ import annotations

from collections.abc import Mapping

from . import levels
from .events import now
from .policy import OPT_IN

NOTICE = "notice"

AGREED = "agreed"
DECLINED = "declined"

PROMPT = "Do you agree? [y/N] "


class Standing:
    """How a student stands to a course.

    `sends`: whether anything may be kept and sent now. `asks`: the student has yet to be
    asked. `tells`: the notice has yet to be shown. `level`: the most that the student agreed
    to, None for all that the course collects.
    """

    __slots__ = ("asks", "level", "mode", "sends", "tells", "version")

    def __init__(
        self,
        mode: str,
        version: int,
        *,
        sends: bool,
        asks: bool = False,
        tells: bool = False,
        level: str | None = None,
    ) -> None:
        self.mode, self.version = mode, version
        self.sends, self.asks, self.tells, self.level = sends, asks, tells, level


def standing(
    settings: Mapping[str, object],
    record: Mapping[str, object] | None,
    *,
    answer: bool | None = None,
    mandatory: bool = False,
    forgotten: bool = False,
) -> Standing:
    """What holds now.

    `settings` are the course's with the policy applied, `record` the decision that is
    remembered, `answer` the environment's, `mandatory` the policy's; `forgotten`: the student
    had everything deleted and is asked again. A student's own no is above the environment's
    yes, and a no of the environment above everything.
    """
    mode = OPT_IN if settings.get("consent") == OPT_IN else NOTICE
    version = notice_version(settings)
    record = record or {}
    known = record.get("notice_version")
    fresh = isinstance(known, int) and known >= version
    paused = record.get("paused") is True
    said = record.get("level")
    level = str(said) if said in levels.LEVELS else None
    agreed, declined = (record.get("decision") == what for what in (AGREED, DECLINED))
    if mode == NOTICE:
        if mandatory:
            told = level if agreed and not fresh else None
            return Standing(mode, version, sends=True, tells=not (agreed and fresh), level=told)
        if declined or paused or answer is False:
            return Standing(mode, version, sends=False)
        if forgotten and not record and answer is not True:
            return Standing(mode, version, sends=False, asks=True)
        if record.get("told") is True and fresh:
            level = None  # the student was told, and chose nothing
        return Standing(mode, version, sends=True, tells=not (agreed and fresh), level=level)
    # Who was only told of a course has not agreed to anything.
    agreed = agreed and fresh and record.get("told") is not True
    if answer is False or (declined and fresh):
        return Standing(mode, version, sends=False)
    if agreed:
        return Standing(mode, version, sends=not paused, level=level)
    if answer is True:
        return Standing(mode, version, sends=True)
    return Standing(mode, version, sends=False, asks=True)


def notice_version(settings: Mapping[str, object]) -> int:
    """Version of what the course tells students; 1 where it does not say."""
    notice = settings.get("notice")
    version = notice.get("version") if isinstance(notice, Mapping) else None
    return version if isinstance(version, int) and not isinstance(version, bool) else 1


def record(decision: str, level: str, version: int, *, told: bool = False) -> dict[str, object]:
    """A decision as it is remembered; `told`: the notice was shown, and nothing was asked."""
    made: dict[str, object] = {
        "decision": decision,
        "level": level,
        "notice_version": version,
        "at": now(),
        "paused": False,
        "by": "kernel",
    }
    return {**made, "told": True} if told else made


def ask() -> bool | None:
    """The answer to the prompt; None where nobody can be asked."""
    try:
        typed = input(PROMPT)
    except (EOFError, OSError, RuntimeError):
        return None
    return typed.strip().lower() in ("y", "yes")
