"""How the end of a control command is told: to people, or as JSON to programs.

Progress goes to stderr, on a terminal as a bar where it is known how far it is, and one line about the end to
stdout; with JSON, one object. Errors are told to people in any case. Whatever a master says reaches the
terminal as plain text.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

from srvctl.cli.printing import show
from srvctl.cli.progress_bar import Bar
from srvctl.cli.quantities import duration
from srvctl.cli.report import report
from srvctl.errors import ExitCode, SrvctlError, printable
from srvctl.ipc.control import Done, Reason
from srvctl.ipc.control_refusals import reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from srvctl.cli.instances import Master
    from srvctl.ipc.control import Command

_NO_DATA: Final[Mapping[str, Any]] = MappingProxyType({})
#: Why commands fail before anybody is asked.
_REASONS: Final[Mapping[ExitCode, Reason]] = MappingProxyType(
    {ExitCode.USAGE: Reason.USAGE, ExitCode.CONFIG: Reason.CONFIG}
)


class Answer:
    """What one command prints; leaving the context with an error tells programs of it.

    Args:
        is_json: For a program.
    """

    def __init__(self, *, is_json: bool) -> None:
        self._is_json = is_json
        self._began = time.monotonic()
        self._bar = Bar()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._bar.clear()
        if self._is_json and isinstance(error, SrvctlError):
            reason = getattr(error, "reason", None) or _REASONS.get(error.exit_code, Reason.FAILED)
            done = Done(ok=False, code=error.exit_code, message=str(error), data={"reason": reason})
            self._print_object(done)

    def progress(self, text: str, data: Mapping[str, Any] = _NO_DATA) -> None:
        """Print that it goes on; with ``done`` and ``of`` in the data a terminal shows how far it is."""
        if self._is_json or self._bar.show(printable(text), data):
            return
        self._bar.clear()
        print(_harmless(text), file=sys.stderr, flush=True)

    def end(self, done: Done) -> ExitCode:
        """Print how it ended, and return the exit code."""
        self._bar.clear()
        if self._is_json:
            self._print_object(done)
        elif done.ok:
            seconds = duration(time.monotonic() - self._began)
            show(f"{printable(done.message).rstrip('.')} ({seconds}).")
        if done.ok:
            return ExitCode.OK
        if not self._is_json and done.details:
            print(_harmless(done.details).rstrip(), file=sys.stderr)
        report(printable(done.message))
        return ExitCode(done.code) if done.code in set(ExitCode) - {ExitCode.OK} else ExitCode.REFUSED

    def asked(self, master: Master, command: Command) -> ExitCode:
        """Print that the command was only asked for, and return the exit code."""
        done = Done(ok=True, message=f"Asked {master} to {command}.")
        if self._is_json:
            self._print_object(done)
        else:
            show(done.message)
        return ExitCode.OK

    def _print_object(self, done: Done) -> None:
        print_json(
            {**asdict(done), "reason": reason_of(done), "seconds": round(time.monotonic() - self._began, 3)}
        )


def _harmless(text: str) -> str:
    """Return a text of several lines as a terminal may show it."""
    return "\n".join(printable(line) for line in text.expandtabs().split("\n"))


def print_json(values: Mapping[str, Any] | Sequence[Any]) -> None:
    """Print an object, or a list, for programs."""
    print(json.dumps(values, indent=2))
