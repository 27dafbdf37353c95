"""The console's connections to the master: each carries one request, and there are never many.

Owns the wire that the console inherited. Over it, each new connection is made: one end of a socket pair goes
to the master, which takes it as it takes those of its control socket. Knows the control protocol, not what is
asked for. Called by `watching`, `live` and `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, Any, Final

from srvctl.ipc.control import (
    MAX_REPLY,
    Command,
    ControlError,
    Done,
    Progress,
    Request,
    decode_reply,
    encode_request,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from srvctl.ipc.control import Reply

#: What goes over the wire beside the descriptor, which a byte must carry (unix(7)).
NEW_CONNECTION: Final = b"+"
#: Connections at a time: so few that those of the control socket find room in the master.
_MOST: Final = 16
#: Asked once for all who want to know, so there is always room for them.
_SHARED: Final = frozenset({Command.METRICS, Command.EVENTS})


class UnreachableError(Exception):
    """The master does not answer, or not in time; the text is a full sentence."""


class Upstream:
    """Asks the master.

    Args:
        wire: The inherited socket.
    """

    def __init__(self, wire: socket.socket) -> None:
        wire.setblocking(False)
        self._wire = wire
        self._open = 0

    async def ask(self, command: Command, *, patience: float, **args: Any) -> Done:
        """Return how a command ended.

        Args:
            command: The command.
            patience: Seconds for all of it.
            args: What the command takes.

        Raises:
            UnreachableError: There is no answer.
        """
        try:
            async with (
                asyncio.timeout(patience),
                contextlib.aclosing(self.replies(command, **args)) as replies,
            ):
                async for reply in replies:
                    if isinstance(reply, Done):
                        return reply
        except TimeoutError:
            pass
        raise _late(patience)

    async def collect(self, command: Command, *, patience: float, **args: Any) -> list[Mapping[str, Any]]:
        """Return what a command tells piece by piece, such as lines of the log; arguments as for `ask`.

        Raises:
            UnreachableError: There is no answer.
        """
        try:
            async with (
                asyncio.timeout(patience),
                contextlib.aclosing(self.replies(command, **args)) as replies,
            ):
                return [reply.data async for reply in replies if isinstance(reply, Progress)]
        except TimeoutError:
            raise _late(patience) from None

    async def replies(self, command: Command, **args: Any) -> AsyncGenerator[Reply]:
        """Yield what the master says about a command, up to its end; the command goes on if nobody listens.

        Raises:
            UnreachableError: The master is gone, or there are too many connections already.
        """
        if self._open >= _MOST and command not in _SHARED:
            raise UnreachableError(f"The console has {_MOST} questions open already; try again later.")
        self._open += 1
        try:
            reader, writer = await self._connect()
            try:
                writer.write(encode_request(Request(command, args)))
                while True:
                    reply = decode_reply(await reader.readuntil(b"\n"))
                    yield reply
                    if isinstance(reply, Done):
                        return
            except (OSError, EOFError, asyncio.LimitOverrunError, ControlError) as error:
                raise UnreachableError(f"The master ended the connection: {error}.") from error
            finally:
                writer.close()
        finally:
            self._open -= 1

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        own, other = socket.socketpair()
        try:
            with other:
                socket.send_fds(self._wire, [NEW_CONNECTION], [other.fileno()])
            return await asyncio.open_unix_connection(sock=own, limit=MAX_REPLY + 1)
        except OSError as error:  # the wire is full: the master has not looked at it for a long time
            own.close()
            raise UnreachableError("The master takes no connections: it is stopped or blocked.") from error


def _late(patience: float) -> UnreachableError:
    return UnreachableError(f"The master does not answer within {patience:g} s: it is stopped or blocked.")
