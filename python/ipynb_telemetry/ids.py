"""Ids: those that page and kernel make alike without talking, and the session's."""

import os
import secrets
import uuid
from time import time_ns as _time_ns

# RFC 4122's namespace for object identifiers.
ID_NAMESPACE = uuid.UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")

# Letters and digits that cannot be taken for one another (no 0 O 1 I l).
SESSION_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def cell_run_id(msg_id: str) -> str:
    """Id of the run that the ``execute_request`` `msg_id` asked for."""
    return _uuid5(f"{msg_id}/cell")


def test_result_id(msg_id: str, ex: str, ordinal: int) -> str:
    """Id of a test's result; `ordinal` counts the calls of test `ex` within the run, from 1."""
    return _uuid5(f"{msg_id}/test/{ex}/{ordinal}")


def session_end_id(sess: str, src: str = "kernel") -> str:
    """Id of the end of session `sess` as `src` tells it: told twice, it counts once."""
    return _uuid5(f"{sess}/end/{src}")


def event_id() -> str:
    """Id of everything that only one side sees: a UUIDv7, which sorts by time."""
    stamp = _time_ns() // 1_000_000
    value = (stamp & 0xFFFF_FFFF_FFFF) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF000 << 64) | 0x7000 << 64  # version 7
    value = value & ~(0xC000 << 48) | 0x8000 << 48  # RFC 4122 variant
    return str(uuid.UUID(int=value))


def session_id() -> str:
    """A new session id of 8 characters."""
    return "".join(secrets.choice(SESSION_ALPHABET) for _ in range(8))


def _uuid5(name: str) -> str:
    # Lone surrogates become U+FFFD, as JavaScript's encoder has it; uuid.uuid5 would raise.
    data = name.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
    digest = bytearray(_sha1(ID_NAMESPACE.bytes + data)[:16])
    return str(uuid.UUID(bytes=bytes(digest), version=5))


def _sha1(data: bytes) -> bytes:
    import hashlib

    return hashlib.sha1(data, usedforsecurity=False).digest()
