"""What the kernel package costs a student: importing it, and calling `_cell`.

    python bench/kernel.py [--json]

Each figure stands beside a floor measured in the same run, so that ratios compare across
machines. Exits with 1 if importing costs 50 ms or more beyond the interpreter, a call of
`_cell` takes 1 ms or more, or an idle sender uses 1 % of a processor or more.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[1] / "python")
STARTS = 15
CALLS = 5_000
POSTS = 200
IDLE_SECONDS = 3.0

IMPORT_LIMIT_MS = 50.0
CELL_LIMIT_MS = 1.0
IDLE_LIMIT = 0.01


def start_ms(code: str) -> float:
    """Median milliseconds of an interpreter that runs `code` and ends."""
    env = {**os.environ, "PYTHONPATH": PACKAGE}
    taken = []
    for _ in range(STARTS):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], env=env, check=True)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def call_us(call, times: int) -> tuple[float, float]:
    """Median and slowest of `times` calls in microseconds."""
    taken = []
    for _ in range(times):
        began = time.perf_counter_ns()
        call()
        taken.append((time.perf_counter_ns() - began) / 1000)
    return statistics.median(taken), max(taken)


def post_us() -> tuple[float, float]:
    """A synchronous POST to a local server, as a naive client makes in each cell."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url = f"http://127.0.0.1:{server.server_port}/batch/"
    body = json.dumps({"batch": [{"event": "cell", "properties": {"cell_id": "a"}}]}).encode()
    taken = call_us(lambda: opener.open(url, body, timeout=5).close(), POSTS)
    server.shutdown()
    server.server_close()
    return taken


def cell_us(host: str, *, wait_for_spool: bool = False) -> tuple[float, float, int]:
    """`_cell` in plain Python, where each call makes an event (the dearest case).

    Median and slowest in microseconds, and how many events are on the disk at the end;
    `wait_for_spool` begins to measure when the first ones are.
    """
    from ipynb_telemetry import setup_telemetry, status, tracked, transport

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        setup_telemetry("bench", host=host, api_key="nbt_bench", student_name="Ada Bench")
        builtins._cell("a", "x = 1")
        while wait_for_spool and status()["on_disk"] == 0:
            time.sleep(0.01)
        taken = call_us(lambda: builtins._cell("a", "x = 1"), CALLS)
        kept = int(str(status()["on_disk"]))
        tracked.activate(None)
        for sender in list(transport._senders):
            sender.abandon()  # nothing is there to be flushed to
    return (*taken, kept)


def idle_cpu() -> float:
    """Processor time that a sender with nothing to do uses, as a share of the time passed."""
    from ipynb_telemetry import setup_telemetry, tracked, transport

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say(b'{"course":"bench","level":"outcomes","consent":"notice"}')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._say(b'{"status":"Ok"}')

        def _say(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    # Its own poll costs processor time too, so it is seldom.
    threading.Thread(target=server.serve_forever, args=(IDLE_SECONDS,), daemon=True).start()
    host = f"http://127.0.0.1:{server.server_port}"
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        setup_telemetry("bench", host=host, api_key="nbt_bench", student_name="Ada Bench")
        for sender in list(transport._senders):
            sender.flush(10)
        time.sleep(0.5)
        used, began = time.process_time(), time.perf_counter()
        time.sleep(IDLE_SECONDS)
        share = (time.process_time() - used) / (time.perf_counter() - began)
        tracked.activate(None)
        for sender in list(transport._senders):
            sender.abandon()
    server.shutdown()
    server.server_close()
    return share


def noop(cell_id: str, code_preview: str = "") -> None:
    """The floor: what any call costs."""


def main() -> int:
    """Measure in a home of its own, print, judge."""
    sys.path.insert(0, PACKAGE)
    with tempfile.TemporaryDirectory() as home:
        os.environ["TELEMETRY_HOME"] = home
        return measure()


def measure() -> int:
    """Measure, print, judge."""
    bare = start_ms("pass")
    imported = start_ms("import ipynb_telemetry")
    floor, _ = call_us(lambda: noop("a", "x = 1"), CALLS)
    post, _ = post_us()
    with socket.socket() as silent:  # accepts, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        hanging, hanging_worst, _ = cell_us(f"http://127.0.0.1:{silent.getsockname()[1]}")
    refusing, refusing_worst, _ = cell_us("http://127.0.0.1:9")
    spooling, spooling_worst, kept = cell_us("http://127.0.0.1:9", wait_for_spool=True)
    with_spool = start_ms("import ipynb_telemetry")  # of what those have left behind
    idle = idle_cpu()
    cost, cost_with_spool = imported - bare, with_spool - bare
    figures = {
        "interpreter_ms": round(bare, 1),
        "import_beyond_interpreter_ms": round(cost, 1),
        "import_to_interpreter_ratio": round(cost / bare, 2),
        "noop_call_us": round(floor, 2),
        "sync_post_us": round(post, 1),
        "cell_relay_silent_us": round(hanging, 2),
        "cell_relay_silent_worst_us": round(hanging_worst, 1),
        "cell_relay_refusing_us": round(refusing, 2),
        "cell_relay_refusing_worst_us": round(refusing_worst, 1),
        "import_with_spool_beyond_interpreter_ms": round(cost_with_spool, 1),
        "cell_spooling_us": round(spooling, 2),
        "cell_spooling_worst_us": round(spooling_worst, 1),
        "cell_spooled_events": kept,
        "idle_cpu_percent": round(idle * 100, 3),
        "cell_to_noop_ratio": round(hanging / floor, 1),
        "cell_to_sync_post_ratio": round(hanging / post, 4),
    }
    if "--json" in sys.argv:
        print(json.dumps(figures))
    else:
        print(
            f"import ipynb_telemetry: {cost:.1f} ms beyond the interpreter's {bare:.1f} ms", end=""
        )
        print(f" ({cost / bare:.2f} of it; medians of {STARTS})")
        for name, median, worst in (
            ("silent", hanging, hanging_worst),
            ("refusing", refusing, refusing_worst),
            ("refusing, events spooled meanwhile", spooling, spooling_worst),
        ):
            print(f"_cell(), relay {name}: {median:.1f} µs (slowest of {CALLS}: {worst:.0f} µs)")
        print(f"  {hanging / floor:.0f} times a call that does nothing ({floor:.2f} µs)")
        print(f"  {hanging / post:.4f} of a synchronous POST to this machine ({post:.0f} µs)")
        print(
            f"import with what {kept} events and more left in the spool: {cost_with_spool:.1f} ms"
        )
        print(f"an idle sender uses {idle * 100:.3f} % of a processor")
    good = max(cost, cost_with_spool) < IMPORT_LIMIT_MS and idle < IDLE_LIMIT
    good = good and max(hanging, refusing, spooling) < CELL_LIMIT_MS * 1000
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
