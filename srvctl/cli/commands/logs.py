"""``srvctl logs``: what an instance and its workers have printed, and print.

It comes from the memory of the master (``log.keep``), wherever the log goes.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from srvctl.cli.amounts import natural
from srvctl.cli.answer import Answer
from srvctl.cli.asking import Asked, declare_instance, met
from srvctl.cli.report import warn
from srvctl.errors import ExitCode
from srvctl.ipc.control import Command, Done, Progress, Reason, Request, refusal
from srvctl.ipc.scoreboard import harmless_lines

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Mapping

    from srvctl.cli.instances import Master
    from srvctl.cli.parsing import Parser

_LAST: Final = 50
_ALL: Final = -1


def declare(parser: Parser) -> None:
    """Add the flags."""
    add = parser.add_argument
    add("-f", "--follow", action="store_true", help="Go on with what is printed, until Ctrl-C.")
    text = f"Begin with so many of the last lines. Default: {_LAST}."
    add("-n", "--lines", metavar="N", type=natural, default=_LAST, help=text)
    text = "Only what the worker in this slot prints."
    add("--worker", metavar="SLOT", type=natural, default=_ALL, help=text)
    declare_instance(parser)


def carry_out(values: Namespace) -> ExitCode:
    """Print lines, the oldest first; as JSON, one object a line."""
    asked = Asked.read(values)
    args = {"lines": values.lines, "follow": values.follow, "slot": values.worker}
    show = _as_json if asked.is_json else _as_line
    with Answer(is_json=asked.is_json) as answer, met(asked.wanted) as master:
        patience = None if values.follow else asked.patience
        try:
            done = _read(master, Request(Command.LOGS, args), patience, show)
        except BrokenPipeError:  # the reader has seen enough, such as head(1)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.OK
        except KeyboardInterrupt:
            if not values.follow:
                raise
            return ExitCode.OK
    if values.follow and (done is None or done.ok):
        warn(f"{master} is gone")
        return ExitCode.OK
    done = done or refusal(f"{master} ended the connection before it answered", reason=Reason.ENDED)
    return ExitCode.OK if done.ok else answer.end(done)


def _read(
    master: Master, request: Request, patience: float | None, show: Callable[[Mapping[str, Any]], None]
) -> Done | None:
    """Print what comes; return the end, or None where the connection just broke off."""
    for reply in master.connection.replies(request, patience):
        match reply:
            case Done():
                return reply
            case Progress(data={"left_out": int(number)}):
                warn(f"{number} line(s) left out: the instance does not keep them any more (log.keep)")
            case Progress(data=data):
                show(data)
    return None


def _as_json(entry: Mapping[str, Any]) -> None:
    print(json.dumps(dict(entry)), flush=True)


def _as_line(entry: Mapping[str, Any]) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    text = as_text(entry)
    print(text.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def as_text(entry: Mapping[str, Any]) -> str:
    """Return a line of the log for people: when, who, and what was printed, harmless to a terminal."""
    slot, pid, at = entry.get("slot"), entry.get("pid"), entry.get("at")
    when = time.strftime("%H:%M:%S", time.localtime(at)) if isinstance(at, int | float) else "--:--:--"
    who = f"worker {slot}" if isinstance(slot, int) and slot >= 0 else "master"
    if entry.get("program"):
        who = "program " + "".join(harmless_lines(str(entry["program"]).encode()))
    line = "".join(harmless_lines(str(entry.get("line", "")).encode("utf-8", "backslashreplace")))
    return f"{when} {who} [{pid}] {line}"
