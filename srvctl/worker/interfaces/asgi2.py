"""ASGI 2 applications, which are called twice: with the scope, and then with what is sent and received.

Called as any application; knows nothing of servers. Spec: ASGI 2.0, "Applications".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.worker.http.response import Message
    from srvctl.worker.http.scope import Scope


class Asgi2:
    """Makes a single callable of a double one.

    Args:
        application: Takes the scope, and returns what takes ``receive`` and ``send``.
    """

    def __init__(self, application: Callable[[Scope], Any]) -> None:
        self._application = application

    async def __call__(
        self,
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> object:
        """Call it for one scope, whatever kind that is."""
        scope["asgi"]["version"] = "2.0"  # of this scope alone: each has a dictionary of its own
        instance = self._application(scope)
        result: object = await instance(receive, send)
        return result
