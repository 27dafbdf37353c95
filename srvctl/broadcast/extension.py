"""What ``scope["extensions"]["srvctl.broadcast"]`` holds, for applications that also run without srvctl."""

from __future__ import annotations

from typing import Any, Final

from srvctl.broadcast import publish, subscribe

_FUNCTIONS: Final[dict[str, Any]] = {"publish": publish, "subscribe": subscribe}


class BroadcastExtension(dict[str, Any]):
    """Gives ``publish`` and ``subscribe`` to whoever asks for them by name, and shows them to nobody else.

    Everything else in a scope can be written as JSON, and middlewares for logs and debugging do so; functions
    cannot be. So it is empty to look at.
    """

    def __missing__(self, name: str) -> Any:
        return _FUNCTIONS[name]
