"""What the headers of a trusted proxy say about one request, and how the scope takes it in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote_to_bytes

from srvctl.worker.proxy.claims import split_host

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import Headers
    from srvctl.worker.http.scope import Scope

_WEBSOCKET: Final = {"http": "ws", "https": "wss"}
_DEFAULT_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class View(NamedTuple):
    """What is believed; None or empty where nothing is said.

    Attributes:
        client: Host and port of the client; the port is 0 when it is not known.
        scheme: ``http`` or ``https``.
        host: Replaces the field Host.
        port: The port the client connected to.
        prefix: The path the proxy removed, as it was written, without a slash at its end.
    """

    client: tuple[str, int] | None = None
    scheme: str | None = None
    host: bytes | None = None
    port: int | None = None
    prefix: bytes | None = None


class Style(Protocol):
    """One family of forwarding fields.

    Attributes:
        names: Of the fields that are read, in lower case.
    """

    @property
    def names(self) -> frozenset[bytes]:
        """The fields that are read, in lower case."""

    def read(self, found: Headers, steps: list[str] | None = None) -> View:
        """Return what a trusted peer says.

        Args:
            found: Its fields, of these names only, in the order in which they came; at least one.
            steps: Takes the reasons, in words.
        """


def apply(view: View, scope: Scope) -> None:
    """Make the scope of a request what it was for the client.

    Args:
        view: What is believed.
        scope: Changed in place; its headers are not, another list replaces them where Host changes.
    """
    client, scheme, host, port, prefix = view
    if client is not None:
        scope["client"] = client
    if scheme is not None:
        scope["scheme"] = scheme if scope["type"] == "http" else _WEBSOCKET[scheme]
    if host is not None or port is not None:
        _take_address(host, port, scope)
    if prefix:
        path = unquote_to_bytes(prefix).decode()
        # ASGI: path and raw_path begin with root_path. The proxy removed the prefix, so all three get it.
        scope["root_path"] = path + scope["root_path"]
        scope["path"] = path + scope["path"]
        scope["raw_path"] = prefix + scope["raw_path"]


def _take_address(host: bytes | None, port: int | None, scope: Scope) -> None:
    """Replace what the request calls the server: Host and ``server`` agree afterwards.

    Frameworks make URLs of Host, but some take the port from ``server``.
    """
    headers: Headers = scope["headers"]
    if host is None:
        host = next((value for name, value in headers if name == b"host"), b"")
    name, own_port = split_host(host)
    if not name:  # HTTP/1.0 needs no Host; then the port is all that is known
        if scope["server"] is not None and scope["server"][1] is not None:
            scope["server"] = (scope["server"][0], port)
        return
    default = _DEFAULT_PORTS[scope["scheme"]]
    if port is not None:
        host = name if port == default else b"%b:%d" % (name, port)
    elif own_port:
        port = int(own_port)
    scope["headers"] = [(b"host", host), *(field for field in headers if field[0] != b"host")]
    scope["server"] = (name.decode("latin-1").strip("[]"), default if port is None else port)
