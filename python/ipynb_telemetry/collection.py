"""Which events of the contract a course collects, decided alike by page, kernel and relay."""

from __future__ import annotations

from collections.abc import Iterable

# Events that a course can switch on and off; `consent` is always told.
SELECTABLE_EVENTS = (
    "start",
    "end",
    "cell",
    "test",
    "notebook",
    "kernel",
    "focus",
    "edit",
    "ai_suggestion",
    "ai_feature",
)

# What a course collects that says nothing else: editing and AI use have to be asked for.
DEFAULT_EVENTS = ("start", "end", "cell", "test", "notebook", "kernel", "focus")


def is_collected(name: str, events: Iterable[str]) -> bool:
    """Whether an event named `name` is collected where `events` are. Custom events are."""
    return name not in SELECTABLE_EVENTS or name in events


def chosen(settings: object) -> tuple[str, ...]:
    """The list under ``events`` of a course's settings or a policy; the default ones for none."""
    events = settings.get("events") if isinstance(settings, dict) else None
    if not isinstance(events, list):
        return DEFAULT_EVENTS
    return tuple(event for event in events if isinstance(event, str))
