"""What uvicorn can be told and srvctl cannot do: each is refused with a line that says what to do instead.

Accepting it in silence would be worse: whoever asked for it would believe to have it. The guide for those
who come from uvicorn says the same. Pure.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Settings of which uvicorn also takes a class of the user's, as module:attribute.
CLASSES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "http.codec": "names a class, and srvctl reads requests by itself; write auto, or leave it out",
        "ws.protocol": "names a class, and srvctl speaks WebSocket by itself; write auto, or leave it out",
    }
)
