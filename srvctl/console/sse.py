"""Server-sent events as bytes (WHATWG HTML, 9.2). Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Says nothing, and keeps proxies from taking the connection for dead.
STILL_THERE: Final = b": \n\n"


def server_sent(kind: str, data: Mapping[str, Any]) -> bytes:
    """Return one event, its data as JSON, which has no line breaks of its own.

    Args:
        kind: What listeners wait for.
        data: What they are told.
    """
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), json.dumps(data, separators=(",", ":")).encode())
