"""What the Jupyter server's administrator allows at most: on top of what a course collects."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from . import collection, levels

# How a Jupyter server tells the kernels that it starts.
VARIABLE = "TELEMETRY_POLICY"

OPT_IN = "opt-in"


class Policy:
    """`level` and `events` are upper limits; None: no limit. `opt_in`: students are asked first."""

    __slots__ = ("enabled", "events", "level", "mandatory", "opt_in")

    def __init__(
        self,
        *,
        level: str | None = None,
        opt_in: bool = False,
        events: tuple[str, ...] | None = None,
        mandatory: bool = False,
        enabled: bool = True,
    ) -> None:
        self.level = level
        self.opt_in = opt_in
        self.events = events
        self.mandatory = mandatory
        self.enabled = enabled

    def collects(self, name: str) -> bool:
        """Whether events named `name` may be collected at all."""
        return self.events is None or collection.is_collected(name, self.events)

    def merged(self, course: Mapping[str, object]) -> dict[str, object]:
        """The settings of a course with the stricter of both in each."""
        level, consent = course.get("level"), course.get("consent")
        if level not in levels.LEVELS:
            level = levels.OUTCOMES  # what is not understood collects the least
        wanted = collection.chosen(dict(course))
        return {
            **course,
            "level": levels.strictest(str(level), self.level),
            "consent": "notice" if consent == "notice" and not self.opt_in else OPT_IN,
            "events": [name for name in wanted if self.collects(name)],
        }

    def to_json(self) -> str:
        """What `parse` reads."""
        said = {
            "level": self.level or "",
            "consent": OPT_IN if self.opt_in else "",
            "events": list(self.events or ()),
            "mandatory": self.mandatory,
        }
        return json.dumps(said if self.enabled else {**said, "enabled": False})

    @property
    def is_set(self) -> bool:
        """Whether it asks for anything."""
        return self.to_json() != Policy().to_json()


def parse(text: str | None) -> Policy:
    """The policy out of its JSON; what cannot be understood collects the least."""
    if not text or not text.strip():
        return Policy()
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        return Policy(level=levels.OUTCOMES, opt_in=True)
    level, consent, events = (said.get(name) for name in ("level", "consent", "events"))
    if level and level not in levels.LEVELS:
        level = levels.OUTCOMES
    names = None
    if isinstance(events, list) and events:
        names = tuple(name for name in events if isinstance(name, str))
    return Policy(
        level=str(level) if level else None,
        opt_in=consent not in (None, "", "notice"),
        events=names,
        mandatory=said.get("mandatory") is True,
        enabled=said.get("enabled") is not False,
    )


def of_environment(env: Mapping[str, str] | None = None) -> Policy:
    """The policy of the Jupyter server that started this kernel."""
    return parse((os.environ if env is None else env).get(VARIABLE))
