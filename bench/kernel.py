"""What the kernel package costs a student: importing it, and calling `_cell`.

    python bench/kernel.py [--json]

Each figure stands beside a floor measured in the same run, so that ratios compare across
machines. Exits with 1 if importing costs 50 ms or more beyond the interpreter, or a call
of `_cell` takes 1 ms or more.
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
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

PACKAGE = str(Path(__file__).resolve().parents[1] / "python")
STARTS = 15
CALLS = 5_000
POSTS = 200

IMPORT_LIMIT_MS = 50.0
CELL_LIMIT_MS = 1.0


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


def cell_us(host: str) -> tuple[float, float]:
    """`_cell` in plain Python, where each call makes an event (the dearest case)."""
    from ipynb_telemetry import setup_telemetry, tracked, transport

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        setup_telemetry("bench", host=host, api_key="nbt_bench", student_name="Ada Bench")
        taken = call_us(lambda: builtins._cell("a", "x = 1"), CALLS)
        tracked.activate(None)
        for sender in list(transport._senders):
            sender.abandon()  # nothing is there to be flushed to
    return taken


def noop(cell_id: str, code_preview: str = "") -> None:
    """The floor: what any call costs."""


def main() -> int:
    """Measure, print, judge."""
    sys.path.insert(0, PACKAGE)
    bare = start_ms("pass")
    imported = start_ms("import ipynb_telemetry")
    floor, _ = call_us(lambda: noop("a", "x = 1"), CALLS)
    post, _ = post_us()
    with socket.socket() as silent:  # accepts, and never answers
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        hanging, hanging_worst = cell_us(f"http://127.0.0.1:{silent.getsockname()[1]}")
    refusing, refusing_worst = cell_us("http://127.0.0.1:9")
    cost = imported - bare
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
        ):
            print(f"_cell(), relay {name}: {median:.1f} µs (slowest of {CALLS}: {worst:.0f} µs)")
        print(f"  {hanging / floor:.0f} times a call that does nothing ({floor:.2f} µs)")
        print(f"  {hanging / post:.4f} of a synchronous POST to this machine ({post:.0f} µs)")
    good = cost < IMPORT_LIMIT_MS and max(hanging, refusing) < CELL_LIMIT_MS * 1000
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
