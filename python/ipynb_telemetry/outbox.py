"""What waits to be sent: a bounded queue, and events held back for a page. No clock, no I/O."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

from .entry import FRAME, MOST, Entry, Source, left_behind, weight, worth
from .events import Draft

__all__ = ["MAX_BYTES", "MAX_EVENTS", "MAX_EVENT_BYTES", "Entry", "Outbox", "Source", "left_behind"]

# Of everything that waits, in memory and as often again on the disk.
MAX_EVENTS = 20_000
MAX_BYTES = 10_000_000
MAX_EVENT_BYTES = 800_000


class Outbox:
    """Queue and counters. The caller brings the time and a lock."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self.max_events = max_events
        self.max_bytes = max_bytes
        self.queue: deque[Entry] = deque()
        self.flying: list[Entry] = []  # taken for a request that has no answer yet
        self.fresh: deque[Entry] = deque()  # not on the disk yet
        self.struck: list[str] = []  # on the disk, and no longer wanted there
        self.held: dict[str, tuple[float, Source, Draft, str | None, float]] = {}
        self.bytes = 0
        self.sent = 0
        self.confirmed = 0  # delivered by a page
        self.failed = 0  # given up: refused for good
        self.dropped = 0  # given up: no room
        self._worth = [0] * (MOST + 1)  # entries of the queue by worth

    @property
    def waiting(self) -> int:
        """Events that are to be sent, those on their way included."""
        return len(self.queue) + len(self.flying)

    def add(
        self, source: Source, draft: Draft, now: float, cap: str | None = None, *, known: bool
    ) -> bool:
        """Queue a draft; where there is no room, the least valuable goes and is counted.

        `known`: its course collects it, so it gets its number at once. False for an event
        that is too large: it is given up.
        """
        entry = Entry(source, draft, draft.event, draft.uuid)
        entry.at, entry.cap = now, cap
        entry.size = FRAME + weight(draft.properties)
        source.made += 1
        if known:
            self._number(entry)
        if entry.size > MAX_EVENT_BYTES:
            self.failed += 1
            self._lose(entry)
            return False
        if self._make_room(entry):
            self._push(entry)
            self.fresh.append(entry)
        return True

    def add_last(self, source: Source, draft: Draft) -> None:
        """Queue what a withdrawal says; it is not written down."""
        entry = Entry(source, draft, draft.event, draft.uuid)
        entry.last = True
        source.made += 1
        self._push(entry)

    def take_over(self, entries: Iterable[Entry]) -> None:
        """Queue what an earlier process left behind, before everything else."""
        for entry in reversed(list(entries)):
            if self._make_room(entry):
                self._push(entry, front=True)

    def hold(
        self, source: Source, draft: Draft, due: float, now: float, cap: str | None = None
    ) -> None:
        """Hold a draft until `due`, unless `confirm` names it first."""
        if len(self.held) >= self.max_events:
            self.add(source, draft, now, cap, known=False)
        else:
            self.held[draft.uuid] = (due, source, draft, cap, now)

    def confirm(self, uuids: Iterable[object]) -> None:
        """A page has delivered these: forget them."""
        for uuid in uuids:
            if isinstance(uuid, str) and self.held.pop(uuid, None) is not None:
                self.confirmed += 1

    def release(self, until: float, source: Source | None = None, *, known: bool) -> None:
        """Queue what was held `until` a time, or all of `source`; `known` as in `add`."""
        ready = [
            uuid
            for uuid, (due, owner, *_) in self.held.items()
            if due <= until or (source is not None and owner is source)
        ]
        for uuid in ready:
            _, owner, draft, cap, since = self.held.pop(uuid)
            self.add(owner, draft, since, cap, known=known)

    def next_due(self) -> float | None:
        """When the first held draft is to be queued."""
        return min((due for due, *_ in self.held.values()), default=None)

    def held_of(self, source: Source) -> int:
        """How many drafts of `source` are held."""
        return sum(owner is source for _, owner, *_ in self.held.values())

    def take(self, max_events: int, max_bytes: int) -> list[Entry]:
        """The first entries, numbered, until `done` or `put_back`."""
        size = 0
        while self.queue and len(self.flying) < max_events:
            size += self.queue[0].size
            if self.flying and size > max_bytes:
                break
            entry = self._pop()
            self._number(entry)
            entry.tried = True
            self.flying.append(entry)
        return self.flying

    def put_back(self) -> None:
        """What was taken waits again, at the front."""
        for entry in reversed(self.flying):
            self._push(entry, front=True)
        self.flying = []

    def done(self, refused: Iterable[int] = ()) -> None:
        """What was taken has been answered; `refused` are the places of what was not accepted."""
        answered, self.flying = self.flying, []
        bad = set(refused)
        for place, entry in enumerate(answered):
            self._leave(entry)
            if place in bad:
                self.failed += 1
            else:
                self.sent += 1
            if entry.source is not None:
                if place in bad:
                    entry.source.dropped += 1
                else:
                    entry.source.delivered += 1
        self.oldest_unkept()

    def discard(self, collects: Callable[[str], bool]) -> bool:
        """Forget what is not collected as if never made; whether numbers were given anew.

        All others get their numbers. A number that may have left stays.
        """
        gone = [entry for entry in self.queue if not entry.last and not collects(entry.name)]
        if gone:
            self._remove(gone)
        held = list(self.held.items())
        for uuid in [uuid for uuid, (_, _, draft, *_) in held if not collects(draft.event)]:
            del self.held[uuid]
        firsts: dict[Source, int] = {}
        for entry in gone:
            if entry.seq is not None and entry.source is not None and not entry.tried:
                firsts.setdefault(entry.source, entry.seq)
        for source, first in firsts.items():
            source.seq = first - 1
            for entry in self.queue:
                if entry.source is source and (entry.seq or 0) > first:
                    entry.seq = entry.made = None
        for entry in self.queue:
            self._number(entry)
        return bool(firsts)

    def clear(self) -> None:
        """Forget everything that waits as if never made."""
        self._remove([*self.queue, *self.flying])
        self.queue.clear()
        self.flying = []
        self.held.clear()
        self.fresh.clear()
        self.struck.clear()

    def give_up(self, entry: Entry) -> None:
        """Of what was taken, this one can never be sent; the others wait again."""
        self.flying.remove(entry)
        self.put_back()
        self.failed += 1
        self._lose(entry)

    def write_down_again(self, *, rest: bool = False) -> None:
        """What is on the disk is no longer what it should be; or only the `rest` is missing."""
        waiting = [entry for entry in (*self.flying, *self.queue) if not entry.last]
        if rest:
            waiting = [entry for entry in waiting if not entry.kept]
        else:
            self.struck.clear()
        for entry in waiting:
            entry.kept = False
        self.fresh = deque(waiting)

    def oldest_unkept(self) -> Entry | None:
        """The first entry that is not on the disk."""
        while self.fresh and self.fresh[0].gone:
            self.fresh.popleft()
        return self.fresh[0] if self.fresh else None

    def unkept(self, until: float, limit: int) -> list[Entry]:
        """Numbered entries that began to wait before `until` and are not on the disk yet."""
        found: list[Entry] = []
        while len(found) < limit:
            entry = self.oldest_unkept()
            if entry is None or entry.at > until:
                break
            self._number(entry)
            found.append(self.fresh.popleft())
        return found

    def kept(self, entries: Iterable[Entry]) -> None:
        """These are on the disk now."""
        for entry in entries:
            entry.kept = True
            if entry.gone:
                self.struck.append(entry.uuid)

    def not_kept(self, entries: list[Entry]) -> None:
        """These could not be written: they are in memory only, until the next attempt."""
        self.fresh.extendleft(reversed(entries))

    def _number(self, entry: Entry) -> None:
        if entry.seq is None and entry.source is not None:
            entry.source.seq += 1 + entry.source.lost
            entry.source.lost = 0
            entry.seq = entry.source.seq

    def _push(self, entry: Entry, *, front: bool = False) -> None:
        if front:
            self.queue.appendleft(entry)
        else:
            self.queue.append(entry)
        self.bytes += entry.size
        self._worth[worth(entry.name)] += 1

    def _pop(self) -> Entry:
        entry = self.queue.popleft()
        self.bytes -= entry.size
        self._worth[worth(entry.name)] -= 1
        return entry

    def _make_room(self, entry: Entry) -> bool:
        value = worth(entry.name)
        while self.waiting >= self.max_events or self.bytes + entry.size > self.max_bytes:
            lowest = next((rank for rank in range(value) if self._worth[rank]), None)
            self.dropped += 1
            if lowest is None:
                self._lose(entry)
                return False
            # The newest of them: what came first is what the others build upon.
            place = next(i for i, e in enumerate(reversed(self.queue)) if worth(e.name) == lowest)
            place = len(self.queue) - 1 - place
            victim = self.queue[place]
            del self.queue[place]
            self.bytes -= victim.size
            self._worth[lowest] -= 1
            self._lose(victim)
        if len(self.fresh) > 2 * self.max_events:
            self.fresh = deque(fresh for fresh in self.fresh if not fresh.gone)
        return True

    def _lose(self, entry: Entry) -> None:
        self._leave(entry)
        if entry.source is not None:
            entry.source.dropped += 1
            if entry.seq is None:
                entry.source.lost += 1

    def _remove(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._leave(entry)
            if entry.source is not None:
                entry.source.made -= 1
        self.queue = deque(entry for entry in self.queue if not entry.gone)
        self.bytes = sum(entry.size for entry in self.queue)
        self._worth = [0] * (MOST + 1)
        for entry in self.queue:
            self._worth[worth(entry.name)] += 1

    def _leave(self, entry: Entry) -> None:
        entry.gone = True
        if entry.kept:
            self.struck.append(entry.uuid)
