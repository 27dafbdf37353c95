"""``srvctl worker``: the workers of an instance, and what can be done to one of them."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked
from srvctl.cli.commands.status import show_status
from srvctl.cli.mistakes import no_action
from srvctl.cli.printing import show
from srvctl.cli.status_text import worker_table
from srvctl.cli.targets import target_of
from srvctl.cli.values import shown, workers
from srvctl.errors import ExitCode, UsageError, printable
from srvctl.ipc.control import Command, Done, Request

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from srvctl.cli.instances import Master
    from srvctl.cli.parsing import Parser

_LIST: Final = "list"
#: What is done to one worker, and what the master is asked for it.
_ACTIONS: Final[Mapping[str, Command]] = MappingProxyType(
    {
        "restart": Command.RECYCLE,
        "stop": Command.WORKER_STOP,
        "kill": Command.WORKER_KILL,
        "dump": Command.WORKER_DUMP,
    }
)
_ACTION_HELP: Final = (
    "list prints them (the default); restart replaces one, its successor first; stop drains one, and a new "
    "one follows; kill ends one at once, whatever it is doing; dump prints what each of its threads is doing."
)
_WORKER_HELP: Final = "Which one: its slot or its pid; slot:N and pid:N say which of the two is meant."


def declare(parser: Parser) -> None:
    """Add the flags."""
    add = parser.add_argument
    add("action", metavar="list|restart|stop|kill|dump", nargs="?", default=_LIST, help=_ACTION_HELP)
    add("worker", metavar="SLOT|PID", nargs="?", help=_WORKER_HELP)
    asking.declare_waiting(parser)


def carry_out(values: Namespace) -> ExitCode:
    """List the workers, or have something done to one.

    Raises:
        UsageError: There is no such action, or it is not said to which worker.
    """
    action, word = values.action, values.worker
    if action == _LIST:
        if word is not None:
            raise UsageError(
                f"srvctl worker list lists all of them; {printable(word)} is one argument too many"
            )
        return show_status(Asked.read(values), _table, workers)
    if action not in _ACTIONS:
        raise UsageError(no_action("worker", action, (_LIST, *_ACTIONS)))
    if word is None:
        raise UsageError(
            f"srvctl worker {action}: say which one, by slot or pid; srvctl worker list shows them"
        )
    return _act(Asked.read(values), action, word)


def _act(asked: Asked, action: str, word: str) -> ExitCode:
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        status = asking.end_of(master, Request(Command.STATUS), asked.patience, answer.progress)
        if not status.ok:
            return answer.end(status)
        target = target_of(word, status.data)
        request = Request(_ACTIONS[action], {"target": target})
        if not asked.is_waiting and action != "dump":
            return _only_ask(answer, master, request, f"{action} the worker of {target.replace(':', ' ')}")
        done = asking.end_of(master, request, asked.patience, answer.progress)
        stacks = done.data.get("stacks")
        if asked.is_json or not done.ok or not isinstance(stacks, str):
            return answer.end(done)
        show("\n".join(shown(line) for line in stacks.expandtabs().splitlines()))
        return ExitCode.OK


def _only_ask(answer: Answer, master: Master, request: Request, what: str) -> ExitCode:
    master.connection.tell(request)
    return answer.end(Done(ok=True, message=f"Asked {master} to {what}."))


def _table(status: Mapping[str, Any]) -> str:
    return "\n".join(worker_table(status)) if workers(status) else "no workers"
