"""``srvctl events``: what has happened to an instance, and what happens."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli import following
from srvctl.cli.amounts import natural
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked, declare_instance
from srvctl.cli.event_text import as_text
from srvctl.cli.printing import show
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Request

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Mapping

    from srvctl.cli.parsing import Parser

_LAST: Final = 20


def declare(parser: Parser) -> None:
    """Add the flags."""
    add = parser.add_argument
    text = "Go on with those that happen, until Ctrl-C; also over a restart of the instance."
    add("-f", "--follow", action="store_true", help=text)
    text = f"Begin with so many of those that have happened. Default: {_LAST}."
    add("-n", metavar="N", dest="last", type=natural, default=_LAST, help=text)
    declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Print events, the oldest first; as JSON, one object a line."""
    asked = Asked.read(values)
    request = Request(Command.EVENTS, {"last": values.last, "follow": values.follow})
    with Answer(is_json=asked.is_json) as answer:
        done = following.read(asked.wanted, request, asked.patience, _as_json if asked.is_json else _as_line)
        return ExitCode.OK if done.ok else answer.end(done)


def _as_line(event: Mapping[str, Any]) -> None:
    show(as_text(event))
    sys.stdout.flush()  # raises when the reader has left, which ends the command


def _as_json(event: Mapping[str, Any]) -> None:
    print(json.dumps(event), flush=True)
