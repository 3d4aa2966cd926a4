"""What waits to be sent: a bounded queue, and events held back for a page. No clock, no I/O."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

from .events import Context, Draft, wire_event

MAX_EVENTS = 10_000
MAX_EVENT_BYTES = 800_000


class Source:
    """Where drafts come from: a session with its common properties and its counter."""

    __slots__ = ("context", "level", "seq")

    def __init__(self, context: Context, level: str | None = None) -> None:
        self.context = context
        self.level = level
        self.seq = 0


class Entry:
    """One event of the queue. Its bytes are made once, so that a resend is the same event."""

    __slots__ = ("body", "draft", "seq", "source")

    def __init__(self, source: Source, draft: Draft, seq: int) -> None:
        self.source, self.draft, self.seq = source, draft, seq
        self.body: bytes | None = None

    def encode(self, level: str, *, direct: bool = False) -> bytes:
        """The event as JSON, reduced to `level` the first time it is asked for."""
        if self.body is None:
            about = self.source.context
            event = wire_event(self.draft, about, self.seq, level, direct=direct)
            self.body = json.dumps(event, separators=(",", ":"), allow_nan=False).encode()
        return self.body


class Outbox:
    """Queue and counters. The caller brings the time and a lock."""

    def __init__(self, max_events: int = MAX_EVENTS) -> None:
        self.max_events = max_events
        self.queue: deque[Entry] = deque()
        self.held: dict[str, tuple[float, Source, Draft]] = {}
        self.sent = 0
        self.confirmed = 0  # delivered by a page
        self.failed = 0  # given up: no room, or refused for good

    def add(self, source: Source, draft: Draft) -> bool:
        """Queue a draft; False where there is no room.

        The counter moves even then, so that the loss shows as a gap.
        """
        source.seq += 1
        if len(self.queue) >= self.max_events:
            self.failed += 1
            return False
        self.queue.append(Entry(source, draft, source.seq))
        return True

    def hold(self, source: Source, draft: Draft, due: float) -> bool:
        """Hold a draft until `due`, unless `confirm` names it first; False for no room."""
        if len(self.held) >= self.max_events:
            return self.add(source, draft)
        self.held[draft.uuid] = (due, source, draft)
        return True

    def confirm(self, uuids: Iterable[object]) -> None:
        """A page has delivered these: forget them."""
        for uuid in uuids:
            if isinstance(uuid, str) and self.held.pop(uuid, None) is not None:
                self.confirmed += 1

    def release(self, now: float, source: Source | None = None) -> bool:
        """Queue what was held until `now`, or all of `source`; False if some found no room."""
        ready = [
            uuid
            for uuid, (due, owner, _) in self.held.items()
            if due <= now or (source is not None and owner is source)
        ]
        room = True
        for uuid in ready:
            _, owner, draft = self.held.pop(uuid)
            room = self.add(owner, draft) and room
        return room

    def next_due(self) -> float | None:
        """When the first held draft is to be queued."""
        return min((due for due, _, _ in self.held.values()), default=None)

    def head(self, max_events: int) -> list[Entry]:
        """The first entries, left in the queue until `drop_head`."""
        return [self.queue[index] for index in range(min(max_events, len(self.queue)))]

    def drop_head(self, count: int) -> None:
        """Forget the first `count` entries."""
        for _ in range(min(count, len(self.queue))):
            self.queue.popleft()
