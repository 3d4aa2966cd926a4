"""The relay as a Jupyter server sees it: one address, one key, the course's last known settings."""

from __future__ import annotations

import json
from time import monotonic as _monotonic
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from . import hub, levels
from ._version import __version__
from .collection import DEFAULT_EVENTS
from .config import COURSE_KEY, shown
from .policy import Policy

REQUEST_SECONDS = 10.0
COURSE_FRESH_SECONDS = 30.0


class Upstream:
    """Where batches go to. `trouble` says why nothing can be sent, else it is None."""

    def __init__(
        self,
        host: str,
        api_key: str,
        *,
        trouble: str | None = None,
        policy: Policy | None = None,
        hub_user: str | None = None,
    ) -> None:
        self.host = host
        self.trouble = trouble
        self.policy = policy or Policy()
        self.hub_user = hub_user
        self._api_key = api_key
        self._direct = not api_key.startswith(COURSE_KEY)
        self._told: dict[str, Any] | None = _of_nobody(host) if self._direct else None
        self._etag: str | None = None
        self._asked_at = float("-inf")

    @property
    def destination(self) -> tuple[str, str]:
        """Address and key, for what kernels have kept on the disk for them."""
        return self.host, self._api_key

    @property
    def course(self) -> dict[str, Any] | None:
        """The course's settings with the policy applied; None while they were never told."""
        return None if self._told is None else self.policy.merged(self._told)

    async def ask_course(self) -> HTTPResponse | None:
        """Bring `course` up to date; an answer that is neither settings nor "unchanged"."""
        fresh = _monotonic() - self._asked_at < COURSE_FRESH_SECONDS
        if self._direct or (self._told is not None and fresh):
            return None
        headers = {"Authorization": f"Bearer {self._api_key}"}
        if self._etag is not None:
            headers["If-None-Match"] = self._etag
        answer = await self._fetch("/api/v1/course", headers=headers)
        settings = parse(answer.body) if answer.code == 200 else None
        if isinstance(settings, dict) and isinstance(settings.get("course"), str):
            self._told, self._etag = settings, answer.headers.get("Etag")
        elif not (answer.code == 304 and self._told is not None):
            return answer
        self._asked_at = _monotonic()
        return None

    def allowed(self, events: list[Any]) -> tuple[list[Any], list[int]]:
        """What of a page's events may pass, as it may pass, and where each stood."""
        kept = [
            (self._allowed(event), place)
            for place, event in enumerate(events)
            if not isinstance(event, dict) or self.policy.collects(str(event.get("event")))
        ]
        return [event for event, _ in kept], [place for _, place in kept]

    async def batch(self, events: list[Any], sent_at: str) -> HTTPResponse:
        """Pass events on with the course's key; OSError or HTTPClientError 599 if unreachable."""
        body = {"api_key": self._api_key, "batch": events, "sent_at": sent_at}
        # Read at each attempt, and nowhere kept: what an error shows cannot hold it.
        told = hub.proof(self.host)
        return await self._fetch("/batch/", method="POST", body=json.dumps(body), headers=told)

    def _allowed(self, event: Any) -> Any:
        properties = event.get("properties") if isinstance(event, dict) else None
        if not isinstance(properties, dict):
            return event  # for the other side to judge
        level = self.policy.level
        if level is not None:
            properties = levels.apply_level(str(event.get("event")), properties, level)
        if self._direct:
            # PostHog must not look up where this server or a student is.
            properties = {**properties, "$geoip_disable": True}
        if self.hub_user is None:
            return {**event, "properties": properties}
        # A page's claim becomes what the Hub has verified.
        properties = {**properties, "student": self.hub_user}
        return {**event, "distinct_id": self.hub_user, "properties": properties}

    async def _fetch(self, path: str, **options: Any) -> HTTPResponse:
        # A request of our own: of what the browser sent (cookies above all), nothing goes on.
        headers = {"Content-Type": "application/json", **options.pop("headers", {})}
        request = HTTPRequest(
            self.host + path,
            headers=headers,
            user_agent=f"ipynb-telemetry/{__version__}",
            connect_timeout=REQUEST_SECONDS,
            request_timeout=REQUEST_SECONDS,
            follow_redirects=False,
            **options,
        )
        return await AsyncHTTPClient().fetch(request, raise_error=False)


def parse(body: bytes | None) -> Any:
    """JSON, or None for what is none."""
    try:
        return json.loads(body or b"")
    except (ValueError, RecursionError):
        return None


def _of_nobody(host: str) -> dict[str, Any]:
    """Settings in place of a course's for PostHog itself, which has none; as in the kernel."""
    where = shown(host)
    return {
        "course": where.partition("://")[2],
        "title": "The author of this notebook",
        "version": 0,
        "level": levels.OUTCOMES,
        "consent": "notice",
        "identity": "names",
        "events": list(DEFAULT_EVENTS),
        "notice": {
            "version": 1,
            "receiver": where,
            "retention_days": None,
            "contact": None,
            "text": None,
        },
    }
