"""What could not be sent outlives the kernel: the spool files of one address and key.

Each process has a file of its own, named by a hash of address and key. Whoever begins to
send there later takes over the files whose owner is gone. Nothing here raises.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

from . import spoolfile, state

# A file of which most is no longer wanted is written anew.
MAX_FILE_BYTES = 20_000_000

_SUFFIX = ".jsonl"


def folder() -> str:
    """Where the spool files of this user are."""
    return os.path.join(state.home(), "spool")


def erase_all() -> int:
    """Delete every spool file of this user, whoever owns it; how many events they held."""
    return sum(_erase(path) for path in _files(""))


class Spool:
    """The files for one address and key. Safe to be called by several threads."""

    def __init__(self, host: str, api_key: str) -> None:
        self.trouble: str | None = None  # why nothing can be written; None while it can
        # Grows when all is erased: what was meant to be written before that is not.
        self.generation = 0
        self._destination = (host, api_key)
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._own: spoolfile.SpoolFile | None = None
        self._claimed: list[spoolfile.SpoolFile] = []  # read, but not deleted yet
        self._live: set[str] = set()  # ids of the events that the own file is there for

    @property
    def count(self) -> int:
        """Events of this process that are on the disk."""
        return len(self._live)

    def append(self, events: Sequence[tuple[str, bytes]], generation: int) -> bool:
        """Write events, given by id and bytes; False if that failed."""
        with self._lock:
            if generation != self.generation or not events:
                return True
            try:
                self._file().append(body for _, body in events)
            except OSError as error:
                self.trouble = f"{type(error).__name__}: {error.strerror or error}"
                return False
            self.trouble = None
            self._live.update(uuid for uuid, _ in events)
            return True

    def strike(self, uuids: Sequence[str], generation: int) -> None:
        """These events need not outlive us any more."""
        with self._lock:
            if generation != self.generation or not uuids:
                return
            self._live.difference_update(uuids)
            if not self._live:
                self._remove()
            elif self._own is not None:
                self._note_struck(uuids)

    def take_over(self) -> tuple[list[dict[str, object]], bool]:
        """The events of one process that is gone, and whether there may be more.

        They are in a file of ours when this returns, or the file they were in stays.
        """
        with self._lock:
            for path in _files(self._prefix()):
                found = spoolfile.claim(path)
                if found is None:
                    continue
                events = self._read(found)
                if self._move(events):
                    found.remove()
                else:
                    self._claimed.append(found)
                self._live.update(str(event["uuid"]) for event in events)
                return events, True
        return [], False

    def erase(self) -> int:
        """Delete everything for this address and key; how many events that were."""
        with self._lock:
            self.generation += 1
            count = len(self._live)
            self._live.clear()
            self._remove()
            return count + sum(_erase(path) for path in _files(self._prefix()))

    def empty(self) -> None:
        """Delete what this process has written: it is to be written anew."""
        with self._lock:
            self.generation += 1
            self._live.clear()
            if self._own is not None:
                self._own.remove()
                self._own = None

    def abandon(self, *, forked: bool = False) -> None:
        """Let go and delete nothing: the next process takes over, or a fork's parent goes on."""
        if not forked:  # where it is, nobody may be left to give the lock back
            self._lock.acquire()
        files = [*([self._own] if self._own else []), *self._claimed]
        former = self._lock
        self.generation += 1
        self._begin()
        for file in files:
            try:
                file.close()
            except OSError:
                pass  # closed already
        if not forked:
            former.release()

    # Under the lock.

    def _file(self) -> spoolfile.SpoolFile:
        if self._own is not None and self._own.lost:
            self._own.close()
            self._own = None
        if self._own is None:
            where = folder()
            for path in (os.path.dirname(where), where):
                os.makedirs(path, mode=0o700, exist_ok=True)
            name = f"{self._prefix()}{os.getpid()}-{os.urandom(4).hex()}{_SUFFIX}"
            self._own = spoolfile.create(os.path.join(where, name))
            if self._own is None:
                raise OSError("this disk has no locks")
        return self._own

    def _prefix(self) -> str:
        import hashlib

        told = "\n".join(self._destination).encode("utf-8", "surrogatepass")
        return hashlib.sha256(told).hexdigest()[:32] + "-"

    def _read(self, found: spoolfile.SpoolFile) -> list[dict[str, object]]:
        try:
            return [event for event in found.read() if event["uuid"] not in self._live]
        except (OSError, MemoryError):
            return []

    def _move(self, events: list[dict[str, object]]) -> bool:
        import json

        try:
            if events:
                self._file().append(json.dumps(e, separators=(",", ":")).encode() for e in events)
        except OSError:
            return False
        return True

    def _note_struck(self, uuids: Sequence[str]) -> None:
        import json

        own = self._own
        try:
            if own is not None:
                own.append([json.dumps(list(uuids)).encode()])
                if own.size > MAX_FILE_BYTES:
                    self._compact(own)
        except OSError:
            pass  # then they are sent once more, and count once

    def _compact(self, full: spoolfile.SpoolFile) -> None:
        self._own = None
        if self._move([event for event in full.read() if event["uuid"] in self._live]):
            full.remove()
        else:
            self._own = full

    def _remove(self) -> None:
        for file in [*([self._own] if self._own else []), *self._claimed]:
            file.remove()
        self._own, self._claimed = None, []


def _files(prefix: str) -> list[str]:
    """Paths of the spool files whose names begin so."""
    where = folder()
    try:
        names = sorted(os.listdir(where))
    except OSError:
        return []
    return [
        os.path.join(where, name)
        for name in names
        if name.startswith(prefix) and name.endswith(_SUFFIX)
    ]


def _erase(path: str) -> int:
    """Delete a file, also one that has an owner; how many events it held."""
    try:
        with open(path, "rb") as file:
            count = len(spoolfile.parse(file.read(spoolfile.MAX_READ_BYTES)))
        os.unlink(path)
    except OSError:
        return 0
    return count
