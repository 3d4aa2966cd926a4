"""What the page asks of the Jupyter server: batches, the course, the student's decision."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web
from tornado.httpclient import HTTPClientError, HTTPResponse

from . import levels, spool, state
from .policy import OPT_IN
from .upstream import Upstream, parse

MAX_BODY_BYTES = 5_000_000
MAX_EVENTS = 1000
MAX_DECISION_BYTES = 10_000

_RECORD = {
    "decision": lambda value: value in ("agreed", "declined"),
    "level": lambda value: value in levels.LEVELS,
    "notice_version": lambda value: type(value) is int and value >= 0,
    "at": lambda value: isinstance(value, str) and 0 < len(value) <= 40,
    "paused": lambda value: isinstance(value, bool),
    "by": lambda value: value in ("page", "kernel"),
}


class TelemetryHandler(APIHandler):
    """What all routes share."""

    _track_activity = False  # or an idle server would never be culled

    def initialize(self, upstream: Upstream, record: str = "marked") -> None:
        self.upstream = upstream
        self.record = record

    def say(self, status: int, message: str, **more: object) -> None:
        """Answer with a message for people."""
        self.set_status(status)
        self.finish(json.dumps({"message": message, **more}))

    def pass_on(self, answer: HTTPResponse, body: bytes | None = None) -> None:
        """The relay's own status and body, or another `body`."""
        body = answer.body if body is None else body
        self.set_status(answer.code)
        retry_after = answer.headers.get("Retry-After")
        if retry_after:
            self.set_header("Retry-After", retry_after)
        if parse(body) is not None:
            self.finish(body)
        else:
            self.say(answer.code, f"{self.upstream.host} answered {answer.code}.")

    def unreachable(self, error: Exception) -> None:
        """The page keeps its events and tries again."""
        self.say(502, f"The relay at {self.upstream.host} does not answer: {error}")

    def off(self, status: int) -> bool:
        """Whether nothing is configured here; then that is the answer, with `status`."""
        trouble = self.upstream.trouble
        if trouble is not None:
            self.say(status, trouble, configured=False)
        return trouble is not None

    async def course(self) -> dict[str, Any] | None:
        """The course's settings, the last known ones while the relay is away.

        None if there are none; then the answer has been given.
        """
        upstream = self.upstream
        try:
            answer = await upstream.ask_course()
        except (OSError, HTTPClientError) as error:
            if upstream.course is None:
                self.unreachable(error)
            return upstream.course
        if answer is not None and (upstream.course is None or answer.code in (401, 403)):
            self.pass_on(answer)  # an unknown or a revoked key
            return None
        return upstream.course


class BatchHandler(TelemetryHandler):
    """``POST ipynb-telemetry/batch {batch, sent_at}``."""

    @web.authenticated
    async def post(self) -> None:
        """Pass on of a batch what the policy lets pass."""
        body = parse(self.request.body)
        wrong = _wrong_batch(self.request.body, body)
        if self.off(503):
            return
        if wrong is not None:
            self.say(*wrong)
            return
        events, places = self.upstream.allowed(body["batch"])
        if not events:
            self.finish(json.dumps({"status": "Ok", "not_collected": len(body["batch"])}))
            return
        try:
            answer = await self.upstream.batch(events, body["sent_at"])
        except (OSError, HTTPClientError) as error:
            self.unreachable(error)
            return
        self.pass_on(answer, _in_places(answer.body, places))


class CourseHandler(TelemetryHandler):
    """``GET ipynb-telemetry/course``."""

    @web.authenticated
    async def get(self) -> None:
        """What holds for this page: settings with the policy applied, and who the student is."""
        # No error: every page of a server that reports nothing asks this once.
        if self.off(200):
            return
        course = await self.course()
        if course is None:
            return
        policy = {"mandatory": self.upstream.policy.mandatory, "record": self.record}
        student = state.load().student
        told = {"policy": policy, "hub_user": self.upstream.hub_user, "student": student}
        self.finish(json.dumps({**course, **told}))


class ConsentHandler(TelemetryHandler):
    """``GET`` and ``PUT ipynb-telemetry/consent``: the student's decision on the course."""

    @web.authenticated
    async def get(self) -> None:
        """``{course, student, record}``."""
        if self.off(200):
            return
        course = await self.course()
        if course is not None:
            self._tell(course)

    @web.authenticated
    async def put(self) -> None:
        """Keep ``{record, student?}``; the same answer."""
        raw = self.request.body
        body = parse(raw)
        wrong = _wrong_decision(raw, body)
        if self.off(503):
            return
        if wrong is not None:
            self.say(*wrong)
            return
        course = await self.course()
        if course is None:
            return
        record = body["record"]
        kept = None if record is None else {name: record[name] for name in _RECORD}
        if kept is not None and record.get("told") is True:
            kept["told"] = True  # the notice was shown, and nothing was asked
        done = state.decide(state.key_of(str(course["course"]), self.upstream.host), kept)
        if kept is None:  # nor is what was kept without its relay
            done = state.decide(str(course["course"]), None) and done
        if "student" in body:
            done = state.remember_student(body["student"]) and done
        if kept is not None and kept["decision"] == "declined":
            spool.Spool(*self.upstream.destination).erase()
        if done:
            self._tell(course)
        else:
            self.say(500, f"{state.home()} cannot be written, so nothing is remembered.")

    def _tell(self, course: dict[str, Any]) -> None:
        known = state.load()
        record = state.decision(str(course["course"]), self.upstream.host, known)
        # Who was only told of a course has not agreed to anything.
        if record is not None and record.get("told") is True and course["consent"] == OPT_IN:
            record = None
        told = {
            "course": course["course"],
            "student": known.student,
            "record": record,
            "forgotten": known.forgotten,
        }
        self.finish(json.dumps(told))


class MeHandler(TelemetryHandler):
    """``DELETE ipynb-telemetry/me``."""

    @web.authenticated
    async def delete(self) -> None:
        """Forget name, decisions and what kernels could not send: ``{spooled}``, its events."""
        spooled = spool.erase_all()
        if state.forget(ask_again=True):
            self.finish(json.dumps({"spooled": spooled}))
        else:
            self.say(500, f"{state.home()} cannot be erased; please do that.", spooled=spooled)


def _in_places(answer: bytes, places: list[int]) -> bytes:
    """An answer about what passed of a batch, with the places that it had in the whole."""
    body = parse(answer)
    rejected = body.get("rejected") if isinstance(body, dict) else None
    if not isinstance(rejected, list):
        return answer
    for one in rejected:
        index = one.get("index") if isinstance(one, dict) else None
        if type(index) is int and index in range(len(places)):
            one["index"] = places[index]
    return json.dumps(body).encode()


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


def _wrong_decision(raw: bytes, body: Any) -> tuple[int, str] | None:
    """Status and message for a body that is no decision."""
    if len(raw) > MAX_DECISION_BYTES:
        return 413, f"The body is larger than {MAX_DECISION_BYTES} bytes."
    if not isinstance(body, dict) or "record" not in body:
        return 400, "The body is not a JSON object with a record."
    student, record = body.get("student"), body["record"]
    if student is not None and (not isinstance(student, str) or not student.strip()):
        return 400, "student: expected a name or null."
    if record is None:
        return None
    if not isinstance(record, dict):
        return 400, "record: expected an object or null."
    wrong = [name for name, good in _RECORD.items() if not good(record.get(name))]
    return (400, f"record: {', '.join(wrong)} missing or not understood.") if wrong else None
