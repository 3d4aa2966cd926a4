"""One spool file: events as JSON lines, owned by whoever holds its lock.

A line is a complete event, or a list of the ids of events that are no longer wanted. The
lock goes with the process, however that ends, so a file without one has no owner any more.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable

# No file of ours grows so far; what is longer was written by somebody else.
MAX_READ_BYTES = 50_000_000

# Windows locks bytes, and what is locked cannot be read: one far beyond any end will do.
_LOCKED_BYTE = 1 << 40


class SpoolFile:
    """An open and locked file. Methods raise OSError."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    @property
    def lost(self) -> bool:
        """Whether somebody has deleted it."""
        return os.fstat(self._descriptor).st_nlink == 0

    def append(self, lines: Iterable[bytes]) -> None:
        """Add lines, all or none."""
        data = b"".join(line + b"\n" for line in lines)
        written = 0
        try:
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            while written < len(data):
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(data)

    def read(self) -> list[dict[str, object]]:
        """The events that are still wanted."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._descriptor), "rb") as file:
            return parse(file.read(MAX_READ_BYTES))

    def remove(self) -> None:
        """Delete it. Never raises."""
        for step in (self._empty, self.close, lambda: os.unlink(self.path)):
            try:
                step()
            except OSError:
                pass  # gone already, or not ours to delete; then at least it is empty

    def close(self) -> None:
        """Let it go; another process may take it over. In a forked child the parent keeps it."""
        os.close(self._descriptor)

    def _empty(self) -> None:
        os.ftruncate(self._descriptor, 0)


def parse(data: bytes) -> list[dict[str, object]]:
    """The events that are still wanted, each once; damaged lines are left out."""
    events: dict[str, dict[str, object]] = {}
    unwanted: set[str] = set()
    for line in data.split(b"\n"):
        try:
            said = json.loads(line)
        except (ValueError, RecursionError):
            continue  # cut off when its writer was, or damaged
        if isinstance(said, dict) and _is_event(said):
            events.setdefault(said["uuid"], said)
        elif isinstance(said, list):
            unwanted.update(uuid for uuid in said if isinstance(uuid, str))
    return [event for uuid, event in events.items() if uuid not in unwanted]


def create(path: str) -> SpoolFile | None:
    """A new file, for this user alone; None where there are no locks. OSError if it cannot be."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | _BINARY, 0o600)
    if not _lock(descriptor):
        os.close(descriptor)
        os.unlink(path)
        return None
    return SpoolFile(path, descriptor)


def claim(path: str) -> SpoolFile | None:
    """A file that another process left behind; None if it has an owner, or cannot be had."""
    try:
        descriptor = os.open(path, os.O_RDWR | _BINARY)
    except OSError:
        return None
    try:
        # Whoever was quicker may have deleted it by the time we have the lock.
        if _lock(descriptor) and os.path.samestat(os.fstat(descriptor), os.stat(path)):
            return SpoolFile(path, descriptor)
    except OSError:
        pass
    os.close(descriptor)
    return None


_BINARY = getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def _lock(descriptor: int) -> bool:
    try:
        import fcntl
    except ImportError:
        return _lock_on_windows(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False  # taken, or a disk without locks
    return True


def _lock_on_windows(descriptor: int) -> bool:
    try:
        import msvcrt

        os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
    except (ImportError, OSError):
        return False
    return True


def _is_event(said: dict[str, object]) -> bool:
    texts = (said.get(name) for name in ("event", "uuid", "distinct_id"))
    return isinstance(said.get("properties"), dict) and all(isinstance(t, str) for t in texts)
