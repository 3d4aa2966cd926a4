"""One session, from one call of setup_telemetry to the next: turns what happens into events."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from time import monotonic as _monotonic

from . import events, ids, notices, tracked
from ._version import __version__
from .attempts import Attempts, Result, TestCall
from .handover import MIME, Handover
from .levels import MAX_CODE_CHARS
from .outbox import Source
from .runs import Ending, Request, Run, Runs
from .surroundings import greet, kernel_name, language, why_it_ends
from .transport import Sender

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .agreement import Agreement

# A page that saw the hello reports by itself, and attaches when the kernel gets round to it.
GREETING_SECONDS = 2.0

# After this no page will give notice or ask in our place.
PAGE_SECONDS = 10.0

# For what is still on its way when a kernel ends, so that `end` can count it as delivered.
END_FLUSH_SECONDS = 0.5


class Session:
    """What happens between two calls of setup_telemetry.

    `sender` is None where nothing may be sent; results still go to a page that attaches.
    `shell` is IPython's, None in plain Python.
    """

    def __init__(
        self,
        nb: object,
        student: str,
        *,
        sender: Sender | None,
        shell: object | None,
        level: str | None = None,
        agreement: Agreement | None = None,
    ) -> None:
        self.context = events.Context(
            events.label(nb), ids.session_id(), events.label(student), __version__
        )
        self.sender = sender
        self.agreement = agreement
        self._shell = shell
        self._source = Source(self.context, level)
        self._attempts = Attempts(self._tested)
        self._begun = 0  # cells, where only `_cell` tells
        self._lock = threading.Lock()
        self._nonce = os.urandom(8).hex()
        self._pages: Handover | None = None
        self._runs: Runs | None = None
        self._opened = _monotonic()
        self._greeted = float("-inf")
        self._greeted_client: str | None = None

    def open(self) -> bool:
        """Observe runs, await pages, send `start`; whether a page was greeted in the output."""
        kernel = getattr(self._shell, "kernel", None)
        if hasattr(self._shell, "events"):
            self._runs = Runs(self._shell, self._run_ended)
        if getattr(kernel, "comm_manager", None) is not None:
            self._pages = Handover(
                kernel,
                hello=lambda: {**self._hello(), "runs": self.runs, "nonce": self._nonce},
                confirmed=self._confirmed,
                alone=self._alone,
                consent=self._consented,
            )
        if self.sender is not None:
            self.sender.on_sent = None if self._pages is None else self._pages.sent
        self._put(
            events.start(
                ids.event_id(),
                client="kernel",
                kernel=kernel_name(self._shell, kernel),
                language=language(),
            )
        )
        if self.agreement is not None:
            self.agreement.opened(self._put)
            self.agreement.close = self._withdraw
        text = f"Ready! Session: {self.context.sess}"
        if kernel is None or not greet(MIME, self._hello(), text, self._nonce):
            return False
        self._greeted = _monotonic()
        self._greeted_client = Request(self._shell).client
        return True

    def close(self, reason: str = "setup") -> None:
        """Observe nothing more; what was made is still sent, and `end` as the last."""
        if self._runs is not None:
            self._runs.close()
        self._alone()
        if self.sender is not None:
            made, delivered, dropped = self.sender.counts(self._source)
            counts = {"made": made, "delivered": delivered, "dropped": dropped}
            uuid = ids.session_end_id(self.context.sess, "kernel")
            self._put(events.end(uuid, reason=reason, **counts))
        if self._pages is not None:
            self._pages.close()
            self._pages = None

    def exit(self) -> None:
        """The process ends."""
        sender = self.sender
        if sender is not None and sender.status()["last_error"] is None:
            sender.flush(END_FLUSH_SECONDS)
        self.close(why_it_ends(getattr(self._shell, "kernel", None)))

    def vanish(self) -> None:
        """The student wants to be forgotten: no more events, and none of those that wait."""
        if self._runs is not None:
            self._runs.close()
        sender, self.sender = self.sender, None
        if sender is not None:
            sender.consent(False, None)
        pages, self._pages = self._pages, None
        if pages is not None:
            pages.close()

    def abandon(self) -> None:
        """In a forked child, where all of this is the parent's: report nothing, tell nobody."""
        self._lock = threading.Lock()  # another thread may have held it
        self._attempts.abandon()
        self.sender = self._pages = self.agreement = None

    @property
    def runs(self) -> int:
        """Runs of cells so far, the present one included."""
        return self._runs.count if self._runs else self._begun

    def label(self, named: object, preview: object) -> None:
        """`_cell`: name the present run; where nothing tells of runs, report it at once."""
        cell_id, code = events.label(named), events.text(preview)[:MAX_CODE_CHARS]
        if self._runs is None:
            with self._lock:
                self._begun += 1
                num = self._begun
            uuid = ids.event_id()
            self._put(events.cell_began(uuid, cell_id=cell_id, cell_num=num, code=code))
            return
        run = self._runs.current
        if run is not None:
            run.label = cell_id
            run.code = code
            self._tell(run, {"kind": "label", "cell_id": cell_id, "code": run.code})

    def begin_test(self, ex: str) -> TestCall:
        """A test is called: one more attempt."""
        return self._attempts.begin(ex, self._runs.current if self._runs else None)

    def _tested(self, result: Result) -> None:
        run, ex, error = result.run, result.ex, result.error
        known = run is not None and run.msg_id is not None
        described = events.describe_error(error) if error is not None else None
        draft = events.test(
            ids.test_result_id(run.msg_id, ex, result.ordinal) if known else ids.event_id(),
            ex=ex,
            status=result.status,
            attempt=result.attempt,
            ms=result.ms,
            error=described,
            cell_id=run.best_cell_id if run else None,
        )
        if run is not None and known:
            err_type, err = described or (None, None)
            said = {name: draft.properties[name] for name in ("ex", "ok", "status", "try", "ms")}
            error_said = {"err_type": err_type, "err": err and err[:MAX_CODE_CHARS]}
            about = {"ordinal": result.ordinal, "cell_id": run.label}
            self._tell(run, {"kind": "test", **said, **error_said, **about})
        self._put(draft, run if known else None)

    def capture(self, event: str, properties: Mapping[str, object] | None) -> None:
        """A custom event."""
        self._put(events.custom(event, ids.event_id(), properties))

    def agree(self, level: str | None) -> str:
        """The student agrees; a line that says what follows."""
        return self._decided(lambda agreement: agreement.agree(level))

    def decline(self) -> str:
        """The student wants nothing sent any more; a line that says what follows."""
        return self._decided(lambda agreement: agreement.decline())

    def _decided(self, decide: Callable[[Agreement], str]) -> str:
        if self.agreement is None:
            return "nothing is sent from here; what a page sends is decided on the page."
        line = decide(self.agreement)
        word = self.agreement.word()
        if word is not None and self._pages is not None:
            self._pages.tell({"kind": "consent", **word})
        return line

    def _consented(self, agreed: bool, level: str | None, notice_version: int) -> None:
        if self.agreement is not None:
            self.agreement.heard(agreed, level, notice_version)

    def _withdraw(self, draft: events.Draft) -> None:
        if self.sender is not None:
            self.sender.withdraw(self._source, draft)

    def _run_ended(self, run: Run, ending: Ending) -> None:
        code = run.code or run.source
        draft = events.cell(
            ids.cell_run_id(run.msg_id) if run.msg_id else ids.event_id(),
            cell_id=run.best_cell_id,
            cell_num=run.num,
            code=code[:MAX_CODE_CHARS],
            status=ending.status,
            ms=ending.ms,
            error=ending.error,
            count=ending.count,
            lines=run.source.count("\n") + 1 if run.source else None,
        )
        self._put(draft, run if run.msg_id is not None else None)
        self._speak_for_page()

    def _speak_for_page(self) -> None:
        """Say what a page was to say, where no page has come."""
        agreement = self.agreement
        if agreement is None or agreement.owed is None:
            return
        if self._pages is not None and self._pages.attached:
            agreement.owed = None
        elif _monotonic() > self._opened + PAGE_SECONDS:
            line, agreement.owed = agreement.owed, None
            notices.say(line)

    def _put(self, draft: events.Draft, run: Run | None = None) -> None:
        """Have an event sent; one of a `run` that a page reports too waits for the page's word."""
        if self.sender is None:
            return
        pages = self._pages
        if run is None or pages is None:
            self.sender.put(self._source, draft)
        elif pages.attached_to(run.client):
            self.sender.hold(self._source, draft)
        elif self._is_greeted(run):
            self.sender.hold(self._source, draft, GREETING_SECONDS)
        else:
            self.sender.put(self._source, draft)

    def _is_greeted(self, run: Run) -> bool:
        """Whether the page that asked for this run may just be about to attach."""
        recent = _monotonic() < self._greeted + GREETING_SECONDS
        return recent and run.client == self._greeted_client

    def _tell(self, run: Run, message: dict[str, object]) -> None:
        # Outside a run the page could not tell which event is meant; we send it ourselves.
        pages = self._pages
        if pages is not None and run.msg_id is not None:
            pages.tell({**message, "msg_id": run.msg_id})

    def _confirmed(self, uuids: Iterable[object]) -> None:
        if self.sender is not None:
            self.sender.confirm(uuids)

    def _alone(self) -> None:
        if self.sender is not None:
            self.sender.release(self._source)

    def _hello(self) -> dict[str, object]:
        about = self.context
        return {
            "kind": "hello",
            "sess": about.sess,
            "nb": about.nb,
            "student": about.student,
            "v": about.v,
            "comm": self._pages.voice if self._pages else None,
        }


def _at_exit() -> None:
    session = tracked.active()
    if session is not None:
        tracked.activate(None)
        session.exit()


# The transport's last flush was registered before, so it comes after.
atexit.register(_at_exit)
