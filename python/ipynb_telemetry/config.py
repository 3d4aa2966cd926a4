"""Where to send and as whom: arguments win over the environment. Nothing here raises."""

from __future__ import annotations

import os
from collections.abc import Mapping

from .events import label
from .levels import LEVELS, OUTCOMES, strictest
from .policy import VARIABLE, Policy, parse

POSTHOG_HOST = "https://us.i.posthog.com"
# What a relay's keys begin with; any other key is a PostHog project's.
COURSE_KEY = "nbt_"

NO_KEY = (
    "no key, so nothing is sent. Set TELEMETRY_API_KEY (and TELEMETRY_HOST), or call "
    "setup_telemetry(..., host=..., api_key=...)."
)
SWITCHED_OFF = "the administrator of this Jupyter server has switched it off; nothing is sent."

_ANSWERS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


class Config:
    """Complete configuration. `trouble` says in one line why nothing can be sent, else None."""

    __slots__ = (
        "answer",
        "api_key",
        "hold_seconds",
        "host",
        "hub_user",
        "level",
        "named_by_caller",
        "page",
        "policy",
        "remark",
        "student_name",
        "trouble",
    )

    def __init__(self) -> None:
        self.host: str = POSTHOG_HOST
        self.api_key: str = ""
        self.hub_user: str | None = None  # an id, as it is
        self.student_name: str | None = None
        self.named_by_caller = False
        self.level: str | None = None
        self.answer: bool | None = None  # the environment's to a course that asks
        self.page = False  # whether a page gives notice and asks
        self.policy = Policy()
        self.hold_seconds = 20.0
        self.trouble: str | None = None
        self.remark: str | None = None  # something else that the teacher should know

    @property
    def direct(self) -> bool:
        """Whether events go to PostHog, where no course has settings."""
        return not self.api_key.startswith(COURSE_KEY)

    @property
    def most(self) -> str | None:
        """The most that may be sent, as far as it is known here; None: the course decides."""
        level = self.level or (OUTCOMES if self.direct else None)
        return strictest(level, self.policy.level) if level or self.policy.level else None


def resolve(
    host: str | None = None,
    api_key: str | None = None,
    student_name: str | None = None,
    level: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> Config:
    """Arguments, else TELEMETRY_* variables, else defaults.

    Host is a relay's or PostHog's address; with only a key it is PostHog US.
    TELEMETRY_HOLD_SECONDS (how long a page has to confirm an event) is there for tests.
    """
    config = Config()
    host, api_key, student_name = (_as_text(given) for given in (host, api_key, student_name))
    config.host = (host or env.get("TELEMETRY_HOST") or POSTHOG_HOST).strip().rstrip("/")
    config.api_key = (api_key or env.get("TELEMETRY_API_KEY") or "").strip()
    given = (student_name or "").strip()
    config.student_name = given or env.get("TELEMETRY_STUDENT_NAME", "").strip() or None
    config.named_by_caller = bool(given)
    config.hub_user = label(env.get("JUPYTERHUB_USER", "").strip()) or None
    config.answer = _ANSWERS.get(env.get("TELEMETRY_CONSENT", "").strip().lower())
    config.page = env.get("TELEMETRY_PAGE", "").strip() == "1"
    config.policy = parse(env.get(VARIABLE))
    config.level = level or env.get("TELEMETRY_LEVEL") or None
    if not config.policy.enabled:
        config.trouble = SWITCHED_OFF
    elif not config.api_key:
        config.trouble = NO_KEY
    else:
        config.trouble = host_trouble(config.host) or key_trouble(config.api_key)
    if config.level is not None and config.level not in LEVELS:
        allowed = ", ".join(LEVELS)
        config.remark = f"level is {config.level!r}, expected one of {allowed}; using outcomes."
        config.level = OUTCOMES
    try:
        config.hold_seconds = float(env.get("TELEMETRY_HOLD_SECONDS") or 20.0)
    except ValueError:
        pass  # tests only
    return config


def shown(host: str) -> str:
    """An address for people to read, without what may be a password."""
    scheme, mark, rest = host.rpartition("://")
    return scheme + mark + rest.rsplit("@", 1)[-1].split("?", 1)[0]


def host_trouble(host: str) -> str | None:
    """What is wrong with an address, in one line; None if nothing is."""
    expected = "expected an address like https://telemetry.example.org"
    from urllib.parse import urlsplit

    scheme, mark, rest = host.partition("://")
    if not mark or scheme.lower() not in ("http", "https") or not rest or " " in rest:
        return f"host is {shown(host)!r}, {expected}; nothing is sent."
    if "@" in rest.split("/", 1)[0]:
        return f"host must not contain a user or a password, {expected}; nothing is sent."
    try:
        _port = urlsplit(host).port  # raises where it cannot be one
    except ValueError:
        return f"host is {host!r}, {expected}; nothing is sent."
    if "?" in rest or "#" in rest:
        return f"host must not have a query, {expected}; nothing is sent."
    return None


def key_trouble(key: str) -> str | None:
    """What is wrong with a key, in one line that does not show it; None if nothing is."""
    if key.isascii() and key.isprintable() and " " not in key:
        return None
    return "the key has characters that no key has (was it copied whole?); nothing is sent."


def _as_text(given: object) -> str | None:
    return given if given is None or isinstance(given, str) else str(given)
