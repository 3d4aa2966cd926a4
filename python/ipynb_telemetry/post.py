"""One HTTP attempt, told as a tagged outcome; nothing here raises or retries."""

from __future__ import annotations

import json

from .hub import proof
from .request import Line, request

# What the caller has to do:
OK = "ok"  # delivered: forget the events, count `rejected` as failed
LATER = "later"  # nothing known to be wrong: the same again after a while
REFUSED = "refused"  # address or key are wrong: the same again, seldom
SPLIT = "split"  # some event or the size is wrong: smaller pieces; a single event is given up


class Outcome:
    """What came of an attempt. `message` is for people and holds no secret.

    `rejected` are the places in the batch of events that were set aside for good;
    `changed`: the course collects otherwise than we thought.
    """

    __slots__ = ("answer", "changed", "kind", "message", "rejected", "retry_after")

    def __init__(
        self,
        kind: str,
        message: str = "",
        *,
        retry_after: float | None = None,
        rejected: tuple[int, ...] = (),
        changed: bool = False,
        answer: object = None,
    ) -> None:
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.rejected = rejected
        self.changed = changed
        self.answer = answer


def post_batch(
    host: str, api_key: str, bodies: list[bytes], timeout: float, line: Line | None = None
) -> Outcome:
    """Send encoded events as one ``POST {host}/batch/``, gzipped; `timeout` in seconds."""
    import gzip

    from .events import now

    body = b'{"api_key":%b,"batch":[%b],"sent_at":%b}' % (
        json.dumps(api_key).encode(),
        b",".join(bodies),
        json.dumps(now()).encode(),
    )
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **proof(host)}
    status, answer, retry_after, trouble = request(
        host + "/batch/", headers, timeout, gzip.compress(body, 6, mtime=0), line
    )
    if status is None:
        return Outcome(LATER, trouble)
    parsed = _parse(answer)
    said = f"{host} answered {status}{_reason(parsed)}"
    if 200 <= status < 300:
        told = parsed if isinstance(parsed, dict) else {}
        places, why = _rejected(told.get("rejected"), len(bodies))
        changed = bool(told.get("not_collected"))
        return Outcome(OK, f"set aside: {why}", rejected=places, changed=changed)
    if status in (400, 413, 422):
        return Outcome(SPLIT, said)
    if status in (408, 425, 429) or status >= 500:
        return Outcome(LATER, said, retry_after=retry_after)
    if 300 <= status < 400:
        said += " (a redirect: give the final address as host)"
    return Outcome(REFUSED, said)


def get_course(host: str, api_key: str, timeout: float) -> Outcome:
    """The course's public settings (`answer`, a dict); REFUSED where `host` knows no such thing.

    PostHog itself is such a host.
    """
    headers = {"Authorization": f"Bearer {api_key}", "Accept": "application/json"}
    status, answer, retry_after, trouble = request(host + "/api/v1/course", headers, timeout)
    if status is None:
        return Outcome(LATER, trouble)
    parsed = _parse(answer)
    said = f"{host} answered {status}{_reason(parsed)}"
    if status == 200 and isinstance(parsed, dict) and isinstance(parsed.get("course"), str):
        return Outcome(OK, answer=parsed)
    if status in (408, 425, 429, 502, 503, 504):
        return Outcome(LATER, said, retry_after=retry_after)
    return Outcome(REFUSED, said)


def _rejected(told: object, sent: int) -> tuple[tuple[int, ...], object]:
    """Places in the batch of what was set aside, and why the first was."""
    listed = [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    named = {one.get("index") for one in listed if type(one.get("index")) is int}
    known = sorted(place for place in named if place in range(sent))
    # One that is not named stands for any other.
    others = (place for place in range(sent) if place not in known)
    unnamed = min(len(listed), sent) - len(known)
    why = listed[0].get("message") if listed else None
    return (*known, *(next(others) for _ in range(unnamed))), why


def _parse(answer: bytes) -> object:
    try:
        return json.loads(answer)
    except ValueError:
        return None


def _reason(parsed: object) -> str:
    if isinstance(parsed, dict):
        for name in ("message", "error"):
            if isinstance(parsed.get(name), str):
                return f": {parsed[name][:200]}"
    return ""
