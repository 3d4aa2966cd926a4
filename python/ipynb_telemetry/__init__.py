"""Reports a notebook's runs and test results to a relay or to PostHog, without getting in the way.

Importing this costs a few milliseconds and needs nothing but the standard library.
"""

from __future__ import annotations

from ._version import __version__
from .bootstrap import setup_telemetry
from .choices import agree, decline, forget_me
from .notebook_cells import get_telemetry_setup_cell, get_telemetry_setup_cell_node
from .tracked import tracked_test

__all__ = [
    "__version__",
    "agree",
    "decline",
    "flush",
    "forget_me",
    "get_telemetry_setup_cell",
    "get_telemetry_setup_cell_node",
    "setup_telemetry",
    "status",
    "tracked_test",
]


def status() -> dict[str, object]:
    """What has become of this session's events: for students and teachers to print.

    `sending` tells whether what happens now is sent. `queued` waits to be sent, `held` for a
    page's word, `on_disk` of these is kept for the next session, `sent` was accepted,
    `confirmed` was delivered by the page, `failed` was refused for good, `dropped` found no
    room; `last_error` says what is wrong now.
    """
    from .tracked import active

    session = active()
    if session is None:
        return {"session": None, "sending": False}
    sender = session.sender
    return {
        "session": session.context.sess,
        "student": session.context.student,
        "sending": sender is not None and sender.sends,
        **(sender.status() if sender is not None else {}),
    }


def flush(timeout: float = 5.0) -> bool:
    """Send what waits, for at most `timeout` seconds; whether nothing is left."""
    from .transport import flush_all

    return flush_all(timeout) == 0


def _jupyter_labextension_paths() -> list[dict[str, str]]:
    return [{"src": "../../labextension/static", "dest": "ipynb-telemetry"}]


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "ipynb_telemetry.serverextension"}]
