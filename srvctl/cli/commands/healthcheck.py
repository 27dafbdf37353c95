"""``srvctl healthcheck``: for ``HEALTHCHECK`` of Docker, and the exec probes of Kubernetes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import asking
from srvctl.cli.amounts import positive
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked
from srvctl.cli.printing import show
from srvctl.cli.status_text import ready
from srvctl.cli.values import shown
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Done, Request, refusal

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from srvctl.cli.parsing import Parser

_RUNNING: Final = "running"


def declare(parser: Parser) -> None:
    """Add the flags."""
    text = "So many workers must be ready. Default: 1."
    parser.add_argument("--quorum", metavar="N", type=positive, default=1, help=text)
    asking.declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Tell by the exit code whether an instance serves: 0, or 5, or 4 if it is not there at all."""
    asked = Asked.read(values)
    with Answer(is_json=asked.is_json) as answer, asking.met(asked.wanted) as master:
        status = asking.end_of(master, Request(Command.STATUS), asked.patience, answer.progress)
        done = verdict(status.data, values.quorum) if status.ok else status
        if done.ok and not asked.is_json:
            show(done.message)  # without the time it took, which is for what is waited for
            return ExitCode.OK
        return answer.end(done)


def verdict(status: Mapping[str, Any], quorum: int) -> Done:
    """Return whether an instance of this status is well.

    Args:
        status: The instance's.
        quorum: How many workers must be ready.
    """
    state, there = shown(status.get("state", "?")), ready(status)
    text = f"{shown(status.get('name', '?'))} is {state}; ready workers: {there}, needed: {quorum}"
    figures = {"state": state, "ready": there, "quorum": quorum}
    if state == _RUNNING and there >= quorum:
        return Done(ok=True, message=text, data=figures)
    return refusal(text, **figures)
