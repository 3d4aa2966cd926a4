"""What the threads that send for one address and key share with the student's code."""

from __future__ import annotations

import threading
from random import Random
from time import monotonic as _monotonic

from . import levels, notices, state
from .config import COURSE_KEY
from .gate import Gate
from .outage import Outage
from .outbox import MAX_EVENTS, Entry, Outbox, Source
from .policy import Policy
from .request import Line
from .spool import Spool

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .sender import Sender

MAX_BATCH_EVENTS = 100

# Of our own: a student's seed stays theirs, and so does what they put in place of it.
_uniform = Random().uniform


def pause() -> None:
    """Wait a moment after a failure, on no clock that a student's test may have replaced."""
    _never.wait(0.1)


_never = threading.Event()


class Office:
    """State under the lock `changed`; who holds it does no I/O.

    `changed` wakes whoever sends or waits for that, `unkept` whoever writes to the disk.
    """

    def __init__(
        self, client: Sender, host: str, api_key: str, max_events: int | None, policy: Policy
    ) -> None:
        self.client, self.timing = client, client.timing
        self.host, self.api_key = host, api_key
        self.direct = not api_key.startswith(COURSE_KEY)  # to PostHog, which has no courses
        lock = threading.RLock()
        self.changed = threading.Condition(lock)
        self.unkept = threading.Condition(lock)
        self.outbox = Outbox(max_events or MAX_EVENTS)
        self.gate = Gate(policy)
        self.spool = Spool(host, api_key)
        self.outage = Outage(client.timing.quiet)
        self.off = False
        self.generation = 0  # grows when everything is forgotten
        self.decisions = 0  # of the student, so that an older answer does not undo a newer one
        self.decided: object = None  # the state file when it was last heeded
        self.line: Line | None = None  # the request under way
        self.limit = MAX_BATCH_EVENTS
        self.failures = 0
        self.not_before = 0.0
        self.flush_until = 0.0
        self.ask_wanted = False  # somebody waits for the course's settings
        self.course_at = float("-inf")  # when they were told
        self.begun = False  # a session has begun, so the student's decision is known
        self.takes_over = False  # what earlier processes left behind is to be queued
        if self.direct:
            self.gate.learn(None)

    def wake(self) -> None:
        """Something is to be sent or asked."""
        self.changed.notify_all()
        self.unkept.notify_all()

    def stale(self, now: float) -> bool:
        """Whether the course's settings have to be asked for before anything is sent."""
        if self.direct:
            return False
        return not self.gate.known or now - self.course_at >= self.timing.course

    def due_in(self, now: float) -> float | None:
        """Seconds until the queue is to be sent; None: nothing waits."""
        queue = self.outbox.queue
        if not queue:
            return None
        linger = queue[0].at + self.timing.linger
        if now < self.flush_until or len(queue) >= self.limit:
            linger = 0.0
        return max(0.0, max(linger, self.not_before) - now)

    def release(self, until: float, source: Source | None = None) -> None:
        """Queue what was held for a page `until` a time, or all of `source`."""
        self.outbox.release(until, source, known=self.gate.known)

    def level_of(self, entry: Entry) -> str | None:
        """The level that an event is reduced to; None: as it is."""
        if entry.source is None:
            return self.gate.limit
        return levels.strictest(self.gate.level(entry.source.level), entry.cap)

    def forget(self) -> None:
        """Nothing of what waits may be kept or sent; the caller erases the spool."""
        self.generation += 1
        self.outbox.clear()
        if self.line is not None:
            self.line.abort()
        self.wake()

    def heed(self) -> None:
        """Do as was decided in another notebook or on a page. Not for callers with the lock."""
        stamp, settle_again = state.stamp(), self.client.settle_again
        if stamp == self.decided or settle_again is None:
            return
        decisions = self.decisions
        settled = settle_again()
        if settled is None:
            return
        with self.changed:
            if decisions != self.decisions:
                return  # something newer was decided meanwhile
            was_closed, before = self.gate.closed, self.gate.limit
            self.gate.decide(*settled)
            self.decided = stamp
            closes = self.gate.closed and not was_closed
            if closes:
                self.forget()
        if closes:
            self.spool.erase()
        elif self.gate.limit != before:
            self.rewrite()

    def rewrite(self) -> None:
        """What is on the disk says too much, or says it wrongly. Not for callers with the lock."""
        self.spool.empty()
        with self.changed:
            self.outbox.write_down_again()
            self.unkept.notify_all()

    def fail(self, message: str, *, first: float, retry_after: float | None = None) -> None:
        """An attempt failed: the next one not before `first` seconds, doubled at each failure."""
        if self.off:
            return
        longest = max(self.timing.longest_retry, first)
        delay = min(longest, first * 2 ** min(self.failures, 20)) * _uniform(0.5, 1.0)
        if retry_after is not None:
            delay = max(delay, min(retry_after, 300.0))
        now = _monotonic()
        if now < self.flush_until:
            delay = min(delay, 0.3)
        self.failures += 1
        self.not_before = now + delay
        self.ask_wanted = False  # whoever waits for an answer has one; the queue asks again
        self.outage.failed(message, self.outbox.waiting)
        self.wake()

    def succeed(self) -> None:
        """The other side is well."""
        self.failures = 0
        self.not_before = 0.0
        self.outage.worked()
        if self.outbox.waiting < self.outbox.max_events // 2:
            self.outage.room()

    def say_closed(self) -> None:
        """Tell a student in whose session the course begins to ask."""
        notices.say(
            "this course asks for your agreement; nothing is kept or sent until you agree. "
            "To agree, run the setup cell again, or set TELEMETRY_CONSENT=yes before."
        )
