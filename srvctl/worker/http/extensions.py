"""The ASGI extensions: which of them a worker offers, and which of those one request can use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.broadcast.extension import BroadcastExtension

if TYPE_CHECKING:
    from srvctl.worker.http.protocol import RequestHead

#: By name, what each says about itself, as ``scope["extensions"]`` has it.
Extensions = dict[str, dict[str, Any]]

EARLY_HINT: Final = "http.response.early_hint"
TRAILERS: Final = "http.response.trailers"
PATHSEND: Final = "http.response.pathsend"
ZEROCOPYSEND: Final = "http.response.zerocopysend"
DEBUG: Final = "http.response.debug"
TLS: Final = "tls"
BROADCAST: Final = "srvctl.broadcast"  #: our own, for applications that must run without srvctl as well
DENIAL: Final = "websocket.http.response"  #: of WebSockets only


def offered(*, early_hints: bool, debug: bool) -> Extensions:
    """Return what a worker offers.

    Args:
        early_hints: Applications may send interim responses.
        debug: Somebody would see what they send for debugging.
    """
    is_offered = {EARLY_HINT: early_hints, TRAILERS: True, PATHSEND: True, ZEROCOPYSEND: True, DEBUG: debug}
    available: Extensions = {name: {} for name, is_wanted in is_offered.items() if is_wanted}
    return available | {BROADCAST: BroadcastExtension()}


def usable(available: Extensions, head: RequestHead) -> Extensions:
    """Return those of them that a request can use.

    HTTP/1.0 knows no interim responses and no chunks, and trailers are for clients that ask for them.
    """
    extensions = available.copy()
    if head.version == "1.0":
        extensions.pop(EARLY_HINT, None)
    if head.version == "1.0" or not head.takes_trailers:
        extensions.pop(TRAILERS, None)
    return extensions
