"""What a student is told when sending fails, and when it works again: little, and not twice."""

from __future__ import annotations

from time import monotonic as _monotonic

from . import notices


class Outage:
    """Says the first failure at once, later ones when they last for `quiet` seconds."""

    def __init__(self, quiet: float) -> None:
        self.last_error: str | None = None  # None after a success
        self._quiet = quiet
        self._since: float | None = None
        self._told = False  # of the present outage
        self._told_once = False
        self._full = False
        self._refused_told = False
        self._disk_told = False
        self._impossible_told = False

    def failed(self, message: str, waiting: int) -> None:
        """An attempt failed, `waiting` events wait for the next one."""
        self.last_error = message
        now = _monotonic()
        if self._since is None:
            self._since = now
        long = now - self._since >= self._quiet
        if not self._told and (long or not self._told_once):
            self._told = self._told_once = True
            notices.say(
                f"sending does not work ({message}). Go on working: "
                f"{waiting} events wait and are tried again."
            )

    def worked(self) -> None:
        """An attempt succeeded."""
        self.last_error = self._since = None
        if self._told:
            self._told = False
            notices.say("sending works again.")

    def refused(self, why: str) -> None:
        """An event was given up."""
        self.last_error = why
        if not self._refused_told:
            self._refused_told = True
            notices.say(
                f"an event was not accepted ({why}). Further ones are only counted: "
                "see ipynb_telemetry.status()."
            )

    def no_room(self, waiting: int) -> None:
        """An event was not kept because too many wait."""
        if not self._full:
            self._full = True
            notices.say(
                f"{waiting} events wait to be sent; the least valuable are not kept until some are."
            )

    def room(self) -> None:
        """There is plenty of room again."""
        self._full = False

    def disk(self, why: str) -> None:
        """Nothing can be written."""
        if not self._disk_told:
            self._disk_told = True
            notices.say(
                f"events that cannot be sent now are kept in memory only ({why}): "
                "they are lost when the kernel ends before they are sent."
            )

    def impossible(self, why: str) -> None:
        """Nothing can ever be sent from here."""
        self.last_error = f"cannot send from this Python: {why}"
        if not self._impossible_told:
            self._impossible_told = True
            notices.say(f"{self.last_error}. A page with the extension reports by itself.")
