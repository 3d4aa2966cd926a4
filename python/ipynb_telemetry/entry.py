"""One event that waits: numbered late, encoded late, and worth more or less than others."""

from __future__ import annotations

import json
from collections.abc import Mapping

from . import levels
from .events import Context, Draft, wire_event

# When there is no room, the first of these goes first.
_WORTH = {"edit": 0, "focus": 1, "notebook": 2, "kernel": 5, "cell": 6, "test": 7}
_WORTH.update(dict.fromkeys(("start", "end", "consent"), 8))
_AI, _CUSTOM, MOST = 3, 4, 8

# Beside its own properties, what an event weighs in bytes, about.
FRAME = 350


def worth(event: str) -> int:
    """How much an event named so is worth when not all can be kept; more is better."""
    return _WORTH.get(event, _AI if event.startswith("ai_") else _CUSTOM)


class Source:
    """Where drafts come from: a session with its common properties, its number, its counts."""

    __slots__ = ("context", "delivered", "dropped", "level", "lost", "made", "seq")

    def __init__(self, context: Context, level: str | None = None) -> None:
        self.context = context
        self.level = level
        self.seq = 0  # the last number given
        self.lost = 0  # dropped before they had a number: the next number leaves a gap
        self.made = self.delivered = self.dropped = 0


class Entry:
    """One event that waits; `source` is None for one that an earlier process left behind.

    It gets its number late, when it is known that the course collects it, and its bytes
    when they are needed. A number once given stays, so that a resend is the same event.
    """

    __slots__ = (
        "at",
        "cap",
        "draft",
        "gone",
        "kept",
        "last",
        "made",
        "name",
        "seq",
        "size",
        "source",
        "tried",
        "uuid",
    )

    def __init__(self, source: Source | None, draft: Draft | None, name: str, uuid: str) -> None:
        self.source, self.draft, self.name, self.uuid = source, draft, name, uuid
        self.at = 0.0  # when it began to wait
        self.cap: str | None = None  # the level when it was made: a later, higher one is not its
        self.seq: int | None = None
        self.made: tuple[str, bytes] | None = None  # the bytes, and the level they are for
        self.size = 0
        self.kept = False  # on the disk
        self.gone = False  # delivered, or given up
        self.tried = False  # it may have left
        self.last = False  # of a student who withdraws: leaves although nothing else may

    def encode(self, level: str | None, *, direct: bool = False) -> bytes:
        """The event as JSON, reduced to `level` (None: to none)."""
        made, draft, source = self.made, self.draft, self.source
        if draft is not None and source is not None:
            level = level or levels.OUTCOMES
            if made is None or made[0] != level:
                event = wire_event(draft, source.context, self.seq or 0, level, direct=direct)
                made = level, _bytes(event)
        elif made is not None and level is not None and made[0] != level:
            event = json.loads(made[1])
            stricter = levels.strictest(made[0], level)
            event["properties"] = levels.apply_level(self.name, event["properties"], stricter)
            made = stricter, _bytes(event)
        self.made = made
        return made[1] if made else b""

    def settle(self) -> None:
        """Nothing but the bytes is needed from now on."""
        if self.made is not None:
            self.draft = None


def left_behind(event: Mapping[str, object]) -> Entry:
    """An entry for a complete event that an earlier process wrote down."""
    entry = Entry(None, None, str(event["event"]), str(event["uuid"]))
    body = _bytes(event)
    entry.made = levels.FULL, body  # it may be at any
    entry.size = len(body)
    entry.kept = True
    return entry


def _bytes(event: Mapping[str, object]) -> bytes:
    return json.dumps(event, separators=(",", ":"), allow_nan=False).encode()


def weight(properties: Mapping[str, object]) -> int:
    """What properties take as JSON in bytes, about."""
    size = 0
    for name, value in properties.items():
        size += len(name) + 8
        if isinstance(value, str):
            size += len(value)
        elif isinstance(value, (dict, list)):
            size += len(json.dumps(value))
    return size
