"""What the package calls to have events sent. Nothing here waits for a network or a disk."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from time import monotonic as _monotonic

from . import policy
from .courier import Courier
from .events import Draft
from .keeper import Keeper
from .office import Office
from .outbox import MAX_EVENT_BYTES, Source
from .timing import Timing


class Sender:
    """Everything for one address and key. `flush` and `course_known` wait, all others return.

    Three callbacks, called in a thread of ours: `on_sent` is given the events that the other
    side has accepted; `settle` is given the course's settings whenever they have been asked
    for, and says whether the student lets anything be sent, and up to which level;
    `settle_again` says it whenever a decision may have been written elsewhere.
    """

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        timing: Timing | None = None,
        max_events: int | None = None,
    ) -> None:
        self.host = host
        self.timing = timing or Timing()
        self.on_sent: Callable[[list[dict[str, object]]], None] | None = None
        self.settle: Callable[[dict[str, object]], tuple[bool, str | None]] | None = None
        self.settle_again: Callable[[], tuple[bool, str | None] | None] | None = None
        self._office = Office(self, host, api_key, max_events, policy.of_environment())
        self._keeper = Keeper(self._office)
        self._threads: list[threading.Thread] = []
        self._dropped = 0  # that has been told

    @property
    def waiting(self) -> int:
        """Events that are to be sent."""
        return self._office.outbox.waiting

    @property
    def off(self) -> bool:
        """Whether it sends nothing any more."""
        return self._office.off

    @property
    def sends(self) -> bool:
        """Whether what is made now is sent: not off, and nobody objects."""
        return not self._office.off and not self._office.gate.closed

    @property
    def has_tried(self) -> bool:
        """Whether anything may have left, from here or by a page."""
        with self._office.changed:
            outbox = self._office.outbox
            if outbox.sent or outbox.confirmed or outbox.flying:
                return True
            return any(entry.tried for entry in outbox.queue)

    # A session, and what the student decides.

    def begin(self, agreed: bool, level: str | None = None) -> None:
        """A session begins; whether the student has `agreed`, and to which level at most.

        The course is asked anew. Where it asks its students first and this one has not
        agreed, nothing is kept or sent.
        """
        office, gate = self._office, self._office.gate
        with office.changed:
            office.decisions += 1
            was_closed = gate.closed  # then nothing waits but what a withdrawal says
            gate.policy = policy.of_environment()
            gate.agreed, gate.chosen = agreed, level
            gate.stopped = gate.stopped and not agreed
            office.begun = office.takes_over = True
            closed = gate.closed
            if closed and not was_closed:
                office.forget()
            self._ask()
            if office.direct and not closed:
                self._wake()  # for what another kernel may have left behind
        if closed and gate.known:
            office.spool.erase()

    def consent(self, agreed: bool, level: str | None = None) -> None:
        """The student decides: False drops all that waits and keeps nothing until True."""
        office, gate = self._office, self._office.gate
        with office.changed:
            office.decisions += 1
            was_closed, before = gate.closed, gate.limit
            gate.decide(agreed, level)
            if not agreed and not was_closed:
                office.forget()
        if not agreed:
            office.spool.erase()
        elif gate.limit != before:
            office.rewrite()

    def withdraw(self, source: Source, draft: Draft) -> None:
        """Drop all that waits, then send `draft`, and nothing after it."""
        self.consent(False)
        office = self._office
        with office.changed:
            if not office.off and office.gate.policy.enabled:
                office.outbox.add_last(source, draft)
                self._wake()

    def course_known(self, timeout: float) -> dict[str, object] | None:
        """The course's settings with the policy applied, once they are known.

        None after `timeout` seconds, and for PostHog itself, which has none.
        """
        office = self._office
        with office.changed:
            if office.stale(_monotonic()):
                self._ask()
            deadline = _monotonic() + timeout
            while office.ask_wanted and not office.off:
                left = deadline - _monotonic()
                if left <= 0:
                    break
                office.changed.wait(left)
            return office.gate.course

    # Events.

    def put(self, source: Source, draft: Draft) -> None:
        """Have a draft sent within about a second."""
        with self._office.changed:
            if self._takes(draft):
                outbox, gate = self._office.outbox, self._office.gate
                first = not outbox.queue
                fits = outbox.add(source, draft, _monotonic(), gate.limit, known=gate.known)
                self._heed(fits, wakes=first or len(outbox.queue) == self._office.limit)

    def hold(self, source: Source, draft: Draft, seconds: float | None = None) -> None:
        """Have a draft sent unless a page confirms it in time, by default `timing.hold`."""
        with self._office.changed:
            if self._takes(draft):
                now = _monotonic()
                due = now + (self.timing.hold if seconds is None else seconds)
                self._office.outbox.hold(source, draft, due, now, self._office.gate.limit)
                self._heed()

    def confirm(self, uuids: Iterable[object]) -> None:
        """A page has delivered these events."""
        with self._office.changed:
            self._office.outbox.confirm(uuids)

    def release(self, source: Source) -> None:
        """Nobody will confirm what `source` made: send it."""
        with self._office.changed:
            self._office.release(0.0, source)
            self._heed()

    def counts(self, source: Source) -> tuple[int, int, int]:
        """Of what `source` made for us to deliver: made, delivered, dropped.

        What a page has confirmed is the page's; what is still held counts as made.
        """
        with self._office.changed:
            made = source.made + self._office.outbox.held_of(source)
            return made, source.delivered, source.dropped

    def flush(self, timeout: float) -> bool:
        """Try to send everything within `timeout` seconds; whether nothing is left."""
        office = self._office
        with office.changed:
            if office.off:
                return True
            now = _monotonic()
            deadline = office.flush_until = now + timeout
            office.not_before = 0.0
            office.release(float("inf"))
            if office.outbox.waiting:
                self._wake()
            while office.outbox.waiting:
                left = deadline - _monotonic()
                if left <= 0 or not self._threads:
                    return False
                office.changed.wait(left)
            return True

    def status(self) -> dict[str, object]:
        """Counts since the kernel began, and the last error (None after a success)."""
        office, outbox = self._office, self._office.outbox
        with office.changed:
            course = office.gate.course
            return {
                "host": self.host,
                "course": course and course.get("course"),
                "level": office.gate.limit,
                "queued": outbox.waiting,
                "held": len(outbox.held),
                "on_disk": office.spool.count,
                "sent": outbox.sent,
                "confirmed": outbox.confirmed,
                "failed": outbox.failed,
                "dropped": outbox.dropped,
                "last_error": office.outage.last_error,
            }

    # The end.

    def keep(self) -> tuple[int, int]:
        """The process ends: write down what waits. How many wait, and how many are on the disk."""
        kept = self._keeper.keep_all()
        with self._office.changed:
            return self._office.outbox.waiting, kept

    def abandon(self, *, forked: bool = False) -> None:
        """Send nothing more, and leave the spool to others: in a `forked` child, to the parent."""
        former = self._office
        former.off = True
        self._office = Office(self, former.host, former.api_key, None, former.gate.policy)
        self._office.off = True
        self._keeper = Keeper(self._office)
        self._threads = []
        former.spool.abandon(forked=forked)
        if not forked:  # a child has neither the threads nor, for sure, the lock
            with former.changed:
                if former.line is not None:
                    former.line.abort()
                former.wake()

    # Under the lock.

    def _takes(self, draft: Draft) -> bool:
        office = self._office
        if office.off or office.gate.closed or not office.gate.collects(draft.event):
            return False
        return not self._impossible()

    def _impossible(self) -> bool:
        """Whether this is Pyodide, where a page has to report."""
        if sys.platform == "emscripten":
            self._office.outage.impossible("it has neither threads nor sockets")
        return sys.platform == "emscripten"

    def _heed(self, fits: bool = True, *, wakes: bool = True) -> None:
        """Something was queued or held: wake who has to know, and say what could not be kept."""
        office, outbox = self._office, self._office.outbox
        if not fits:
            office.outage.refused(f"it is larger than {MAX_EVENT_BYTES} bytes")
        if outbox.dropped > self._dropped:
            self._dropped = outbox.dropped
            office.outage.no_room(outbox.waiting)
        if wakes or not self._alive():
            self._wake()
        elif len(outbox.fresh) == 1:
            office.unkept.notify_all()

    def _ask(self) -> None:
        office = self._office
        if not office.off and not office.direct and office.gate.policy.enabled:
            office.ask_wanted = True
            office.not_before = 0.0
            self._wake()

    def _alive(self) -> bool:
        return len(self._threads) == 2 and all(one.is_alive() for one in self._threads)

    def _wake(self) -> None:
        office = self._office
        if not office.off and not self._alive() and not self._impossible():
            self._threads = [one for one in self._threads if one.is_alive()]
            there = [one.name for one in self._threads]
            works = (
                ("ipynb-telemetry", Courier(office).run),
                ("ipynb-telemetry-spool", self._keeper.run),
            )
            try:
                for name, run in works:
                    if name not in there:
                        thread = threading.Thread(target=run, name=name, daemon=True)
                        thread.start()
                        self._threads.append(thread)
            except RuntimeError as error:  # no threads here, or an interpreter that ends
                office.outage.impossible(str(error))
        if not self._threads:
            office.ask_wanted = False
        office.wake()
