"""What the commands for an instance have in common: the flags that say which, and the wait for an answer.

Which instance is meant is found by `srvctl.cli.instances`, what came of it is printed by `srvctl.cli.answer`.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.cli.answer import Answer
from srvctl.cli.instances import Wanted, find
from srvctl.errors import ExitCode, UsageError
from srvctl.ipc.control import Command, Done, Progress, Reason, Request
from srvctl.ipc.control_client import NotInTimeError
from srvctl.settings.units import parse_duration

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Mapping

    from srvctl.cli.instances import Master
    from srvctl.cli.parsing import Parser

#: For what ends by itself: the master has a deadline for every step.
TO_FINISH: Final = "10m"
TO_TELL: Final = "10s"


@dataclass(frozen=True, slots=True)
class Asked:
    """What every user of these commands says.

    Attributes:
        wanted: Which instance is meant.
        patience: Seconds to wait for the end.
        is_json: Print for a program.
        is_waiting: Wait for the end.
    """

    wanted: Wanted
    patience: float
    is_json: bool = False
    is_waiting: bool = True

    @classmethod
    def read(cls, values: Namespace) -> Self:
        """Return what the flags of `declare_instance` and `declare_waiting` say.

        Raises:
            UsageError: A duration is none.
        """
        try:
            patience = parse_duration(values.timeout)
        except ValueError as error:
            raise UsageError(f"--timeout {values.timeout!r} {error}") from None
        return cls(
            Wanted(values.control_socket, values.name, values.config),
            patience,
            is_json=values.json,
            is_waiting=not getattr(values, "no_wait", False),
        )


def declare_instance(parser: Parser, patience: str = TO_TELL) -> None:
    """Add the flags that say which instance is meant, how the answer is printed, and how long to wait."""
    add = parser.add_argument
    add(
        "-c", "--config", metavar="FILE", type=Path, help="The instance that runs with this file of settings."
    )
    add("--name", metavar="NAME", help="The instance of this name.")
    add("--control-socket", metavar="PATH", type=Path, help="The instance behind this socket.")
    add("--json", action="store_true", help="Print an object.")
    text = f"Wait no longer than this; the instance goes on. Default: {patience}."
    add("--timeout", metavar="DURATION", default=patience, help=text)


def declare_waiting(parser: Parser) -> None:
    """Add, for what changes something, the flags of `declare_instance` and that for not waiting."""
    declare_instance(parser, TO_FINISH)
    parser.add_argument("--no-wait", action="store_true", help="Only ask; do not wait for the end.")


def carry_out(asked: Asked, request: Request) -> ExitCode:
    """Ask for something, wait for the end if that is wanted, and print what came of it."""
    with Answer(is_json=asked.is_json) as answer, met(asked.wanted) as master:
        if asked.is_waiting:
            return answer.end(end_of(master, request, asked.patience, answer.progress))
        master.connection.tell(request)
        return answer.asked(master, request.command)


def end_of(
    master: Master, request: Request, patience: float, progress: Callable[[str, Mapping[str, Any]], None]
) -> Done:
    """Ask, and return the end.

    Raises:
        NotInTimeError: There is none in so many seconds.
        NotReachableError: The other side is no master.
    """
    for reply in master.connection.replies(request, patience):
        if isinstance(reply, Progress):
            progress(reply.text, reply.data)
        else:
            return reply
    if request.command is Command.STOP:
        return Done(ok=True)  # it was quicker than its answer
    return Done(
        ok=False,
        code=ExitCode.REFUSED,
        message=f"{master} ended the connection before it answered; `srvctl status` tells whether it lives",
        data={"reason": Reason.ENDED},
    )


@contextmanager
def met(wanted: Wanted) -> Iterator[Master]:
    """Find the instance that is meant, and have a connection to it.

    Raises:
        NotReachableError: It is not there, or does not answer.
        NotServedError: It is another user's, or another version.
        NotInTimeError: The user has interrupted what was asked.
        UsageError: It is not plain which one is meant.
    """
    try:
        master = find(wanted, os.environ)
        with master.connection:
            yield master
    except KeyboardInterrupt:
        raise NotInTimeError("interrupted; what was asked before goes on", Reason.INTERRUPTED) from None
