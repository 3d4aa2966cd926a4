"""One HTTP request by the standard library, which another thread can break off."""

from __future__ import annotations

from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    import http.client
    import socket
    import urllib.request

_MAX_ANSWER = 4_000_000


class Line:
    """One request under way, which another thread can break off."""

    def __init__(self) -> None:
        self.aborted = False
        self._socket: socket.socket | None = None

    def abort(self) -> None:
        """Break it off; what has left cannot be called back. Never raises."""
        self.aborted = True
        found = self._socket
        if found is not None:
            import socket

            try:
                # Beneath TLS, whose own shutdown would wait for the other side.
                socket.socket.shutdown(found, socket.SHUT_RDWR)
            except OSError:
                pass  # it has ended

    def connected(self, found: socket.socket) -> None:
        """The request goes over this socket; ConnectionAbortedError if it shall not."""
        self._socket = found
        if self.aborted:
            raise ConnectionAbortedError("broken off")


def request(
    url: str,
    headers: dict[str, str],
    timeout: float,
    body: bytes | None = None,
    line: Line | None = None,
) -> tuple[int | None, bytes, float | None, str]:
    """Status (None: no answer), body, Retry-After in seconds, and what went wrong."""
    try:
        import urllib.error
        import urllib.request

        class Stay(urllib.request.HTTPRedirectHandler):
            """A key must not follow to wherever an address points."""

            def redirect_request(self, *_: object, **__: object) -> None:
                return None

        handlers: list[urllib.request.BaseHandler] = [Stay(), *(_tapped(line) if line else ())]
        asked = urllib.request.Request(
            url, data=body, headers={"User-Agent": f"ipynb-telemetry/{__version__}", **headers}
        )
        if _is_loopback(asked.host):
            handlers.append(urllib.request.ProxyHandler({}))  # no proxy can reach it
        opener = urllib.request.build_opener(*handlers)
        try:
            with opener.open(asked, timeout=timeout) as response:
                return response.status, response.read(_MAX_ANSWER), None, ""
        except urllib.error.HTTPError as error:
            with error:
                answer = error.read(_MAX_ANSWER)
                return error.code, answer, _seconds(error.headers.get("Retry-After")), ""
    except Exception as error:
        reason = getattr(error, "reason", None) or error
        text = str(reason) or type(reason).__name__
        return None, b"", None, f"cannot reach {url.split('/', 3)[2]}: {text}"


def _tapped(line: Line) -> list[urllib.request.BaseHandler]:
    """Handlers like urllib's own, but `line` gets to know the socket."""
    import http.client
    import urllib.request

    class Plain(http.client.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            line.connected(self.sock)

    handlers: list[urllib.request.BaseHandler] = []

    class PlainHandler(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(Plain, req)

    handlers.append(PlainHandler())
    if hasattr(http.client, "HTTPSConnection"):

        class Secure(http.client.HTTPSConnection):
            def connect(self) -> None:
                super().connect()
                line.connected(self.sock)

        class SecureHandler(urllib.request.HTTPSHandler):
            def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
                return self.do_open(Secure, req, context=self._context)  # type: ignore[attr-defined]

        handlers.append(SecureHandler())
    return handlers


def _is_loopback(host: str) -> bool:
    name = host.rsplit(":", 1)[0].strip("[]")
    return name == "localhost" or name.startswith("127.") or name == "::1"


def _seconds(retry_after: str | None) -> float | None:
    try:
        return max(0.0, float(retry_after)) if retry_after else None
    except ValueError:
        return None  # a date: our own back-off serves as well
