"""Sends events from a background thread: batches, retries, the course's level, the last flush."""

from __future__ import annotations

import atexit
import os
import random
import threading
import time
import weakref
from collections.abc import Iterable

from . import levels, notices
from .config import COURSE_KEY
from .events import Draft
from .outbox import MAX_EVENT_BYTES, Entry, Outbox, Source
from .post import LATER, OK, REFUSED, SPLIT, Outcome, get_course, post_batch

MAX_BATCH_EVENTS = 100
MAX_BATCH_BYTES = 4_000_000


class Timing:
    """Durations in seconds."""

    def __init__(
        self,
        *,
        linger: float = 0.5,
        hold: float = 20.0,
        first_retry: float = 1.0,
        longest_retry: float = 60.0,
        refused_retry: float = 30.0,
        request: float = 10.0,
        quiet: float = 60.0,
    ) -> None:
        self.linger = linger  # how long a first event waits for company
        self.hold = hold  # how long a page has to confirm an event
        self.first_retry = first_retry  # doubled at each failure ...
        self.longest_retry = longest_retry  # ... up to this
        self.refused_retry = refused_retry  # where address or key are wrong
        self.request = request  # for one HTTP attempt
        self.quiet = quiet  # later outages shorter than this are not mentioned


class Sender:
    """Everything for one address and key. All methods return at once, `flush` excepted."""

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
        self.agreed = False  # to a course that asks before anything is sent
        self.last_error: str | None = None
        self.course: dict[str, object] | None = None
        self._api_key = api_key
        self._direct = not api_key.startswith(COURSE_KEY)
        self._outbox = Outbox(max_events) if max_events else Outbox()
        self._reset()
        _senders.add(self)

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._asked = False  # whether the course's settings are known, or known to be absent
        self._course_level: str | None = None
        self._limit = MAX_BATCH_EVENTS
        self._failures = 0
        self._not_before = 0.0
        self._first_at = 0.0
        self._flush_until = 0.0
        self._failing_since: float | None = None
        self._told = False  # of the present outage
        self._told_once = False
        self._accepted = False  # whether this address ever took anything
        self._full = False
        self._failure_told = False
        self._consent_told = False
        self._off = False

    # Called by the student's code.

    def put(self, source: Source, draft: Draft) -> None:
        """Have a draft sent within about a second."""
        with self._changed:
            if self._off:
                return
            if not self._outbox.queue:
                self._first_at = time.monotonic()
            self._heed_room(self._outbox.add(source, draft))
            self._wake()

    def hold(self, source: Source, draft: Draft, seconds: float | None = None) -> None:
        """Have a draft sent unless a page confirms it in time, by default `timing.hold`."""
        with self._changed:
            if self._off:
                return
            due = time.monotonic() + (self.timing.hold if seconds is None else seconds)
            self._heed_room(self._outbox.hold(source, draft, due))
            self._wake()

    def confirm(self, uuids: Iterable[object]) -> None:
        """A page has delivered these events."""
        with self._changed:
            self._outbox.confirm(uuids)

    def release(self, source: Source) -> None:
        """Nobody will confirm what `source` made: send it."""
        with self._changed:
            self._heed_room(self._outbox.release(0.0, source))
            self._wake()

    def flush(self, timeout: float) -> bool:
        """Try to send everything within `timeout` seconds; whether nothing is left."""
        with self._changed:
            if self._off:
                return True
            deadline = time.monotonic() + timeout
            self._flush_until = deadline
            self._not_before = 0.0
            self._heed_room(self._outbox.release(float("inf")))
            self._wake()
            while self._outbox.queue and not self._waits_for_consent():
                left = deadline - time.monotonic()
                if left <= 0 or self._thread is None:
                    return False
                self._changed.wait(left)
            return not self._outbox.queue

    def status(self) -> dict[str, object]:
        """Counts since the kernel began, and the last error (None after a success)."""
        with self._changed:
            return {
                "host": self.host,
                "course": self.course and self.course.get("course"),
                "level": self._course_level,
                "queued": len(self._outbox.queue),
                "held": len(self._outbox.held),
                "sent": self._outbox.sent,
                "confirmed": self._outbox.confirmed,
                "failed": self._outbox.failed,
                "last_error": self.last_error,
            }

    def abandon(self) -> None:
        """Forget everything and send nothing more: in a forked child the parent goes on."""
        self._outbox = Outbox()
        self._reset()
        self._off = True

    def begin(self, *, agreed: bool) -> None:
        """A session begins: ask the course anew; `agreed` to a course that asks first."""
        with self._changed:
            self.agreed = agreed
            self._asked = False
            self._changed.notify_all()

    # Under the lock.

    def _wake(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="ipynb-telemetry", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:  # Pyodide has no threads; an interpreter that ends
                self._note_error(f"cannot send from this Python: {error}")
                return
            self._thread = thread
        self._changed.notify_all()

    def _heed_room(self, room: bool) -> None:
        if not room and not self._full:
            self._full = True
            most = self._outbox.max_events
            notices.say(f"{most} events wait to be sent; further ones are not kept until some are.")
        elif room and self._full and len(self._outbox.queue) < self._outbox.max_events // 2:
            self._full = False

    def _waits_for_consent(self) -> bool:
        asks = self.course is not None and self.course.get("consent") == "opt-in"
        return self._asked and asks and not self.agreed

    def _note_error(self, message: str) -> None:
        if self._off:
            return
        self.last_error = message
        now = time.monotonic()
        if self._failing_since is None:
            self._failing_since = now
        long = now - self._failing_since >= self.timing.quiet
        if not self._told and (long or not self._told_once):
            self._told = self._told_once = True
            waiting = len(self._outbox.queue)
            notices.say(
                f"sending does not work ({message}). Go on working: "
                f"{waiting} events wait and are tried again."
            )

    def _note_success(self) -> None:
        self._failures = 0
        self._not_before = 0.0
        self.last_error = None
        self._failing_since = None
        if self._told:
            self._told = False
            notices.say("sending works again.")

    def _due_in(self, now: float) -> float | None:
        """Seconds until there is something to send; None: not known, 0: now."""
        next_due = self._outbox.next_due()
        waits = [] if next_due is None else [next_due - now]
        if self._outbox.queue and not self._waits_for_consent():
            flushing = now < self._flush_until
            linger = 0.0 if flushing else self._first_at + self.timing.linger
            if len(self._outbox.queue) >= self._limit:
                linger = 0.0
            waits.append(max(linger, self._not_before) - now)
        return max(0.0, min(waits)) if waits else None

    # The thread.

    def _run(self) -> None:
        while True:
            with self._changed:
                if self._off:
                    return
                now = time.monotonic()
                had_queue = bool(self._outbox.queue)
                self._heed_room(self._outbox.release(now))
                if self._outbox.queue and not had_queue:
                    self._first_at = now
                wait = self._due_in(now)
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                entries = self._outbox.head(self._limit)
            try:
                if not self._asked and not self._ask_course():
                    continue
                self._send(entries)
            except Exception as error:  # ours to mend, but the thread must go on
                self._fail(Outcome(LATER, f"{type(error).__name__}: {error}"))

    def _ask_course(self) -> bool:
        outcome = get_course(self.host, self._api_key, self.timing.request)
        if outcome.kind == LATER:
            self._fail(outcome)
            return False
        with self._changed:
            self._asked = True
            if outcome.kind == OK and isinstance(outcome.answer, dict):
                self.course = outcome.answer
                level = outcome.answer.get("level")
                self._course_level = level if level in levels.LEVELS else levels.OUTCOMES
                self._accepted = True
                if self._waits_for_consent():
                    self._ask_consent()
                    return False
            else:  # PostHog itself, or an unknown key
                self.course = self._course_level = None
        return True

    def _ask_consent(self) -> None:
        if not self._consent_told:
            self._consent_told = True
            notices.say(
                "this course asks for your agreement; nothing is sent until you agree. "
                "To agree, set TELEMETRY_CONSENT=yes and run the setup cell again."
            )
        self._changed.notify_all()

    def _level_of(self, source: Source) -> str:
        return levels.strictest(self._course_level, source.level)

    def _send(self, entries: list[Entry]) -> None:
        batch: list[bytes] = []
        size = 0
        for entry in entries:
            body = entry.encode(self._level_of(entry.source), direct=self._direct)
            if len(body) > MAX_EVENT_BYTES:
                if not batch:
                    what = f"an event of {len(body)} bytes is larger than {MAX_EVENT_BYTES}"
                    self._give_up(f"{what}: {entry.draft.event}")
                    return
                break
            if batch and size + len(body) > MAX_BATCH_BYTES:
                break
            batch.append(body)
            size += len(body)
        outcome = post_batch(self.host, self._api_key, batch, self.timing.request)
        if outcome.kind == OK:
            with self._changed:
                self._outbox.drop_head(len(batch))
                self._outbox.sent += len(batch) - outcome.rejected
                self._outbox.failed += outcome.rejected
                self._limit = min(MAX_BATCH_EVENTS, self._limit * 2)
                self._accepted = True
                self._note_success()
                if outcome.rejected:
                    self._note_failed(outcome.message)
                self._changed.notify_all()
        elif outcome.kind == SPLIT and len(batch) > 1:
            self._limit = len(batch) // 2
        elif outcome.kind == SPLIT and self._accepted:
            self._give_up(outcome.message)
        else:
            # A 400 before anything was ever taken says that the address is wrong, not the event.
            kind = REFUSED if outcome.kind == SPLIT else outcome.kind
            self._fail(Outcome(kind, outcome.message, retry_after=outcome.retry_after))

    def _give_up(self, why: str) -> None:
        with self._changed:
            self._outbox.drop_head(1)
            self._outbox.failed += 1
            self._note_failed(why)
            self._changed.notify_all()

    def _note_failed(self, why: str) -> None:
        self.last_error = why
        if not self._failure_told:
            self._failure_told = True
            notices.say(
                f"an event was not accepted ({why}). Further ones are only counted: "
                "see ipynb_telemetry.status()."
            )

    def _fail(self, outcome: Outcome) -> None:
        timing = self.timing
        with self._changed:
            first = timing.refused_retry if outcome.kind == REFUSED else timing.first_retry
            longest = max(timing.longest_retry, first)
            delay = min(longest, first * 2 ** min(self._failures, 20)) * random.uniform(0.5, 1.0)
            if outcome.retry_after is not None:
                delay = max(delay, min(outcome.retry_after, 300.0))
            now = time.monotonic()
            if now < self._flush_until:
                delay = min(delay, 0.3)
            if outcome.kind == REFUSED:
                self._asked = False  # a key that is mended later may belong to a stricter course
            self._failures += 1
            self._not_before = now + delay
            self._note_error(outcome.message)
            self._changed.notify_all()


_senders: weakref.WeakSet[Sender] = weakref.WeakSet()
_by_address: dict[tuple[str, str], Sender] = {}


def sender_for(host: str, api_key: str, timing: Timing) -> Sender:
    """The one sender of this process for an address and key."""
    sender = _by_address.get((host, api_key))
    if sender is None or sender._off:
        sender = _by_address[host, api_key] = Sender(host, api_key, timing=timing)
    return sender


def flush_all(timeout: float) -> int:
    """Flush every sender within `timeout` seconds in all; how many events are left unsent."""
    deadline = time.monotonic() + timeout
    left = 0
    for sender in list(_senders):
        sender.flush(max(0.0, deadline - time.monotonic()))
        left += int(str(sender.status()["queued"]))
    return left


# A kernel that is shut down gets about 2.5 seconds before its manager becomes impatient.
EXIT_FLUSH_SECONDS = 2.0


def _at_exit() -> None:
    left = flush_all(EXIT_FLUSH_SECONDS)
    waiting = [s for s in _senders if s._waits_for_consent()]
    if left and not waiting:
        why = next((s.last_error for s in _senders if s.last_error), "no answer in time")
        notices.say(f"{left} events could not be delivered ({why}).")
    notices.flush()


def _after_fork() -> None:
    notices.forget()
    for sender in list(_senders):
        sender.abandon()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
