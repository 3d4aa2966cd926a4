"""JupyterHub with the telemetry relay as one of its services. docs/jupyterhub.md says more.

Put this into your jupyterhub_config.py, or load it from there:

    load_subconfig("/etc/jupyterhub/telemetry_config.py")
"""

import os
from pathlib import Path

# Where students' servers reach the Hub's proxy. On a cluster: the proxy's address in there.
HUB = os.environ.get("TELEMETRY_HUB", "http://127.0.0.1:8000")
# Data folder of the relay, and a free port of this machine for it.
DATA = Path(os.environ.get("TELEMETRY_DATA", "/srv/ipynb-telemetry"))
PORT = os.environ.get("TELEMETRY_PORT", "10101")
# What `ipynb-telemetry course add python-101 --key-file …` wrote.
KEY_FILE = DATA / "python-101.key"

c = get_config()  # noqa: F821

# The relay. The Hub starts it, and tells it prefix, port and its own token.
c.JupyterHub.services = [
    {
        "name": "telemetry",
        "url": f"http://127.0.0.1:{PORT}",
        "command": ["ipynb-telemetry", "relay", "--data", str(DATA)],
        # Nobody is asked whether they trust a page that the Hub itself runs.
        "oauth_no_confirm": True,
        # The address that browsers see; with https the login cookie is sent over https alone.
        # "environment": {"IPYNB_TELEMETRY_PUBLIC_URL": "https://hub.example.org/services/telemetry"},
    }
]

# Who teaches. `course set python-101 --hub-instructors python-101-instructors
# --hub-assistants python-101-assistants` says what these groups may see.
c.JupyterHub.load_groups = {
    "python-101-instructors": ["ada"],
    "python-101-assistants": ["grace"],
}
# Who may open the relay's page at all. The others are turned away by the Hub.
c.JupyterHub.load_roles = [
    {
        "name": "telemetry-page",
        "scopes": ["access:services!service=telemetry"],
        "groups": ["python-101-instructors", "python-101-assistants"],
    }
]

# Students' servers: where events go, and the one relay that is shown whose server it is.
RELAY = f"{HUB}/services/telemetry"
c.Spawner.environment = {
    "TELEMETRY_HOST": RELAY,
    "TELEMETRY_HUB_RELAY": RELAY,
    "TELEMETRY_API_KEY": KEY_FILE.read_text().strip(),
}
