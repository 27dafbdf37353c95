"""What the console has the master do, for those who have the token: a path names an order.

Owns which orders there are: stopping the service is none of them. Called by `app`, once the token is checked.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from srvctl.console.http import Answer, RefusedError, json_answer, while_connected
from srvctl.console.sse import STILL_THERE, server_sent
from srvctl.console.upstream import UnreachableError, Upstream
from srvctl.ipc.control import RECYCLE_TARGET, Command, Done, Progress

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping

    from srvctl.console.http import Receive

_OF_WORKER: Final = re.compile(r"/api/workers/([0-9]{1,6})/(restart|stop|kill|dump)", re.ASCII)
_COMMANDS: Final = {
    "restart": Command.RECYCLE,
    "stop": Command.WORKER_STOP,
    "kill": Command.WORKER_KILL,
    "dump": Command.WORKER_DUMP,
}
_MOST_CHANGE: Final = 1000
_QUIET: Final = 15.0  #: seconds after which a client is told that it goes on


@dataclass(frozen=True, slots=True)
class Order:
    """A command of the master's, as a path names it.

    Attributes:
        command: The command.
        target: The worker it is for; empty where the path names none.
    """

    command: Command
    target: str = ""

    def arguments(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what the command is given.

        Args:
            body: Of the request.

        Raises:
            RefusedError: It asks for what there is not.
        """
        match self.command, dict(body):
            case Command.SCALE, {"change": int(number), **rest} | {"count": int(number), **rest} if (
                not rest and not isinstance(number, bool) and abs(number) <= _MOST_CHANGE
            ):
                return dict(body)
            case Command.RECYCLE, {"target": str(target), **rest} if (
                not self.target and not rest and RECYCLE_TARGET.fullmatch(target)
            ):
                return {"target": target}
            case Command.RELOAD, given if not given:
                return {}
            case _, given if self.target and not given:
                return {"target": self.target}
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"{_WANTED.get(self.command, _NOTHING)}.")


_NOTHING: Final = "The body is an empty JSON object, or none"
_WANTED: Final = {
    Command.SCALE: 'The body is {"change": N} or {"count": N}',
    Command.RECYCLE: 'The body is {"target": "all"}, or "slot:N", or "pid:N"',
}
_ORDERS: Final = {
    "/api/reload": Order(Command.RELOAD),
    "/api/scale": Order(Command.SCALE),
    "/api/recycle": Order(Command.RECYCLE),
}


def order_of(path: str) -> Order | None:
    """Return the order that a path names, if it names one."""
    match = _OF_WORKER.fullmatch(path)
    if match is None:
        return _ORDERS.get(path)
    return Order(_COMMANDS[match[2]], f"slot:{int(match[1])}")


def answer_of(done: Done) -> Answer:
    """Return how a command ended."""
    return json_answer(_values(done), HTTPStatus.OK if done.ok else HTTPStatus.CONFLICT)


async def carried_out(
    receive: Receive, upstream: Upstream, command: Command, args: Mapping[str, Any]
) -> Answer:
    """Have a command carried out, and return how it ended; that takes its time, unless the client leaves.

    Raises:
        UnreachableError: The master does not say.
    """
    ended: list[Done] = []

    async def wait_end() -> None:
        ended.extend([reply async for reply in upstream.replies(command, **args) if isinstance(reply, Done)])

    await while_connected(receive, wait_end())
    return answer_of(ended[0]) if ended else Answer(HTTPStatus.NO_CONTENT)  # which nobody waits for


async def progress(upstream: Upstream, command: Command, args: Mapping[str, Any]) -> AsyncGenerator[bytes]:
    """Have a command carried out, and yield events about it: ``progress``, and in the end ``done``."""
    replies = upstream.replies(command, **args)
    try:
        next_one: asyncio.Task[Any] | None = None
        while True:
            next_one = next_one or asyncio.ensure_future(anext(replies))
            await asyncio.wait([next_one], timeout=_QUIET)
            if not next_one.done():
                yield STILL_THERE
                continue
            reply, next_one = next_one.result(), None
            if isinstance(reply, Progress):
                yield server_sent("progress", {"text": reply.text, "data": dict(reply.data)})
            else:
                yield server_sent("done", _values(reply))
                return
    except UnreachableError as error:
        yield server_sent("done", {"ok": False, "message": str(error), "details": "", "data": {}})
    finally:
        if next_one is not None:
            next_one.cancel()
            await asyncio.wait([next_one])
        await replies.aclose()


def _values(done: Done) -> dict[str, Any]:
    return {"ok": done.ok, "message": done.message, "details": done.details, "data": dict(done.data)}
