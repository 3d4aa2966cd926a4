"""Gives notice, asks, remembers, and tells the sender what follows; one for each session."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from . import consent, events, ids, levels, notices, state
from .config import Config, shown
from .notice_text import notice_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .transport import Sender

# How long setup waits for the course's settings where somebody is there to read and answer.
COURSE_SECONDS = 2.0

HOW_TO_AGREE = "To agree: ipynb_telemetry.agree()"
PAGE_ASKS = (
    "this course asks for your agreement, and the page asks you for it. Nothing is sent "
    f"before. {HOW_TO_AGREE}"
)
NOBODY_ASKED = (
    "this course asks for your agreement, and nobody can be asked here, so nothing is sent. "
    f"{HOW_TO_AGREE}, or set TELEMETRY_CONSENT=yes."
)
LATE = "this course asks for your agreement. Nothing is sent before."
AS_DECIDED = f"nothing is sent, as you decided. {HOW_TO_AGREE}"
ANSWERED_NO = "TELEMETRY_CONSENT is no, so nothing is sent."
MANDATORY = "the administrator of this Jupyter server has decided that this course records."
NOT_YET = "noted; it holds as soon as the course answers."

# What was decided here or on a page, where the state file may not say so.
_decided: dict[str, dict[str, object]] = {}


class Agreement:
    """Between a student, a course and the sender.

    `somebody` is there to read a notice and to answer. `report` takes the session's
    ``consent`` events, once there is a session; `close` takes the one that is the last.
    """

    def __init__(self, sender: Sender, config: Config, student: str, *, somebody: bool) -> None:
        self._sender = sender
        self._config = config
        self._student = student
        self._somebody = somebody
        self._in_setup = True  # which prints and asks by itself
        self._settings: Mapping[str, object] | None = None
        self._telling: int | None = None  # version of the notice that is being said
        self._earlier = False  # whether an earlier session may have sent something
        self._postponed: Callable[[], object] | None = None  # until the course is known
        self._drafts: list[events.Draft] = []
        self.report: Callable[[events.Draft], None] | None = None
        self.close: Callable[[events.Draft], None] | None = None
        # A line for students whose editor is not the page that was to give notice or ask.
        self.owed: str | None = None

    def begin(self) -> None:
        """Ask the course for its settings, give notice, ask the student; waits a little at most."""
        config, sender = self._config, self._sender
        known = sender.course_known(0.0)
        now = None if known is None else self.standing(config.policy.merged(known))
        sender.settle, sender.settle_again = self._settle, self._settle_again
        if now is None:
            sender.begin(agreed=config.answer is True, level=None)
        else:
            sender.begin(agreed=now.sends, level=now.level)
        if config.direct:
            self._meet(self._settings_of_nobody())
        else:
            reads = self._somebody and not config.page
            settings = sender.course_known(COURSE_SECONDS if reads else 0.0)
            if settings is not None:
                self._meet(settings)
        self._in_setup = False

    def opened(self, report: Callable[[events.Draft], None]) -> None:
        """There is a session now, to report what was decided before."""
        self.report = report
        drafts, self._drafts = self._drafts, []
        for draft in drafts:
            report(draft)

    def agree(self, level: str | None = None) -> str:
        """The student agrees, to `level` at most; a line that says what follows."""
        if self._settings is None:
            self._postponed = lambda: self.agree(level)
            return NOT_YET
        before, known = self.standing(), self._record() or {}
        explicit = known.get("decision") == consent.AGREED and known.get("told") is not True
        self._decide(consent.AGREED, level)
        now = self._apply()
        if not now.sends:
            return ANSWERED_NO
        if not (explicit and before.sends):
            self._tell("given")
        elif before.level != now.level:
            self._tell("changed")
        return f"you agree; the level is {self._level()}."

    def decline(self) -> str:
        """The student wants nothing sent any more; a line that says what follows."""
        if self._settings is None:
            self._postponed = self.decline
            self._sender.consent(False, None)
            # A kernel that never learns which course this is must not have to be told again.
            state.decide(self._place, consent.record(consent.DECLINED, levels.OUTCOMES, 0))
            return AS_DECIDED
        before = self.standing()
        if before.mode == consent.NOTICE and self._config.policy.mandatory:
            return MANDATORY
        draft = self._draft("withdrawn")
        self._decide(consent.DECLINED, None)
        left = self._earlier or self._sender.has_tried
        if before.sends and left and self.close is not None:
            self.close(draft)
        else:
            self._apply()
        return AS_DECIDED

    def heard(self, agreed: bool, level: str | None, version: int) -> None:
        """A page tells what the student decided there; it remembers and reports that itself."""
        self.owed = None
        if self._settings is None:
            self._postponed = lambda: self.heard(agreed, level, version)
            return
        said = consent.AGREED if agreed else consent.DECLINED
        chosen = level if level in levels.LEVELS else None
        _decided[self._id()] = consent.record(said, chosen or self._level(), version)
        self._apply()

    def word(self) -> dict[str, object] | None:
        """The decision in force, as pages are told it; None where there is none."""
        known = self._record() if self._settings is not None else None
        if known is None or known.get("told") is True:
            return None
        return {
            "agreed": known.get("decision") == consent.AGREED,
            "level": known.get("level"),
            "notice_version": known.get("notice_version"),
        }

    def standing(self, settings: Mapping[str, object] | None = None) -> consent.Standing:
        """What holds now, by default for the settings that were told last."""
        settings = settings or self._settings or {}
        return consent.standing(
            settings,
            self._record(settings),
            answer=self._config.answer,
            mandatory=self._config.policy.mandatory,
            forgotten=state.load().forgotten,
        )

    # In the setup cell.

    def _meet(self, settings: Mapping[str, object]) -> None:
        self._settings = self._config.policy.merged(settings)
        self._earlier = self._agreed_before()
        now, page = self.standing(), self._config.page
        if now.asks and self._somebody and not page:
            print(f"{notices.PREFIX}{self._notice()}")
            answer = consent.ask()
            if answer is None:
                print(f"{notices.PREFIX}{NOBODY_ASKED}")
            else:
                line = self.agree() if answer else self.decline()
                print(f"{notices.PREFIX}{line}")
        elif now.tells and self._somebody and not page:
            print(f"{notices.PREFIX}{self._notice()}")
            self._decide(consent.AGREED, None, told=True)
        elif (line := self._line(now)) is not None:
            print(f"{notices.PREFIX}{line}")
        self._apply()

    # On the sender's thread.

    def _settle(self, settings: Mapping[str, object]) -> tuple[bool, str | None]:
        """Whether what waits may leave, and how much of it, now that the course has answered."""
        settings = self._config.policy.merged(settings)
        now = self.standing(settings)
        if self._in_setup:
            return now.sends, now.level
        late = self._settings is None
        self._settings = settings
        if late:
            self._earlier = self._agreed_before()
        if self._postponed is not None:
            decided, self._postponed = self._postponed, None
            decided()
        elif now.tells and self._somebody and not self._config.page:
            if self._telling != now.version:
                self._telling = now.version
                notices.say(self._notice(), self._was_told)
        elif late and (line := self._line(now)) is not None:
            notices.say(line)
        now = self.standing()
        return now.sends, now.level

    def _settle_again(self) -> tuple[bool, str | None] | None:
        """The same after somebody has decided elsewhere; None while there is nothing to go by."""
        if self._settings is None or self._in_setup:
            return None
        now = self.standing()
        return now.sends, now.level

    # Both.

    def _was_told(self) -> None:
        """The notice has been written; until then no more leaves than the last one told."""
        if self.standing().tells:
            self._decide(consent.AGREED, None, told=True)
            self._apply()

    def _apply(self) -> consent.Standing:
        now = self.standing()
        self._sender.consent(now.sends, now.level)
        return now

    def _line(self, now: consent.Standing) -> str | None:
        """What there is to say where nothing is shown or asked in the setup cell."""
        if self._config.page and (now.asks or now.tells):
            # Editors that have no page of ours open kernels of such servers too.
            self.owed = f"{LATE} {HOW_TO_AGREE}" if now.asks else self._notice()
            return PAGE_ASKS if now.asks else None
        if now.asks:
            return f"{LATE} {HOW_TO_AGREE}" if self._somebody else NOBODY_ASKED
        if now.sends:
            return None
        return ANSWERED_NO if self._config.answer is False else AS_DECIDED

    def _notice(self) -> str:
        mandatory = self._config.policy.mandatory
        settings = self._settings or {}
        return notice_text(settings, self._most(), student=self._student, mandatory=mandatory)

    def _level(self) -> str:
        """The level of what may be sent now."""
        return levels.strictest(self._most(), self.standing().level)

    def _most(self) -> str:
        """The level that the course collects, as far as this session goes along."""
        return levels.strictest(str((self._settings or {}).get("level")), self._config.most)

    def _id(self, settings: Mapping[str, object] | None = None) -> str:
        return state.key_of(self._course(settings), self._config.host)

    def _course(self, settings: Mapping[str, object] | None = None) -> str:
        return str((settings or self._settings or {}).get("course"))

    def _record(self, settings: Mapping[str, object] | None = None) -> dict[str, object] | None:
        """The decision in force: the last one of what is known here and in the file."""
        kept = state.load()
        written = state.decision(self._course(settings), self._config.host, kept)
        found = (_decided.get(self._id(settings)), written, kept.consents.get(self._place))
        known = [one for one in found if one is not None]
        return max(known, key=lambda one: str(one.get("at")), default=None)

    @property
    def _place(self) -> str:
        """Stands for the course while nobody knows which one it is."""
        from hashlib import sha256

        told = f"{self._config.host} {self._config.api_key}".encode("utf-8", "replace")
        return f"?{sha256(told).hexdigest()[:16]}"

    def _agreed_before(self) -> bool:
        return (self._record() or {}).get("decision") == consent.AGREED

    def _decide(self, decision: str, level: str | None, *, told: bool = False) -> None:
        chosen = level if level in levels.LEVELS else None
        version = consent.notice_version(self._settings or {})
        most = levels.strictest(self._most(), chosen)
        made = consent.record(decision, most, version, told=told)
        _decided[self._id()] = made
        state.decide(self._id(), made)
        if self._place in state.load().consents:
            state.decide(self._place, None)

    def _draft(self, action: str) -> events.Draft:
        version = consent.notice_version(self._settings or {})
        return events.consent(
            ids.event_id(), action=action, level=self._level(), notice_version=version
        )

    def _tell(self, action: str) -> None:
        draft = self._draft(action)
        if self.report is None:
            self._drafts.append(draft)
        else:
            self.report(draft)

    def _settings_of_nobody(self) -> Mapping[str, object]:
        """Settings in place of a course's, where events go to PostHog itself."""
        where = shown(self._config.host)
        return {
            "course": where.partition("://")[2],
            "title": "The author of this notebook",
            "level": self._config.most or levels.OUTCOMES,
            "consent": consent.NOTICE,
            "events": ["start", "end", "cell", "test"],
            "notice": {"version": 1, "receiver": where},
        }


def forget() -> None:
    """Forget what was decided in this process."""
    _decided.clear()
