"""What each command of the control socket asks of the fleet: a request becomes an event.

Pure. Owns what commands are called with, and how long their clients wait. Called by `admin`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.errors import printable
from srvctl.ipc.control import RECYCLE_TARGET, Command, ControlError
from srvctl.supervisor.events import (
    DumpAsked,
    MetricsAsked,
    ProgramAsked,
    RecycleAsked,
    ReloadAsked,
    ScaleAsked,
    StatusAsked,
    StopAsked,
    UpgradeAsked,
    WorkerKillAsked,
    WorkerStopAsked,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from srvctl.ipc.control import Request
    from srvctl.supervisor.events import Event

_MOST_WORKERS: Final = 1000
_MOST_ITEMS: Final = 1_000_000
_MINUTES: Final = 60.0
_VERBS: Final = ("start", "stop", "restart")

#: What each command takes, and the default, whose type is what a value must have.
ARGUMENTS: Final[Mapping[Command, Mapping[str, object]]] = {
    Command.IDENTIFY: {},
    Command.STATUS: {},
    Command.METRICS: {},
    Command.SETTINGS: {},
    Command.RELOAD: {},
    Command.STOP: {"immediately": False},
    Command.UPGRADE: {},
    Command.RECYCLE: {"target": "all"},
    Command.SCALE: {"change": 0, "count": 0},
    Command.WORKER_STOP: {"target": ""},
    Command.WORKER_KILL: {"target": ""},
    Command.WORKER_DUMP: {"target": ""},
    Command.PROGRAM: {"verb": "", "name": ""},
    Command.LOGS: {"lines": 100, "follow": False, "slot": -1},
    Command.EVENTS: {"last": 100, "follow": False},
}
#: Seconds until a client is told that it takes longer, and may ask for something else; None for those that
#: are answered at once, or for as long as the client wants. What was asked goes on in any case.
DEADLINES: Final[Mapping[Command, float | None]] = {
    Command.IDENTIFY: None,
    Command.STATUS: 5.0,
    Command.METRICS: 5.0,
    Command.SETTINGS: None,
    Command.RELOAD: 10 * _MINUTES,
    Command.STOP: 10 * _MINUTES,
    Command.UPGRADE: 10 * _MINUTES,
    Command.RECYCLE: 10 * _MINUTES,
    Command.SCALE: 10 * _MINUTES,
    Command.WORKER_STOP: 10 * _MINUTES,
    Command.WORKER_KILL: 2 * _MINUTES,
    Command.WORKER_DUMP: 30.0,
    Command.PROGRAM: 10 * _MINUTES,
    Command.LOGS: None,
    Command.EVENTS: None,
}
_EVENTS: Final[Mapping[Command, Callable[..., Event]]] = {
    Command.RELOAD: ReloadAsked,
    Command.STOP: StopAsked,
    Command.UPGRADE: UpgradeAsked,
    Command.RECYCLE: RecycleAsked,
    Command.SCALE: ScaleAsked,
    Command.WORKER_STOP: WorkerStopAsked,
    Command.WORKER_KILL: WorkerKillAsked,
    Command.WORKER_DUMP: DumpAsked,
    Command.PROGRAM: ProgramAsked,
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
    args = arguments_of(request)
    match request.command:
        case Command.IDENTIFY | Command.SETTINGS | Command.LOGS | Command.EVENTS:
            return None
        case Command.STATUS:
            return StatusAsked(client)
        case Command.METRICS:
            return MetricsAsked(client)
        case command:
            return _EVENTS[command](by=by, client=client, **args)


def arguments_of(request: Request) -> dict[str, Any]:
    """Return what a request says, completed with what it does not.

    Raises:
        ControlError: It has arguments that the command does not take.
    """
    command, expected = request.command, ARGUMENTS[request.command]
    for name, value in request.args.items():
        if name not in expected:
            raise ControlError(f"{command} takes no argument {printable(name[:80])!r}")
        if type(value) is not type(expected[name]):
            raise ControlError(f"{name} of {command} is not a {type(expected[name]).__name__}")
    args = {**expected, **request.args}
    if "target" in args:
        _check_target(command, str(args["target"]))
    if command is Command.PROGRAM and args["verb"] not in _VERBS:
        raise ControlError(f"the verb of program is one of {', '.join(_VERBS)}")
    for name in ("lines", "last"):
        if name in args and not 0 <= args[name] <= _MOST_ITEMS:
            raise ControlError(f"{name} of {command} is a number from 0 to {_MOST_ITEMS}")
    return _scaled(request) if command is Command.SCALE else args


def _check_target(command: Command, target: str) -> None:
    is_recycle = command is Command.RECYCLE
    if not RECYCLE_TARGET.fullmatch(target) or (target == "all" and not is_recycle):
        raise ControlError(f"the target of {command} is {'all, ' if is_recycle else ''}slot:N or pid:N")


def _scaled(request: Request) -> dict[str, Any]:
    """Return the one of the two that is given."""
    match dict(request.args):
        case {"change": change, **others} if not others:
            if not 0 < abs(change) <= _MOST_WORKERS:
                raise ControlError(
                    f"the change of scale is a number from -{_MOST_WORKERS} to {_MOST_WORKERS}, not 0"
                )
            return {"change": change}
        case {"count": count, **others} if not others:
            if not 0 < count <= _MOST_WORKERS:
                raise ControlError(f"the count of scale is a number from 1 to {_MOST_WORKERS}")
            return {"count": count}
        case _:
            raise ControlError("scale takes a change or a count")
