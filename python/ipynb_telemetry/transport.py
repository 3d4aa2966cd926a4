"""The senders of this process: one for each address and key, to the very end and across forks."""

from __future__ import annotations

import atexit
import os
import weakref
from time import monotonic as _monotonic

from . import notices
from .office import MAX_BATCH_EVENTS
from .sender import Sender
from .timing import Timing

__all__ = ["EXIT_FLUSH_SECONDS", "MAX_BATCH_EVENTS", "Sender", "Timing", "flush_all", "sender_for"]

# A kernel that is shut down gets about 2.5 seconds before its manager becomes impatient.
EXIT_FLUSH_SECONDS = 2.0

_senders: weakref.WeakSet[Sender] = weakref.WeakSet()
_by_address: dict[tuple[str, str], Sender] = {}


def sender_for(host: str, api_key: str, timing: Timing) -> Sender:
    """The one sender of this process for an address and key."""
    sender = _by_address.get((host, api_key))
    if sender is None or sender.off:
        sender = _by_address[host, api_key] = Sender(host, api_key, timing=timing)
        _senders.add(sender)
    return sender


def flush_all(timeout: float) -> int:
    """Flush every sender within `timeout` seconds in all; how many events are left unsent."""
    deadline = _monotonic() + timeout
    senders = list(_senders)
    return sum(not s.flush(max(0.0, deadline - _monotonic())) and s.waiting for s in senders)


def _at_exit() -> None:
    flush_all(EXIT_FLUSH_SECONDS)
    for sender in list(_senders):
        left, kept = sender.keep()
        if left:
            why = sender.status()["last_error"] or "no answer in time"
            later = "the next session here sends them" if kept >= left else "they are lost"
            notices.say(f"{left} events could not be delivered ({why}); {later}.")
        sender.abandon()
    notices.flush()


def _after_fork() -> None:
    notices.forget()
    for sender in list(_senders):
        sender.abandon(forked=True)


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
