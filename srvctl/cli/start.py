"""``srvctl start``: what ``srvctl run`` does, in the background; the command returns when it serves."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping  # noqa: TC003 - typer evaluates the annotations of commands
from typing import Annotated

import typer

from srvctl.cli.answer import Answer
from srvctl.cli.background.launching import Launch, launch, launch_only, running_already
from srvctl.cli.background.words import program_of
from srvctl.cli.flags import ConfigFlag  # noqa: TC001 - as above
from srvctl.cli.running import run
from srvctl.errors import AlreadyRunning, ExitCode, UsageError
from srvctl.settings.units import parse_duration
from srvctl.settings.words import words_of


def start(
    given: Mapping[str, object],
    config: ConfigFlag = None,
    no_wait: Annotated[
        bool, typer.Option("--no-wait", help="Only start it; do not wait for its workers.")
    ] = False,
    timeout: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION",
            help="End it again if its workers are not ready by then. Default: as long as timeouts.boot lets "
            "them take.",
            show_default=False,
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print an object.")] = False,
) -> ExitCode:
    """Serve APP in the background; return when its workers are ready, or say why they are not."""
    with Answer(is_json=json) as answer:
        patience = read_patience(timeout)
        service = run(given, config)
        program = program_of(sys.orig_argv, sys.argv[1:], sys.executable)
        begun = Launch(tuple(program), tuple(words_of(given, config)), service)
        if sentence := running_already(service, os.environ):
            raise AlreadyRunning(sentence)
        if no_wait:
            return answer.end(launch_only(begun, os.environ))
        return answer.end(launch(begun, os.environ, patience=patience, progress=answer.progress))


def read_patience(text: str | None) -> float | None:
    """Return the seconds of ``--timeout``; None where it was not given.

    Raises:
        UsageError: It is no duration.
    """
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise UsageError(f"--timeout {text!r} {error}") from None
