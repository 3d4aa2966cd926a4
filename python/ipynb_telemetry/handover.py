"""Hands results to a page over a comm, and hears which events the page has delivered."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable

TARGET = "ipynb_telemetry"
MIME = "application/vnd.ipynb-telemetry.v1+json"

# A reloaded page leaves its old comm behind without a word.
_MAX_PAGES = 8


class Handover:
    """The pages attached to one session.

    `hello` makes the answer to a page that attaches; `confirmed` gets the ids that a page
    acknowledges; `alone` is called when the last page has gone. Comm messages carry the
    run's message id as parent, survive ``%%capture`` and leave nothing in the notebook.

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
    ) -> None:
        self._kernel = kernel
        self._manager = kernel.comm_manager  # type: ignore[attr-defined]
        self.voice = os.urandom(16).hex()
        self._hello = hello
        self._confirmed = confirmed
        self._alone = alone
        self._pages: list[object] = []
        self._manager.register_target(TARGET, self._open)

    @property
    def attached(self) -> bool:
        """Whether a page may confirm what happens now."""
        return bool(self._pages)

    def tell(self, message: dict[str, object]) -> None:
        """Send a label or a result to every page. Never raises."""
        for page in list(self._pages):
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
        for page in pages:
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

    def _open(self, page: object, _message: object) -> None:
        page.on_msg(lambda message: self._heard(message))  # type: ignore[attr-defined]
        page.on_close(lambda _: self._leave(page))  # type: ignore[attr-defined]
        self._pages = [*self._pages, page][-_MAX_PAGES:]
        page.send(self._hello())  # type: ignore[attr-defined]

    def _heard(self, message: dict[str, dict[str, object]]) -> None:
        data = message.get("content", {}).get("data")
        if isinstance(data, dict) and data.get("kind") == "ack":
            uuids = data.get("uuids")
            if isinstance(uuids, list):
                self._confirmed(uuids)

    def _leave(self, page: object) -> None:
        if page in self._pages:
            self._pages = [other for other in self._pages if other is not page]
            if not self._pages:
                self._alone()
