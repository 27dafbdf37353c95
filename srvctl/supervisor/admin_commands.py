"""What each command of the control socket asks of the fleet: a request becomes an event.

Pure. Owns the words that commands are called with. Called by `admin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable
from srvctl.ipc.control import RECYCLE_TARGET, Command, ControlError
from srvctl.supervisor.events import (
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    StatusAsked,
    StopAsked,
    UpgradeAsked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.control import Request
    from srvctl.supervisor.events import Event

_LARGEST_CHANGE: Final = 1000

#: What each command takes, and the default, whose type is what a value must have.
ARGUMENTS: Final[Mapping[Command, Mapping[str, object]]] = {
    Command.IDENTIFY: {},
    Command.STATUS: {},
    Command.RELOAD: {},
    Command.STOP: {"immediately": False},
    Command.UPGRADE: {},
    Command.RECYCLE: {"target": "all"},
    Command.SCALE: {"change": 0},
}
_EVENTS: Final[Mapping[Command, Callable[..., Event]]] = {
    Command.RELOAD: ReloadAsked,
    Command.STOP: StopAsked,
    Command.UPGRADE: UpgradeAsked,
    Command.RECYCLE: RecycleAsked,
    Command.SCALE: ScaleAsked,
}


def event_of(request: Request, by: str, client: int) -> Event | None:
    """Return what a request asks of the fleet; None for what the admin answers by itself.

    Args:
        request: What the client sent.
        by: The client, in words.
        client: Its number.

    Raises:
        ControlError: It has arguments that the command does not take.
    """
    args = _checked(request)
    match request.command:
        case Command.IDENTIFY:
            return None
        case Command.STATUS:
            return StatusAsked(client)
        case command:
            return _EVENTS[command](by=by, client=client, **args)


def _checked(request: Request) -> dict[str, Any]:
    command, expected = request.command, ARGUMENTS[request.command]
    for name, value in request.args.items():
        if name not in expected:
            raise ControlError(f"{command} takes no argument {printable(name[:80])!r}")
        if type(value) is not type(expected[name]):
            raise ControlError(f"{name} of {command} is not a {type(expected[name]).__name__}")
    args = {**expected, **request.args}
    if command is Command.RECYCLE and not RECYCLE_TARGET.fullmatch(str(args["target"])):
        raise ControlError("the target of recycle is all, slot:N or pid:N")
    if command is Command.SCALE and not 0 < abs(args["change"]) <= _LARGEST_CHANGE:
        raise ControlError(
            f"the change of scale is a number from -{_LARGEST_CHANGE} to {_LARGEST_CHANGE}, not 0"
        )
    return args
