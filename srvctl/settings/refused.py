"""What uvicorn can be told and srvctl cannot do: each is refused with a line that says what to do instead.

Accepting it in silence would be worse: whoever asked for it would believe to have it. The guide for those
who come from uvicorn names the same flags. Pure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from srvctl.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Why there is none, and what to do.
HTTP2: Final = (
    "srvctl does not speak HTTP/2; have the proxy in front of it speak HTTP/2 with clients, or leave it out"
)

#: Flags of uvicorn's that srvctl does not have, with what there is to say about each.
FLAGS: Final[Mapping[str, str]] = MappingProxyType({"--http2": HTTP2})
#: The variables of such flags; uvicorn's switches are off with a word for no.
VARIABLES: Final[Mapping[str, str]] = MappingProxyType({"UVICORN_HTTP2": HTTP2})
#: Settings of which uvicorn also takes a class of the user's, as module:attribute.
CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "http.codec": "names a class, and srvctl reads requests by itself; write auto, or leave it out",
        "ws.protocol": "names a class, and srvctl speaks WebSocket by itself; write auto, or leave it out",
    }
)

_NO: Final = frozenset({"", "0", "false", "f", "no", "n", "off"})


def check_refused(environ: Mapping[str, str]) -> None:
    """Refuse a variable of uvicorn's that asks for what srvctl cannot do.

    Raises:
        ConfigError: There is one.
    """
    for name, why in VARIABLES.items():
        if environ.get(name, "").strip().lower() not in _NO:
            raise ConfigError(f"{name}: {why}")
