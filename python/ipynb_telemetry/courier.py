"""The thread that sends: asks what the course collects, then posts batches, with retries."""

from __future__ import annotations

import json
from time import monotonic as _monotonic

from . import levels
from .office import MAX_BATCH_EVENTS, Office, pause
from .outbox import MAX_EVENT_BYTES, Entry, left_behind
from .post import LATER, OK, REFUSED, SPLIT, Outcome, get_course, post_batch
from .request import Line

MAX_BATCH_BYTES = 4_000_000

# What the thread does next.
ASK, TAKE_OVER, SEND = "ask", "take over", "send"


class Courier:
    """Works for one office until that is switched off."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._accepted = False  # whether this address ever took anything

    def run(self) -> None:
        """Send what is due, for ever."""
        office = self._office
        with office.changed:
            office.outbox.put_back()  # what a thread before us had in hand
        while True:
            # All of it inside: a thread that ends takes everything that waits with it.
            try:
                batch: list[Entry] = []
                with office.changed:
                    if office.off:
                        return
                    now = _monotonic()
                    office.release(now)
                    todo, wait = self._next(now)
                    if wait is None or wait > 0:
                        office.changed.wait(wait)
                        continue
                    if todo == SEND:
                        batch = list(office.outbox.take(office.limit, MAX_BATCH_BYTES))
                    generation = office.generation
                if todo == ASK:
                    self._ask()
                elif todo == TAKE_OVER:
                    self._take_over(generation)
                else:
                    self._send(batch, generation)
            except Exception as error:  # ours to mend, but the thread must go on
                self._mend(error)

    def _mend(self, error: Exception) -> None:
        try:
            self._fail(Outcome(LATER, f"{type(error).__name__}: {error}"))
        except Exception:
            pass
        pause()

    def _next(self, now: float) -> tuple[str, float | None]:
        """What is to be done, and in how many seconds; None: nothing is."""
        office = self._office
        if office.ask_wanted:
            return ASK, max(0.0, office.not_before - now)
        answered = office.gate.known or office.failures > 0
        if office.takes_over and answered and not office.gate.closed:
            return TAKE_OVER, 0.0
        queue_in, held_at = office.due_in(now), office.outbox.next_due()
        if queue_in == 0 and office.stale(now) and not office.outbox.queue[0].last:
            return ASK, 0.0
        waits = [] if held_at is None else [max(0.0, held_at - now)]
        if queue_in is not None:
            waits.append(queue_in)
        return SEND, min(waits, default=None)

    def _ask(self) -> None:
        office = self._office
        outcome = get_course(office.host, office.api_key, office.timing.request)
        if outcome.kind == OK and isinstance(outcome.answer, dict):
            self._learn(outcome.answer)
        else:
            self._fail(outcome)

    def _learn(self, settings: dict[str, object]) -> None:
        office, gate = self._office, self._office.gate
        decisions, settle = office.decisions, office.client.settle
        settled = settle(settings) if settle is not None else None
        with office.changed:
            first, before = not gate.known, gate.limit
            asked_before, was_closed = gate.asks, gate.closed
            gate.learn(settings)
            if settled is not None and decisions == office.decisions:
                gate.decide(*settled)
            self._accepted = True
            office.course_at = _monotonic()
            office.ask_wanted = False
            office.failures, office.not_before = 0, 0.0
            closed, begun = gate.closed, office.begun
            again = False
            if closed:
                if not was_closed:
                    office.forget()
                if begun and gate.asks and not asked_before and not (first and settle):
                    office.say_closed()
            else:
                moved = office.outbox.discard(gate.collects)
                stricter = before is None or levels.strictest(before, gate.limit) != before
                again = moved or stricter
            office.wake()
        if closed and begun:
            office.spool.erase()
        elif again:
            office.rewrite()

    def _take_over(self, generation: int) -> None:
        """Queue what kernels left behind that are gone, before what this one made."""
        office = self._office
        office.takes_over, more = False, True
        while more:
            written = office.spool.generation
            events, more = office.spool.take_over()
            entries = [left_behind(event) for event in events]
            with office.changed:
                if office.off or office.generation != generation:
                    return  # the student has withdrawn meanwhile; all of it is erased
                collected = [e for e in entries if office.gate.collects(e.name)]
                others = [e.uuid for e in entries if not office.gate.collects(e.name)]
                office.outbox.take_over(collected)
                office.outbox.struck += others
                if office.spool.generation != written:  # our file was begun anew meanwhile
                    for entry in collected:
                        entry.kept = False
                    office.outbox.write_down_again(rest=True)
                office.wake()

    def _send(self, batch: list[Entry], generation: int) -> None:
        office = self._office
        office.heed()
        bodies: list[bytes] = []
        for entry in batch:
            body = entry.encode(office.level_of(entry), direct=office.direct)
            entry.settle()
            entry.size = len(body)
            bodies.append(body)
        large = next((i for i, body in enumerate(bodies) if len(body) > MAX_EVENT_BYTES), None)
        line = Line()
        with office.changed:
            if office.generation != generation:
                return
            if large is not None:
                what = f"an event of {len(bodies[large])} bytes is larger than {MAX_EVENT_BYTES}"
                office.outbox.give_up(batch[large])
                office.outage.refused(f"{what}: {batch[large].name}")
                return
            office.line = line
        outcome = post_batch(office.host, office.api_key, bodies, office.timing.request, line)
        with office.changed:
            office.line = None
            if office.off or office.generation != generation:
                return  # nobody waits for these any more
            if outcome.kind == OK:
                self._delivered(outcome)
            elif outcome.kind == SPLIT and len(batch) > 1:
                office.limit = len(batch) // 2
                office.outbox.put_back()
            elif outcome.kind == SPLIT and self._accepted:
                office.outbox.done((0,))
                office.outage.refused(outcome.message)
            else:
                # A 400 before anything was ever taken: the address is wrong, not the event.
                kind = REFUSED if outcome.kind == SPLIT else outcome.kind
                self._fail(Outcome(kind, outcome.message, retry_after=outcome.retry_after))
            office.wake()
            tell = office.client.on_sent if outcome.kind == OK else None
        if tell is not None:
            refused = set(outcome.rejected)
            try:
                tell([json.loads(body) for i, body in enumerate(bodies) if i not in refused])
            except Exception:
                pass  # a page that cannot be told misses a line of its list

    def _delivered(self, outcome: Outcome) -> None:
        office = self._office
        office.outbox.done(outcome.rejected)
        office.limit = min(MAX_BATCH_EVENTS, office.limit * 2)
        self._accepted = True
        office.succeed()
        if outcome.rejected:
            office.outage.refused(outcome.message)
        if outcome.changed:
            office.course_at = float("-inf")

    def _fail(self, outcome: Outcome) -> None:
        office = self._office
        refused = outcome.kind == REFUSED
        with office.changed:
            office.outbox.put_back()
            if refused:
                # A key that is mended later may belong to a stricter course.
                office.course_at = float("-inf")
            timing = office.timing
            first = timing.refused_retry if refused else timing.first_retry
            office.fail(outcome.message, first=first, retry_after=outcome.retry_after)
