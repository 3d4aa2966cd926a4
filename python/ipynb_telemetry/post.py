"""One HTTP attempt, told as a tagged outcome; nothing here raises, retries or keeps state."""

from __future__ import annotations

import json

from ._version import __version__

# What the caller has to do:
OK = "ok"  # delivered: forget the events, count `rejected` as failed
LATER = "later"  # nothing known to be wrong: the same again after a while
REFUSED = "refused"  # address or key are wrong: the same again, seldom
SPLIT = "split"  # some event or the size is wrong: smaller pieces; a single event is given up

_MAX_ANSWER = 4_000_000


class Outcome:
    """What came of an attempt. `message` is for people and holds no secret."""

    __slots__ = ("answer", "kind", "message", "rejected", "retry_after")

    def __init__(
        self,
        kind: str,
        message: str = "",
        *,
        retry_after: float | None = None,
        rejected: int = 0,
        answer: object = None,
    ) -> None:
        self.kind = kind
        self.message = message
        self.retry_after = retry_after
        self.rejected = rejected
        self.answer = answer


def post_batch(host: str, api_key: str, bodies: list[bytes], timeout: float) -> Outcome:
    """Send encoded events as one ``POST {host}/batch/``, gzipped; `timeout` in seconds."""
    import gzip

    from .events import now

    body = b'{"api_key":%b,"batch":[%b],"sent_at":%b}' % (
        json.dumps(api_key).encode(),
        b",".join(bodies),
        json.dumps(now()).encode(),
    )
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    status, answer, retry_after, trouble = _request(
        host + "/batch/", headers, timeout, gzip.compress(body, 6, mtime=0)
    )
    if status is None:
        return Outcome(LATER, trouble)
    parsed = _parse(answer)
    said = f"{host} answered {status}{_reason(parsed)}"
    if 200 <= status < 300:
        rejected = parsed.get("rejected") if isinstance(parsed, dict) else None
        if isinstance(rejected, list) and rejected:
            why = rejected[0].get("message") if isinstance(rejected[0], dict) else None
            return Outcome(OK, f"set aside: {why}", rejected=min(len(rejected), len(bodies)))
        return Outcome(OK)
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
    status, answer, retry_after, trouble = _request(host + "/api/v1/course", headers, timeout)
    if status is None:
        return Outcome(LATER, trouble)
    parsed = _parse(answer)
    said = f"{host} answered {status}{_reason(parsed)}"
    if status == 200 and isinstance(parsed, dict) and isinstance(parsed.get("course"), str):
        return Outcome(OK, answer=parsed)
    if status in (408, 425, 429, 502, 503, 504):
        return Outcome(LATER, said, retry_after=retry_after)
    return Outcome(REFUSED, said)


def _request(
    url: str, headers: dict[str, str], timeout: float, body: bytes | None = None
) -> tuple[int | None, bytes, float | None, str]:
    """Status (None: no answer), body, Retry-After in seconds, and what went wrong."""
    try:
        import urllib.error
        import urllib.request

        class Stay(urllib.request.HTTPRedirectHandler):
            """A key must not follow to wherever an address points."""

            def redirect_request(self, *_: object, **__: object) -> None:
                return None

        handlers: list[urllib.request.BaseHandler] = [Stay()]
        request = urllib.request.Request(
            url, data=body, headers={"User-Agent": f"ipynb-telemetry/{__version__}", **headers}
        )
        if _is_loopback(request.host):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy can reach it
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(request, timeout=timeout) as response:
                return response.status, response.read(_MAX_ANSWER), None, ""
        except urllib.error.HTTPError as error:
            with error:
                answer = error.read(_MAX_ANSWER)
                return error.code, answer, _seconds(error.headers.get("Retry-After")), ""
    except Exception as error:
        reason = getattr(error, "reason", None) or error
        text = str(reason) or type(reason).__name__
        return None, b"", None, f"cannot reach {url.split('/', 3)[2]}: {text}"


def _is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]")
    return name == "localhost" or name.startswith("127.") or name == "::1"


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


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date: our own back-off serves as well
