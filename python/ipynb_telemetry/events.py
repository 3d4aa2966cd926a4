"""Builders: exactly the contract's properties, and no caller can overwrite the common ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from time import gmtime as _gmtime
from time import strftime as _strftime
from time import time_ns as _time_ns

from . import levels
from .outcomes import PASSED

# The relay sets `course`; from a client it would only be a claim.
COMMON = ("nb", "sess", "student", "v", "src", "seq", "course")

_MAX_DEPTH = 20


# Longest name or id, in UTF-16 units, as the contract counts.
MAX_LABEL_CHARS = 200


class Context:
    """What all events of one session have in common."""

    __slots__ = ("nb", "sess", "student", "v")

    def __init__(self, nb: str, sess: str, student: str, v: str) -> None:
        self.nb, self.sess, self.student, self.v = nb, sess, student, v


class Draft:
    """An event as it happened, before the course's level decides what of it may leave.

    `properties` are the event's own. `error` is ``(type, message)`` or None, kept apart
    because the level decides how much of it becomes ``err``.
    """

    __slots__ = ("error", "event", "properties", "timestamp", "uuid")

    def __init__(
        self,
        event: str,
        uuid: str,
        properties: dict[str, object],
        *,
        timestamp: str | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        self.event = event
        self.uuid = uuid
        self.properties = properties
        self.timestamp = timestamp or now()
        self.error = error


def start(uuid: str, *, client: str, kernel: str, language: str) -> Draft:
    """A session begins."""
    return Draft("start", uuid, {"client": client, "kernel": kernel, "language": language})


def end(uuid: str, *, reason: str, made: int, delivered: int, dropped: int) -> Draft:
    """A session ends; the counts are of its events before this one."""
    counts = {"made": made, "delivered": delivered, "dropped": dropped}
    return Draft("end", uuid, {"reason": reason, **counts})


def consent(uuid: str, *, action: str, level: str, notice_version: int) -> Draft:
    """The student has given, changed or withdrawn consent."""
    return Draft(
        "consent", uuid, {"action": action, "level": level, "notice_version": notice_version}
    )


def cell(
    uuid: str,
    *,
    cell_id: str | None,
    cell_num: int | None,
    code: str | None,
    status: str,
    ms: int | None,
    error: tuple[str, str] | None,
    count: int | None,
    lines: int | None,
) -> Draft:
    """A cell's run ended; `ms` are kernel milliseconds, `status` is ok, error or interrupted."""
    properties: dict[str, object] = {
        "cell_id": cell_id,
        "cell_num": cell_num,
        "code": code,
        "status": status,
        "ms": ms,
        "err": None,
        "count": count,
        "lines": lines,
        "nb_cell": None,  # only a page knows the notebook format's id for sure
    }
    return Draft("cell", uuid, properties, error=error)


def cell_began(uuid: str, *, cell_id: str, cell_num: int, code: str) -> Draft:
    """A cell began, where nothing tells when and how it ends (Python without IPython)."""
    return Draft("cell", uuid, {"cell_id": cell_id, "cell_num": cell_num, "code": code})


def test(
    uuid: str,
    *,
    ex: str,
    status: str,
    attempt: int,
    ms: int,
    error: tuple[str, str] | None,
    cell_id: str | None,
) -> Draft:
    """A test gave a result; `attempt` counts this exercise within the session, from 1."""
    properties: dict[str, object] = {
        "ex": ex,
        "ok": status == PASSED,
        "status": status,
        "try": attempt,
        "ms": ms,
        "err": None,
        "cell_id": cell_id,
    }
    return Draft("test", uuid, properties, error=error)


def custom(event: str, uuid: str, properties: Mapping[str, object] | None) -> Draft:
    """Any other event; its properties are copied as JSON at once, so later changes do not count."""
    clean = to_json(dict(properties or {}))
    return Draft(event, uuid, clean if isinstance(clean, dict) else {})


def wire_event(
    draft: Draft, context: Context, seq: int, level: str, *, direct: bool = False
) -> dict[str, object]:
    """The event as it travels, reduced to `level`; `direct` to PostHog, without a relay."""
    own = levels.apply_level(draft.event, draft.properties, level)
    if draft.error is not None:
        own["err"] = levels.error_text(*draft.error, level)
    for name in COMMON:
        own.pop(name, None)
    return {
        "event": draft.event,
        "distinct_id": context.student,
        "uuid": draft.uuid,
        "timestamp": draft.timestamp,
        "properties": {
            **own,
            "nb": context.nb,
            "sess": context.sess,
            "student": context.student,
            "v": context.v,
            "src": "kernel",
            "seq": seq,
            # Where students are is nobody's business; the relay sees to it by itself.
            **({"$geoip_disable": True} if direct else {}),
        },
    }


def now() -> str:
    """The time in UTC, ISO 8601 with milliseconds."""
    stamp = _time_ns() // 1_000_000
    return _strftime("%Y-%m-%dT%H:%M:%S", _gmtime(stamp // 1000)) + f".{stamp % 1000:03d}Z"


def describe_error(error: BaseException) -> tuple[str, str]:
    """``(type, message)`` of an exception, also where its ``__str__`` raises."""
    try:
        message = str(error)
    except KeyboardInterrupt:
        raise  # the student's, who does not want to wait
    except BaseException:
        message = ""
    return type_name(error), message


def type_name(value: object) -> str:
    """Name of a type, whatever a metaclass makes of that."""
    return str(type.__dict__["__name__"].__get__(type(value)))


def to_json(value: object, above: tuple[int, ...] = ()) -> object:
    """A copy of `value` that JSON can carry; what it has no form for becomes text."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        # JavaScript would round it, and Python refuses to write thousands of digits.
        return int(value) if abs(value) < 2**53 else text(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if len(above) < _MAX_DEPTH and id(value) not in above:  # else too deep, or a circle
        try:
            return _container(value, (*above, id(value)))
        except Exception:
            pass  # it is somebody's own class, and odd
    return text(value)


def _container(value: object, path: tuple[int, ...]) -> object:
    if isinstance(value, Mapping):
        return {text(key): to_json(item, path) for key, item in list(value.items())}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item, path) for item in list(value)]
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return to_json(value.tolist(), path)
    return text(value)


def label(value: object) -> str:
    """`text(value)` as the contract takes it for a name or an id: a long one loses its tail."""
    units = text(value).encode("utf-16-le", "surrogatepass")[: 2 * MAX_LABEL_CHARS]
    return units.decode("utf-16-le", "ignore")


def text(value: object) -> str:
    """`str(value)`, also where that raises."""
    try:
        return str(value)
    except Exception:
        return f"<{type(value).__name__}>"
