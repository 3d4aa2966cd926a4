"""The thread that writes down what waits, so that it outlives the kernel."""

from __future__ import annotations

from time import monotonic as _monotonic

from .office import Office, pause

# Entries that are encoded and written in one go.
CHUNK = 500

# How long after a failure the disk is tried again, in seconds.
RETRY_SECONDS = 60.0


class Keeper:
    """Works for one office until that is switched off."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._not_before = 0.0

    def run(self) -> None:
        """Write what waits too long, and strike out what has been sent, for ever."""
        office = self._office
        while True:
            try:
                with office.changed:
                    if office.off:
                        return
                    wait = self._due_in(_monotonic())
                    if wait is None or wait > 0:
                        office.unkept.wait(wait)
                        continue
                self._work(_monotonic())
            except Exception as error:  # ours to mend, but the thread must go on
                self._mend(error)

    def _mend(self, error: Exception) -> None:
        try:
            self._stuck(f"{type(error).__name__}: {error}")
        except Exception:
            pass
        pause()

    def keep_all(self) -> int:
        """Write down everything that waits, at once; how many of it are on the disk."""
        office = self._office
        with office.changed:
            # What the thread has in hand may not get there any more; twice does no harm.
            office.outbox.write_down_again(rest=True)
        while self._work(float("inf")):
            pass
        return office.spool.count

    def _due_in(self, now: float) -> float | None:
        """Seconds until there is something to write; None: nothing is known."""
        office = self._office
        if office.outbox.struck:
            return 0.0
        office.release(now)  # whoever sends may be waiting for an answer
        fresh, waits = office.outbox.oldest_unkept(), []
        if fresh is not None:
            due = 0.0 if office.failures else fresh.at + office.timing.keep
            waits.append(max(due, self._not_before) - now)
        held_at = office.outbox.next_due()
        if held_at is not None:
            waits.append(held_at - now)
        return max(0.0, min(waits)) if waits else None

    def _work(self, now: float) -> bool:
        """One chunk; whether there may be more."""
        office = self._office
        office.heed()
        with office.changed:
            struck, office.outbox.struck = office.outbox.struck, []
            until = now if office.failures else now - office.timing.keep
            entries = office.outbox.unkept(until, CHUNK) if now >= self._not_before else []
            wanted = [(entry, office.level_of(entry)) for entry in entries]
            generation = office.spool.generation
        office.spool.strike(struck, generation)
        bodies = [
            (entry.uuid, entry.encode(level, direct=office.direct)) for entry, level in wanted
        ]
        written = office.spool.append(bodies, generation)
        with office.changed:
            if office.spool.generation == generation:
                if written:
                    office.outbox.kept(entries)
                else:
                    office.outbox.not_kept(entries)
        if not written:
            self._stuck(office.spool.trouble or "the disk")
        return written and bool(struck or entries)

    def _stuck(self, why: str) -> None:
        self._not_before = _monotonic() + RETRY_SECONDS
        self._office.outage.disk(why)
