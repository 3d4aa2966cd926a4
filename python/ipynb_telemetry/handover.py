"""Hands results to a page over a comm, and hears what the page delivers and the student decides."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence

from .levels import LEVELS, OUTCOMES

TARGET = "ipynb_telemetry"
MIME = "application/vnd.ipynb-telemetry.v1+json"

# A reloaded page leaves its old comm behind without a word.
_MAX_PAGES = 8

# Events in one message: a message of many must not delay those of the student's runs.
_MAX_SENT = 100


class Handover:
    """The pages attached to one session.

    `hello` makes the answer to a page that attaches; `confirmed` gets the ids that a page
    acknowledges; `alone` is called when the last page has gone; `consent` gets a decision made
    there: whether the student agrees, to which level at most (None: any), and to which version
    of the notice. Comm messages carry the run's message id as parent, survive ``%%capture``
    and leave nothing in the notebook.

    While no page is attached, messages go out under the id `voice` all the same: with Run
    All, a page can open its comm only after the last cell, but it hears the voice before.
    """

    def __init__(
        self,
        kernel: object,
        *,
        hello: Callable[[], dict[str, object]],
        confirmed: Callable[[Iterable[object]], None],
        alone: Callable[[], None],
        consent: Callable[[bool, str | None, int], None] | None = None,
    ) -> None:
        self._kernel = kernel
        self._manager = kernel.comm_manager  # type: ignore[attr-defined]
        self.voice = os.urandom(16).hex()
        self._hello = hello
        self._confirmed = confirmed
        self._alone = alone
        self._consent = consent
        # Each with the client session that opened it. Replaced whole: other threads read it.
        self._pages: list[tuple[object, str | None]] = []
        self._manager.register_target(TARGET, self._open)

    @property
    def attached(self) -> bool:
        """Whether any page is there."""
        return bool(self._pages)

    def attached_to(self, client_session: str | None) -> bool:
        """Whether the client that asked for a run is a page that may confirm what it made.

        `client_session` is the session in the header of the run's request.
        """
        return client_session is not None and any(
            client == client_session for _, client in self._pages
        )

    def sent(self, events: Sequence[dict[str, object]]) -> None:
        """Tell the pages what the kernel itself has delivered; from any thread. Never raises."""
        for page, _ in self._pages:
            for first in range(0, len(events), _MAX_SENT):
                part = list(events[first : first + _MAX_SENT])
                try:
                    page.send({"kind": "sent", "events": part})  # type: ignore[attr-defined]
                except Exception:
                    break  # that it has gone shows when a run has something to tell

    def tell(self, message: dict[str, object]) -> None:
        """Send a label or a result to every page. Never raises."""
        for page, _ in list(self._pages):
            try:
                page.send(message)  # type: ignore[attr-defined]
            except Exception:
                self._leave(page)
        if not self._pages:
            self._say(message)

    def close(self) -> None:
        """Let all pages go; a later session has a target of its own."""
        if self._manager.targets.get(TARGET) == self._open:
            self._manager.targets.pop(TARGET)
        pages, self._pages = self._pages, []
        for page, _ in pages:
            try:
                page.close()  # type: ignore[attr-defined]
            except Exception:
                pass  # it is gone already

    def _say(self, message: dict[str, object]) -> None:
        """A comm message of a comm that was never opened: who does not know it, ignores it."""
        kernel = self._kernel
        try:
            kernel.session.send(  # type: ignore[attr-defined]
                kernel.iopub_socket,  # type: ignore[attr-defined]
                "comm_msg",
                {"comm_id": self.voice, "data": message},
                parent=kernel.get_parent(),  # type: ignore[attr-defined]
                ident=f"comm-{self.voice}".encode(),
            )
        except Exception:
            pass  # nobody listens: our own events are on their way anyway

    def _open(self, page: object, message: object) -> None:
        page.on_msg(lambda message: self._heard(message))  # type: ignore[attr-defined]
        page.on_close(lambda _: self._leave(page))  # type: ignore[attr-defined]
        self._pages = [*self._pages, (page, _client(message))][-_MAX_PAGES:]
        page.send(self._hello())  # type: ignore[attr-defined]

    def _heard(self, message: dict[str, dict[str, object]]) -> None:
        data = message.get("content", {}).get("data")
        if not isinstance(data, dict):
            return
        if data.get("kind") == "ack":
            uuids = data.get("uuids")
            if isinstance(uuids, list):
                self._confirmed(uuids)
        elif data.get("kind") == "consent" and self._consent is not None:
            agreed, level, version = (
                data.get(name) for name in ("agreed", "level", "notice_version")
            )
            if isinstance(agreed, bool):
                if level is not None and level not in LEVELS:
                    level = OUTCOMES  # what is not understood allows the least
                self._consent(agreed, level, version if type(version) is int else 1)

    def _leave(self, page: object) -> None:
        if any(known is page for known, _ in self._pages):
            self._pages = [known for known in self._pages if known[0] is not page]
            if not self._pages:
                self._alone()


def _client(message: object) -> str | None:
    """The session in a message's header."""
    header = message.get("header") if isinstance(message, dict) else None
    session = header.get("session") if isinstance(header, dict) else None
    return session if isinstance(session, str) else None
