"""Every ASGI message in the log, at level trace: what the application was asked and what it said."""

from __future__ import annotations

import itertools
import logging
from typing import TYPE_CHECKING, Any

from srvctl.logs.setup import TRACE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from srvctl.worker.http.cycle import Application
    from srvctl.worker.http.response import Message
    from srvctl.worker.http.scope import Scope

logger = logging.getLogger("srvctl.asgi")


def is_wanted() -> bool:
    """Return whether anyone would see the trace."""
    return logger.isEnabledFor(TRACE)


def traced(application: Application) -> Application:
    """Return the application, wrapped so that its calls, messages and end are logged.

    Bodies are logged by their size: they may be secret, and they may be long.
    """
    numbers = itertools.count(1)

    async def traced_application(
        scope: Scope,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> object:
        call = f"{scope['type']} [{next(numbers)}]"

        async def traced_receive() -> Message:
            message = await receive()
            logger.log(TRACE, "%s Receive %s", call, _without_bodies(message))
            return message

        async def traced_send(message: Message) -> None:
            logger.log(TRACE, "%s Send %s", call, _without_bodies(message))
            await send(message)

        logger.log(TRACE, "%s Started scope=%s", call, _without_bodies(scope))
        try:
            result = await application(scope, traced_receive, traced_send)
        except BaseException as error:
            logger.log(TRACE, "%s Raised %r", call, error)
            raise
        logger.log(TRACE, "%s Completed", call)
        return result

    return traced_application


def _without_bodies(message: dict[str, Any]) -> dict[str, Any]:
    return {key: f"<{len(value)} bytes>" if key == "body" else value for key, value in message.items()}
