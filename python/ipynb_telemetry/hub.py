"""Under JupyterHub: which relay is shown whose server this is.

The server's Hub token proves it, and lets its holder use that server. So it goes to one address
only, which whoever runs the Hub has chosen: never to one that only a notebook names.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

HEADER = "X-Ipynb-Telemetry-Hub-Token"
VARIABLE = "TELEMETRY_HUB_RELAY"

_MIN_CHARS, _MAX_CHARS = 8, 512


def proof(host: str, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Headers for a batch to the relay at `host`: the Hub token where it may have it, else none.

    It may if the environment says so: TELEMETRY_HUB_RELAY is that address; or, without that
    variable, TELEMETRY_HOST is, and it is a service of the Hub (its origin, below /services/).
    """
    token = env.get("JUPYTERHUB_API_TOKEN", "")
    if not (_MIN_CHARS <= len(token) <= _MAX_CHARS and all("!" <= c <= "~" for c in token)):
        return {}
    named = env.get(VARIABLE, "").strip()
    if named:
        trusted = _same(host, named)
    else:
        trusted = _same(host, env.get("TELEMETRY_HOST", "").strip()) and _is_service(host, env)
    return {HEADER: token} if trusted else {}


def _same(one: str, other: str) -> bool:
    return bool(other) and one.rstrip("/") == other.rstrip("/")


def _is_service(host: str, env: Mapping[str, str]) -> bool:
    """Whether an address is below the services of the Hub that started this server."""
    asked = _parts(host)
    hubs = (env.get(name) for name in ("JUPYTERHUB_PUBLIC_HUB_URL", "JUPYTERHUB_HOST"))
    origins = [parts[0] for parts in map(_parts, filter(None, hubs)) if parts]
    services = env.get("JUPYTERHUB_BASE_URL", "/").rstrip("/") + "/services/"
    if asked is None or asked[0] not in origins:
        return False
    path = asked[1]
    return path.startswith(services) and ".." not in path and "%" not in path


def _parts(url: str) -> tuple[tuple[str, str, int | None], str] | None:
    """Origin and path; None for what is no address."""
    from urllib.parse import urlsplit

    try:
        split = urlsplit(url)
        port = split.port or {"http": 80, "https": 443}.get(split.scheme)
    except ValueError:
        return None
    if split.scheme not in ("http", "https") or not split.hostname:
        return None
    return (split.scheme, split.hostname, port), split.path
