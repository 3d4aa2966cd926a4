"""Jupyter server extension: passes the page's batches to the relay; the key stays off the page."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse
from traitlets import Unicode
from traitlets.config import Configurable

from ._version import __version__
from .config import COURSE_KEY, host_trouble, resolve

REQUEST_SECONDS = 10.0
COURSE_FRESH_SECONDS = 30.0
MAX_BODY_BYTES = 5_000_000
MAX_EVENTS = 1000

_NOT_CONFIGURED = (
    "No relay is configured. Set TELEMETRY_API_KEY and TELEMETRY_HOST where the Jupyter server "
    "starts, or IpynbTelemetry.api_key and IpynbTelemetry.host in jupyter_server_config."
)


class IpynbTelemetry(Configurable):
    """Where the page's events go; what is empty comes from TELEMETRY_HOST, TELEMETRY_API_KEY."""

    host = Unicode("", config=True, help="Address of the relay, or of PostHog.")
    api_key = Unicode("", config=True, help="Course key. It never reaches a browser or a log.")


def _without_place(event: Any) -> Any:
    properties = event.get("properties") if isinstance(event, dict) else None
    if not isinstance(properties, dict):
        return event  # for PostHog to judge
    return {**event, "properties": {**properties, "$geoip_disable": True}}


class Upstream:
    """The relay as this server sees it: one address, one key, the course's last known settings."""

    def __init__(self, host: str, api_key: str, trouble: str | None) -> None:
        self.host = host
        self.trouble = trouble
        self._api_key = api_key
        self.course: bytes | None = None
        self.etag: str | None = None
        self._asked_at = float("-inf")

    async def batch(self, events: list[Any], sent_at: str) -> HTTPResponse:
        """Pass events on with the course's key; OSError or HTTPClientError 599 if unreachable."""
        if not self._api_key.startswith(COURSE_KEY):
            # Straight to PostHog: it must not look up where this server or a student is.
            events = [_without_place(event) for event in events]
        body = {"api_key": self._api_key, "batch": events, "sent_at": sent_at}
        return await self._fetch("/batch/", method="POST", body=json.dumps(body))

    async def ask_course(self) -> HTTPResponse | None:
        """Bring `course` up to date; an answer that is neither settings nor "unchanged"."""
        if self.course is not None and time.monotonic() - self._asked_at < COURSE_FRESH_SECONDS:
            return None
        headers = {"Authorization": f"Bearer {self._api_key}"}
        if self.etag is not None:
            headers["If-None-Match"] = self.etag
        answer = await self._fetch("/api/v1/course", headers=headers)
        if answer.code == 200 and _is_course(answer.body):
            self.course, self.etag = answer.body, answer.headers.get("Etag")
        elif not (answer.code == 304 and self.course is not None):
            return answer
        self._asked_at = time.monotonic()
        return None

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


class TelemetryHandler(APIHandler):
    """What both routes share."""

    _track_activity = False  # or an idle server would never be culled

    def initialize(self, upstream: Upstream) -> None:
        self.upstream = upstream

    def say(self, status: int, message: str, **more: object) -> None:
        """Answer with a message for people."""
        self.set_status(status)
        self.finish(json.dumps({"message": message, **more}))

    def unreachable(self, error: Exception) -> None:
        """The page keeps its events and tries again."""
        self.say(502, f"The relay at {self.upstream.host} does not answer: {error}")

    def pass_on(self, answer: HTTPResponse) -> None:
        """The relay's own status and body."""
        self.set_status(answer.code)
        retry_after = answer.headers.get("Retry-After")
        if retry_after:
            self.set_header("Retry-After", retry_after)
        if _parse(answer.body) is not None:
            self.finish(answer.body)
        else:
            self.say(answer.code, f"{self.upstream.host} answered {answer.code}.")


class BatchHandler(TelemetryHandler):
    """``POST ipynb-telemetry/batch {batch, sent_at}``."""

    @web.authenticated
    async def post(self) -> None:
        """Pass a batch on."""
        body = _parse(self.request.body)
        wrong = _wrong_batch(self.request.body, body)
        if self.upstream.trouble is not None:
            self.say(503, self.upstream.trouble, configured=False)
        elif wrong is not None:
            self.say(*wrong)
        else:
            try:
                answer = await self.upstream.batch(body["batch"], body["sent_at"])
            except (OSError, HTTPClientError) as error:
                self.unreachable(error)
            else:
                self.pass_on(answer)


class CourseHandler(TelemetryHandler):
    """``GET ipynb-telemetry/course``."""

    @web.authenticated
    async def get(self) -> None:
        """The public settings of the key's course; the last known ones while it is away."""
        upstream = self.upstream
        if upstream.trouble is not None:
            self.say(503, upstream.trouble, configured=False)
            return
        try:
            answer = await upstream.ask_course()
        except (OSError, HTTPClientError) as error:
            if upstream.course is None:
                self.unreachable(error)
                return
            answer = None
        if answer is not None and (upstream.course is None or answer.code in (401, 403)):
            self.pass_on(answer)  # an unknown or revoked key, or PostHog itself
            return
        if upstream.etag:
            self.set_header("Etag", upstream.etag)
            if self.check_etag_header():
                self.set_status(304)
                self.finish()
                return
        self.finish(upstream.course)

    def compute_etag(self) -> str | None:
        """The relay's own etag serves."""
        return None


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


def _is_course(body: bytes) -> bool:
    parsed = _parse(body)
    return isinstance(parsed, dict) and isinstance(parsed.get("course"), str)


def _wrong_batch(raw: bytes, body: Any) -> tuple[int, str] | None:
    """Status and message for a body that is no batch."""
    if len(raw) > MAX_BODY_BYTES:
        return 413, f"The body is larger than {MAX_BODY_BYTES} bytes."
    if not isinstance(body, dict):
        return 400, "The body is not a JSON object."
    batch = body.get("batch")
    if not isinstance(batch, list) or not 0 < len(batch) <= MAX_EVENTS:
        return 400, f"batch: expected a list of 1 to {MAX_EVENTS} events."
    if not isinstance(body.get("sent_at"), str):
        return 400, "sent_at: expected a time in ISO 8601."
    return None


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """Add both routes under the server's base URL."""
    traits = IpynbTelemetry(config=serverapp.config)
    settings = resolve(traits.host, traits.api_key, env=os.environ)
    trouble = None
    if not settings.api_key:
        trouble = _NOT_CONFIGURED
    elif (wrong := host_trouble(settings.host)) is not None:
        trouble = f"IpynbTelemetry: {wrong}"
    upstream = Upstream(settings.host, settings.api_key, trouble)
    base = serverapp.web_app.settings["base_url"]
    shared = {"upstream": upstream}
    routes = [("batch", BatchHandler), ("course", CourseHandler)]
    serverapp.web_app.add_handlers(
        ".*$",
        [(url_path_join(base, "ipynb-telemetry", path), kind, shared) for path, kind in routes],
    )
    serverapp.log.info("ipynb_telemetry: %s", trouble or f"events go to {settings.host}")
