"""A relay's front door for tests: real HTTP on port 0, answers on demand, a memory."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "nbt_test"

COURSE = {
    "course": "demo",
    "title": "Demo",
    "version": 1,
    "level": "outcomes",
    "consent": "notice",
    "identity": "names",
    "events": ["start", "end", "cell", "test", "notebook", "kernel", "focus"],
    "notice": {
        "version": 1,
        "receiver": "Demo",
        "retention_days": 365,
        "contact": "teacher@example.org",
        "text": None,
    },
}


class StandIn:
    """`plan` holds answers to come for batches: a status, or (status, headers, body).

    Empty: 200, and the events are in `events`. Used as a context manager it listens.
    """

    def __init__(
        self, course: dict[str, object] | None = COURSE, port: int = 0, key: str = KEY
    ) -> None:
        self.course = course
        self.course_status = 401
        self.key = key
        self.plan: list[object] = []
        self.refuse: Callable[[dict], bool] | None = None
        self.delay = 0.0
        self.events: list[dict] = []
        self.batches: list[dict] = []
        self.attempts: list[list[str]] = []
        self.requests: list[tuple[str, str, dict[str, str]]] = []
        self.changed = threading.Condition()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                stand_in._get(self)

            def do_POST(self) -> None:
                stand_in._post(self)

            def log_message(self, *_: object) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> StandIn:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def wait_for(self, enough: Callable[[], bool], seconds: float = 15.0) -> None:
        """Until `enough()`; fails after `seconds` and tells what has come."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while not enough():
                left = deadline - time.monotonic()
                if left <= 0:
                    names = [(e["event"], e["properties"]) for e in self.events]
                    raise AssertionError(f"not enough after {seconds} s; came: {names}")
                self.changed.wait(min(left, 0.1))

    def wait_for_events(self, count: int, event: str | None = None) -> list[dict]:
        """The events (of one name) once there are `count`."""
        self.wait_for(lambda: len(self.of(event)) >= count)
        return self.of(event)

    def of(self, event: str | None) -> list[dict]:
        """What came under one name."""
        return [e for e in self.events if event is None or e["event"] == event]

    def _note(self, handler: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.requests.append((handler.command, handler.path, headers))

    def _get(self, handler: BaseHTTPRequestHandler) -> None:
        with self.changed:
            self._note(handler)
            known = handler.headers.get("Authorization") == f"Bearer {self.key}"
            etag = '"1"'
            if handler.path != "/api/v1/course" or self.course is None or not known:
                self._answer(handler, self.course_status, {}, b'{"message":"unknown"}')
            elif handler.headers.get("If-None-Match") == etag:
                self._answer(handler, 304, {"Etag": etag}, b"")
            else:
                self._answer(handler, 200, {"Etag": etag}, json.dumps(self.course).encode())
            self.changed.notify_all()

    def _post(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length", "0")))
        if handler.headers.get("Content-Encoding") == "gzip":
            raw = gzip.decompress(raw)
        body = json.loads(raw)
        if self.delay:
            time.sleep(self.delay)
        with self.changed:
            self._note(handler)
            events = [event for event in body["batch"] if isinstance(event, dict)]
            self.attempts.append([event["uuid"] for event in events])
            status, headers, answer = self._decide(body)
            if status == 200:
                self.events += events
                self.batches.append(body)
            self._answer(handler, status, headers, answer)
            self.changed.notify_all()

    def _decide(self, body: dict) -> tuple[int, dict[str, str], bytes]:
        if self.plan:
            planned = self.plan.pop(0)
            if isinstance(planned, tuple):
                return planned
            return int(str(planned)), {}, b'{"message":"planned"}'
        if body["api_key"] != self.key:
            return 401, {}, b'{"message":"unknown key"}'
        if self.refuse is not None and any(self.refuse(event) for event in body["batch"]):
            return 400, {}, b'{"message":"a poison event"}'
        return 200, {}, b'{"status":"Ok"}'

    @staticmethod
    def _answer(
        handler: BaseHTTPRequestHandler, status: int, headers: dict[str, str], body: bytes
    ) -> None:
        try:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            pass  # the client did not wait
