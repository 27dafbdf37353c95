"""What servers are known to get wrong about WebSockets; the numbers go on from those of HTTP."""

from __future__ import annotations

from typing import Final

from tests.conformance.rules import noting_in

RULES: Final = {
    17: "send() after the client left raises OSError",
    37: "a frame in the packet of the handshake is delivered",
    38: "the headers of accept are sent",
    39: "a WebSocket that is not accepted is answered 403, or as the application says",
    40: "returning before accept is answered 500",
    41: "disconnect has the client's code and reason",
    42: "disconnect has 1005 where there was no code, and 1006 where the connection was lost",
    43: "disconnect has the application's own code after it closed",
    44: "a violation is answered with a close frame that names it",
    45: "a version other than 13 is answered 426 with the one that is spoken",
    46: "only GET opens a WebSocket",
    47: "the subprotocol is one that was offered",
}
covered: Final[dict[int, list[str]]] = {}  #: the names of the tests, by rule
rule: Final = noting_in(covered)
