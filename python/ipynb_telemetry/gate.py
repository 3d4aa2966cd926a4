"""Whether anything may leave, and how much of it: course, policy and student taken together."""

from __future__ import annotations

from collections.abc import Mapping

from . import levels
from .policy import OPT_IN, Policy


class Gate:
    """Opens where nobody objects.

    `course` holds the course's settings with the policy applied, None while they are not
    known and for PostHog itself, which has none; `known` tells these two apart.
    """

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.course: dict[str, object] | None = None
        self.known = False
        self.agreed = False  # the student, to a course that asks first
        self.stopped = False  # by the student, whatever the course's mode
        self.chosen: str | None = None  # the level that the student agreed to

    def learn(self, settings: Mapping[str, object] | None) -> None:
        """The course's settings as the relay tells them; None: the other side has no courses."""
        self.course = None if settings is None else self.policy.merged(settings)
        self.known = True

    def decide(self, agreed: bool, level: str | None) -> None:
        """The student's decision, and the most that it allows to be sent."""
        self.agreed, self.stopped = agreed, not agreed
        if agreed:
            self.chosen = level

    @property
    def asks(self) -> bool:
        """Whether students have to agree first."""
        asks = self.course is not None and self.course.get("consent") == OPT_IN
        return asks or self.policy.opt_in

    @property
    def closed(self) -> bool:
        """Whether nothing may be kept or sent now."""
        return self.stopped or not self.policy.enabled or (self.asks and not self.agreed)

    @property
    def limit(self) -> str | None:
        """The highest level that course, policy and student allow; None where none has a say."""
        said = [self.policy.level, self.chosen]
        if self.course is not None:
            said.append(str(self.course["level"]))
        given = [level for level in said if level is not None]
        return levels.strictest(*given) if given else None

    def level(self, own: str | None) -> str:
        """The level for a session that asks for `own`."""
        return levels.strictest(self.limit, own)

    def collects(self, name: str) -> bool:
        """Whether events named `name` are collected; while the course is not known, they may be."""
        if not self.policy.collects(name):
            return False
        if self.course is None:
            return True
        from .collection import is_collected

        events = self.course["events"]
        return is_collected(name, events if isinstance(events, list) else ())
