"""What a session says of the kernel around it."""

from __future__ import annotations

import sys


def kernel_name(shell: object | None, kernel: object | None) -> str:
    """Kernel and version, ``ipykernel 7.4.0``; in plain Python the implementation's name."""
    name = "ipykernel" if kernel is not None else "IPython"
    version = getattr(sys.modules.get(name), "__version__", None)
    if shell is None or version is None:
        return sys.implementation.name
    return f"{name.lower()} {version}"


def language() -> str:
    """Language and version, ``python 3.11.7``."""
    return "python " + ".".join(map(str, sys.version_info[:3]))


def why_it_ends(kernel: object | None) -> str:
    """`restarted` or `shutdown` where a client asked for that, else `exit`."""
    asked = getattr(kernel, "_shutdown_message", None)
    content = asked.get("content") if isinstance(asked, dict) else None
    if not isinstance(content, dict):
        return "exit"
    return "restarted" if content.get("restart") else "shutdown"


def greet(mime: str, hello: dict[str, object], text: str, nonce: str) -> bool:
    """Display the hello that a page adopts; `text` is what a student sees. Whether it worked."""
    try:
        from IPython.display import publish_display_data

        publish_display_data(
            {mime: hello, "text/plain": text},
            transient={"ipynb_telemetry_nonce": nonce},  # arrives, but is not saved
        )
    except Exception:
        return False
    return True
