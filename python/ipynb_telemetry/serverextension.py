"""Jupyter server extension: its configuration, its routes, and what it tells kernels."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from typing import Any

from jupyter_server.utils import url_path_join
from traitlets import Bool, Enum, List, TraitError, Unicode
from traitlets.config import Configurable

from . import policy
from .collection import SELECTABLE_EVENTS
from .config import host_trouble, key_trouble, resolve
from .handlers import BatchHandler, ConsentHandler, CourseHandler, MeHandler
from .levels import LEVELS
from .upstream import Upstream

_NOT_CONFIGURED = (
    "No relay is configured. Set TELEMETRY_API_KEY and TELEMETRY_HOST where the Jupyter server "
    "starts, or IpynbTelemetry.api_key and IpynbTelemetry.host in jupyter_server_config."
)
_SWITCHED_OFF = "The administrator of this Jupyter server has switched telemetry off."

_ROUTES = {
    "batch": BatchHandler,
    "course": CourseHandler,
    "consent": ConsentHandler,
    "me": MeHandler,
}


class IpynbTelemetry(Configurable):
    """Where the page's events go; what is empty comes from TELEMETRY_HOST, TELEMETRY_API_KEY.

    All others are a policy for every course, page and kernel of this server, above what a
    course or a student chooses.
    """

    host = Unicode("", config=True, help="Address of the relay, or of PostHog.")
    api_key = Unicode("", config=True, help="Course key. It never reaches a browser or a log.")
    max_level = Enum(
        ["", *LEVELS],
        "",
        config=True,
        help="The most that may be sent: outcomes, code or full; empty: what the course says.",
    )
    consent = Enum(
        ["", policy.OPT_IN],
        "",
        config=True,
        help="opt-in: students are asked before anything is sent, in courses that only give "
        "notice too; empty: what the course says.",
    )
    events = List(
        Enum(list(SELECTABLE_EVENTS)),
        config=True,
        help="The only events that may be sent, consent and a notebook's own events apart; "
        "empty: those that the course collects.",
    )
    mandatory = Bool(
        False,
        config=True,
        help="In courses that only give notice, students can neither decline nor pause.",
    )
    record = Enum(
        ["marked", "all"],
        "marked",
        config=True,
        help="Which notebooks: marked (a setup cell, or ipynb_telemetry metadata), or all.",
    )
    enabled = Bool(True, config=True, help="False: nothing is asked, kept or sent.")


def _load_jupyter_server_extension(serverapp: Any) -> None:
    """Add the routes under the server's base URL."""
    traits, wrong = _configured(serverapp.config)
    settings = resolve(traits.host, traits.api_key, env=os.environ)
    rules = policy_of(traits)
    if not rules.is_set:
        rules = settings.policy  # the operator's, by the environment
    if wrong is not None:
        trouble: str | None = wrong
    elif not rules.enabled:
        trouble = _SWITCHED_OFF
    elif not settings.api_key:
        trouble = _NOT_CONFIGURED
    else:
        about = host_trouble(settings.host) or key_trouble(settings.api_key)
        trouble = f"IpynbTelemetry: {about}" if about else None
    upstream = Upstream(
        settings.host,
        settings.api_key,
        trouble=trouble,
        policy=rules,
        hub_user=settings.hub_user,
    )
    tell_kernels(rules, os.environ, page=trouble is None)
    base = serverapp.web_app.settings["base_url"]
    shared = {"upstream": upstream, "record": traits.record}
    serverapp.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(base, "ipynb-telemetry", path), kind, shared)
            for path, kind in _ROUTES.items()
        ],
    )
    if wrong is not None:
        serverapp.log.error("ipynb_telemetry: %s", wrong)
    else:
        serverapp.log.info("ipynb_telemetry: %s", trouble or f"events go to {settings.host}")


def policy_of(traits: IpynbTelemetry) -> policy.Policy:
    """The administrator's rules."""
    return policy.Policy(
        level=traits.max_level or None,
        opt_in=traits.consent == policy.OPT_IN,
        events=tuple(traits.events) or None,
        mandatory=traits.mandatory,
        enabled=traits.enabled,
    )


def tell_kernels(rules: policy.Policy, env: MutableMapping[str, str], *, page: bool) -> None:
    """Set what kernels inherit, where the operator has not set it.

    `page`: pages of this server give notice and ask, so that kernels need not.
    """
    if page:
        env.setdefault("TELEMETRY_PAGE", "1")
    if rules.is_set:
        env.setdefault(policy.VARIABLE, rules.to_json())


def _configured(config: Any) -> tuple[IpynbTelemetry, str | None]:
    """The configuration; where it is wrong, one that sends nothing, and what is wrong."""
    try:
        return IpynbTelemetry(config=config), None
    except TraitError as error:
        # A policy that is not understood must not let more pass than was meant.
        said = "api_key is not a text." if "api_key" in str(error) else str(error)
        return IpynbTelemetry(enabled=False), f"nothing is sent until this is mended: {said}"
