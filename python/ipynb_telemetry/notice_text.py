"""The notice: what a course records, generated from its real settings."""

from __future__ import annotations

from collections.abc import Mapping

from . import collection
from .policy import OPT_IN

HOW_TO_STOP = "ipynb_telemetry.decline()"

# In the order of the sentence; each of the contract's selectable events is in one of them.
_WORDS = (
    (("start", "end"), "when a session begins and ends"),
    (("cell",), "each run of a cell and how it ends"),
    (("test",), "results of tests"),
    (("notebook",), "that notebooks are opened, saved, renamed and closed"),
    (("kernel",), "restarts and interrupts of the kernel"),
    (("focus",), "how long you work in a cell"),
    (("edit",), "that cells are added, moved, removed or pasted into, never the text"),
    (("ai_suggestion", "ai_feature"), "the use of AI suggestions"),
)

_DETAIL = {
    "outcomes": "Of your code, its output and error messages nothing; of an error its type.",
    "code": "The code of your cells (its first 500 characters) and error messages.",
    "full": "The code of your cells (its first 500 characters), error messages and outputs.",
}


def notice_text(
    settings: Mapping[str, object], level: str, *, student: str, mandatory: bool = False
) -> str:
    """The notice on a course, a few lines; `level` is what would be sent, `student` the name."""
    notice = settings.get("notice")
    about = notice if isinstance(notice, Mapping) else {}
    title = _line(settings.get("title")) or _line(settings.get("course")) or "This course"
    pseudonym = settings.get("identity") == "pseudonyms"
    lines = [
        f"{title} records how your work in this notebook goes.",
        f"  What: {in_words(collection.chosen(dict(settings)))}.",
        f"  Detail: {_DETAIL.get(level, _DETAIL['full'])}",
        f"  Under which name: {'a pseudonym made of ' if pseudonym else ''}{student}.",
    ]
    if receiver := _line(about.get("receiver")):
        lines.append(f"  Who receives it: {receiver}.")
    days = about.get("retention_days")
    if isinstance(days, (int, float)) and not isinstance(days, bool):
        lines.append(f"  How long it is kept: {days:g} days.")
    if contact := _line(about.get("contact")):
        lines.append(f"  Questions: {contact}")
    if text := _line(about.get("text")):
        lines.append(f"  {text}")
    if settings.get("consent") == OPT_IN:
        lines.append(f"  Nothing is sent unless you agree; to stop later: {HOW_TO_STOP}")
    elif not mandatory:
        lines.append(f"  To stop: {HOW_TO_STOP}")
    return "\n".join(lines)


def in_words(events: tuple[str, ...]) -> str:
    """What a course that selects `events` collects."""
    said = [words for names, words in _WORDS if any(name in events for name in names)]
    return "; ".join(said) if said else "nothing but events that a notebook sends on purpose"


def _line(given: object) -> str:
    """Text from elsewhere on one line, without characters that could hide or imitate something."""
    if not isinstance(given, str):
        return ""
    return "".join(char for char in " ".join(given.split()) if char.isprintable())
